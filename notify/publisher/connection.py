"""Opening a connection from an address, and describing its errors."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from ssl import SSLCertVerificationError, SSLEOFError, SSLError
from typing import Any
from urllib.parse import unquote, urlsplit

import amqp
from amqp.method_framing import frame_writer as write_frames

from notify.errors import ConfigError

FAILURES = (OSError, amqp.AMQPError)
"""All errors by which a connection or channel of py-amqp becomes unusable."""


def connect(
    url: str,
    *,
    timeout: float = 5.0,
    connect_timeout: float | None = None,
    heartbeat: int = 0,
    ssl: Mapping[str, Any] | bool = False,
    on_alarm: Callable[[bool], None] | None = None,
    frame_writer: Callable[..., Any] = write_frames,
) -> amqp.Connection:
    """
    Open a connection whose every read and write ends within `timeout` seconds.

    Args:
        url: `pyamqp://user:password@host:port/vhost`.
        timeout: Seconds for each read and write.
        connect_timeout: Seconds for each step of connecting; by default the same.
        heartbeat: Seconds after which a silent peer counts as gone; 0 asks for none.
        ssl: py-amqp's TLS options, or True for TLS that checks the broker's certificate and name
            by the system's authorities.
        on_alarm: Called with True when the broker blocks publishers, False when it unblocks them.
        frame_writer: Makes py-amqp's writer of frames.

    Raises:
        ConfigError: The address is wrong, or the broker refuses the user or virtual host.
        OSError, amqp.AMQPError: The broker does not answer; `why` describes the error.
    """
    host, login = _parse(url, tls=bool(ssl))
    alarm = on_alarm or (lambda _: None)
    connection = amqp.Connection(
        **login,
        ssl={"server_hostname": host} if ssl is True else ssl,
        connect_timeout=connect_timeout or timeout,
        heartbeat=heartbeat,
        on_blocked=lambda _: alarm(True),
        on_unblocked=lambda: alarm(False),
        frame_writer=frame_writer,
        # The default gives up after one second of unacknowledged data, during an alarm too.
        socket_settings={socket.TCP_USER_TIMEOUT: int(timeout * 2000)},
    )
    try:
        connection.connect()
    except (amqp.AccessRefused, amqp.NotAllowed) as error:
        raise ConfigError(f"the broker refused the connection: {why(error)}") from None
    connection.transport.sock.settimeout(timeout)
    return connection


def _parse(url: str, *, tls: bool) -> tuple[str, dict[str, str]]:
    parts = urlsplit(url)
    try:
        port = parts.port or (5671 if tls else 5672)
    except ValueError:
        port = 0
    if parts.scheme != "pyamqp" or not port or not parts.hostname:
        raise ConfigError("the broker's address must read pyamqp://user:password@host:port/vhost")
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    return parts.hostname, {
        "host": f"{host}:{port}",
        "userid": unquote(parts.username or "guest"),
        "password": unquote(parts.password or "guest"),
        "virtual_host": unquote(parts.path[1:]) or "/",
    }


def why(error: BaseException) -> str:
    """Return an error of the broker as text for an operator."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, SSLError):
        return _why_no_tls(error)
    if isinstance(error, amqp.AMQPError) and error.reply_text:
        return str(error.reply_text)
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()


def _why_no_tls(error: SSLError) -> str:
    if isinstance(error, SSLCertVerificationError):
        return f"its certificate is not trusted: {error.verify_message.rstrip('.')}"
    if isinstance(error, SSLEOFError):
        return "it hangs up on TLS: it may want our certificate (amqp.cert_file), or another one"
    reason = (error.reason or "").replace("_", " ").lower()
    if reason in ("wrong version number", "packet length too long"):
        return "it does not speak TLS on this port"
    if "alert" in reason:
        # The alert is the whole answer: certificate required, unknown ca, protocol version, ...
        return f"it refuses our TLS, or our certificate: {reason.rpartition('alert ')[2]}"
    return f"TLS failed: {reason or 'no reason given'}"
