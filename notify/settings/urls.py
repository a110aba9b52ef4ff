"""The two addresses, checked without ever repeating them: they hold passwords."""

from __future__ import annotations

from urllib.parse import SplitResult, urlsplit

from pydantic import SecretStr

_ENCODE = "percent-encode special characters of the user name and password (/ is %2F, @ is %40)"

_BROKER_REASONS = {
    "amqp": (
        "amqp:// is refused: where librabbitmq is importable it becomes that library in silence, "
        "which has no publisher confirms, no TLS and no heartbeats; write pyamqp://"
    ),
    "librabbitmq": (
        "librabbitmq:// is refused: that library has no publisher confirms, no TLS and no "
        "heartbeats, so messages could be lost in silence; write pyamqp:// (the same AMQP 0-9-1)"
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
    """Return the URL if it is one whole pyamqp:// address; raises ValueError with the fix."""
    text = url.get_secret_value()
    scheme = text.partition("://")[0]
    if scheme != "pyamqp":
        known = _BROKER_REASONS.get(scheme)
        raise ValueError(known or "write pyamqp://user:password@host:5672/vhost")
    if ";" in text:
        raise ValueError("one address only; put a DNS name or a balancer before a cluster")
    _split(text)
    return url


def store_url(url: SecretStr) -> SecretStr:
    """Return the URL if the store can use it; raises ValueError with the fix."""
    text = url.get_secret_value()
    scheme = text.partition("://")[0]
    if scheme == "sqlite":
        return url
    if scheme != "postgresql+psycopg":
        known = _STORE_REASONS.get(scheme.partition("+")[0])
        raise ValueError(known or "write sqlite:////path/to/file or postgresql+psycopg://…")
    return url


def _split(text: str) -> SplitResult:
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError:
        raise ValueError(f"the host or the port cannot be read; {_ENCODE}") from None
    if not host:
        raise ValueError("the host is missing; write pyamqp://user:password@host:5672/vhost")
    if parts.query or parts.fragment:
        raise ValueError(f"nothing may follow the virtual host; {_ENCODE}, ? is %3F, # is %23")
    return parts
