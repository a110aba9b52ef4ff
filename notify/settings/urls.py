"""The addresses of broker and database; errors never repeat them, since they have passwords."""

from __future__ import annotations

import re
from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

_ENCODE = "percent-encode special characters of the user name and password (/ is %2F, @ is %40)"

_BROKER_REASONS = {
    "amqp": (
        "amqp:// is refused: if librabbitmq is importable, Celery silently uses that library, "
        "which has no publisher confirms, no TLS and no heartbeats; write pyamqp://"
    ),
    "librabbitmq": (
        "librabbitmq:// is refused: that library has no publisher confirms, no TLS and no "
        "heartbeats, so messages could be lost silently; write pyamqp:// (the same AMQP 0-9-1)"
    ),
    "amqps": (
        "amqps:// is refused: it does not check the broker's host name; "
        "write pyamqp:// with the TLS port (5671), and amqp.tls = true"
    ),
    "pyamqps": (
        "pyamqps:// does not exist; write pyamqp:// with the TLS port (5671), and amqp.tls = true"
    ),
}

_STORE_REASONS = {
    "postgresql": "the driver must be named; write postgresql+psycopg://",
    "postgres": "the driver must be named; write postgresql+psycopg://",
}


def broker_url(url: SecretStr) -> SecretStr:
    """Return the URL if it is one pyamqp:// address; else raise ValueError with the fix."""
    text = url.get_secret_value()
    scheme = text.partition("://")[0]
    if scheme != "pyamqp":
        known = _BROKER_REASONS.get(scheme)
        raise ValueError(known or "write pyamqp://user:password@host:5672/vhost")
    if ";" in text:
        raise ValueError(
            "only one address is allowed; use a DNS name or a load balancer for a cluster"
        )
    parts = _parts(text)
    if not parts.hostname:
        raise ValueError("the host is missing; write pyamqp://user:password@host:5672/vhost")
    if parts.query or parts.fragment:
        raise ValueError(f"nothing may follow the virtual host; {_ENCODE}, ? is %3F, # is %23")
    return url


def store_url(url: SecretStr) -> SecretStr:
    """Return the URL if the store can use it; else raise ValueError with the fix."""
    text = url.get_secret_value()
    scheme = text.partition("://")[0]
    if scheme not in ("sqlite", "postgresql+psycopg"):
        known = _STORE_REASONS.get(scheme.partition("+")[0])
        raise ValueError(known or "write sqlite:////path/to/file or postgresql+psycopg://…")
    if scheme == "postgresql+psycopg":
        _parts(text)
    return url


def shown_url(url: str) -> str:
    """Return the URL without its user, password and query; "[hidden]" if it has another form."""
    found = re.fullmatch(r"([\w+]+://)([^/@?#]*@)?([\w.:\[\]-]*)(/[\w./-]*)?(\?[^@]*)?", url)
    if found is None:
        return "[hidden]"
    scheme, user, host, path, query = (part or "" for part in found.groups())
    return f"{scheme}{'…@' if user else ''}{host}{path}{'?…' if query else ''}"


def _parts(text: str) -> SplitResult:
    # urlsplit removes line ends and tabs, and libraries disagree whether a backslash ends the host.
    if not text.isprintable() or "\\" in text or " " in text:
        raise ValueError(f"it contains a space, a backslash or a control character; {_ENCODE}")
    try:
        parts = urlsplit(text)
        # Reading them validates them.
        _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"the host or the port cannot be read; {_ENCODE}") from None
    if "@" in parts.path + parts.query + parts.fragment:
        raise ValueError(f"there is an @ after the host; {_ENCODE}")
    if parts.netloc.count("@") > 1:
        raise ValueError(f"there are two @ before the host; {_ENCODE}")
    return parts
