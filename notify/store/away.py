"""Why the database cannot be reached, in our words: a driver's may hold what nobody may read."""

from __future__ import annotations

# libpq's and PostgreSQL's own words, which are English unless the server's locale is another.
_WORDS = {
    "certificate verify failed": "its certificate is not trusted",
    "does not match host name": "its certificate is for another host",
    "server does not support SSL": "it does not speak TLS",
    "root certificate file": "sslrootcert names no file",
    "no pg_hba.conf entry": "it lets this user in from this host by no rule",
    "password authentication failed": "it refuses the password",
    "Connection refused": "nobody listens there",
    "timeout expired": "no answer in time",
    "the database system is": "it is starting or stopping",
}


def reason(error: BaseException) -> str:
    """Return why nobody answered as ` (words)`; empty where it is something else."""
    text = str(getattr(error, "orig", None) or error)
    return next((f" ({words})" for sign, words in _WORDS.items() if sign in text), "")
