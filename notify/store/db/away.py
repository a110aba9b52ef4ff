"""Why the database cannot be used, in texts of our own: a driver's may contain secrets."""

from __future__ import annotations

# Texts of libpq and PostgreSQL, which are English unless the server has another locale.
_WORDS = {
    "certificate verify failed": "its certificate is not trusted",
    "does not match host name": "its certificate is for another host",
    "server does not support SSL": "it does not speak TLS",
    "root certificate file": "sslrootcert names no file",
    "no pg_hba.conf entry": "its pg_hba.conf has no rule for this user and host",
    "password authentication failed": "it refuses the password",
    "Connection refused": "no server listens there",
    "timeout expired": "no answer in time",
    "the database system is": "it is starting or stopping",
    "unsupported startup parameter": "its pooler refuses what store.url sets in `options`",
    "interrupted": "a statement took longer than it may",
    "transaction blocks not allowed": "its pooler pools statements; let it pool transactions",
}
# By SQLSTATE, which is the same in every language:
# https://www.postgresql.org/docs/current/errcodes-appendix.html
_UNFIT = {
    "25006": "it accepts no writes: it is a standby, or default_transaction_read_only is on",
    "3F000": "no schema of the search_path exists in it; ALTER ROLE ... SET search_path",
    "42501": "its user lacks a right that the owner of its tables or schema must grant",
}
_AWAY = {
    "53100": "its disk is full",
    "53300": "it has no connection left",
    "57014": "a statement took longer than it may",
}


def reason(error: BaseException) -> str:
    """Return why the database cannot be used, as ` (text)`; empty if the error is not known."""
    state, text = _state(error), str(getattr(error, "orig", None) or error)
    words = _UNFIT.get(state) or _AWAY.get(state)
    words = words or next((words for sign, words in _WORDS.items() if sign in text), "")
    return words and f" ({words})"


def needs_operator(error: BaseException) -> bool:
    """Return whether the database answered, but an operator must change it before use."""
    return _state(error) in _UNFIT


def _state(error: BaseException) -> str:
    return getattr(getattr(error, "orig", None) or error, "sqlstate", None) or ""
