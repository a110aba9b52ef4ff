"""From an address to an open connection, and from what went wrong to words."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import amqp
from amqp.method_framing import frame_writer as write_frames
from kombu.utils.url import parse_url

from notify.errors import ConfigError

FAILURES = (OSError, amqp.AMQPError)
"""All that a connection or channel of py-amqp raises when it is of no more use."""

_SCHEMES = {"pyamqp": False, "amqp": False, "amqps": True}


@dataclass(frozen=True, slots=True)
class _Address:
    host: str
    tls: bool
    login: Mapping[str, Any] = field(repr=False)

    @classmethod
    def of(cls, url: str) -> _Address:
        try:
            parts = parse_url(url)
            tls = _SCHEMES[parts["transport"]]
        except (KeyError, ValueError):
            raise ConfigError(
                "the broker's address must read pyamqp://user:password@host:port/vhost"
            ) from None
        host = parts["hostname"] or "127.0.0.1"
        named = f"[{host}]" if ":" in host else host
        return cls(
            host=host,
            tls=tls,
            login={
                "host": f"{named}:{parts['port'] or (5671 if tls else 5672)}",
                "userid": parts["userid"] or "guest",
                "password": parts["password"] or "guest",
                "virtual_host": parts["virtual_host"] or "/",
            },
        )


def connect(
    url: str,
    *,
    timeout: float = 5.0,
    connect_timeout: float | None = None,
    heartbeat: int = 0,
    ssl: Mapping[str, Any] | None = None,
    on_alarm: Callable[[bool], None] | None = None,
    frame_writer: Callable[..., Any] = write_frames,
) -> amqp.Connection:
    """
    Open a connection whose every read and write ends within `timeout` seconds.

    Args:
        url: `pyamqp://user:password@host:port/vhost`, or `amqps://` for TLS.
        timeout: Seconds for each read and write.
        connect_timeout: Seconds for each step of connecting; by default the same.
        heartbeat: Seconds after which a silent peer counts as gone; 0 asks for none.
        ssl: py-amqp's TLS options; by default the peer is verified by the system's authorities.
        on_alarm: Told True when the broker stops taking messages, False when it takes them again.
        frame_writer: py-amqp's seam to the socket.

    Raises:
        ConfigError: The address is wrong, or the broker refuses the user or virtual host.
        OSError, amqp.AMQPError: The broker cannot be reached, or does not answer; `why` says it.
    """
    address = _Address.of(url)
    alarm = on_alarm or (lambda _: None)
    connection = amqp.Connection(
        **address.login,
        ssl=address.tls and dict(ssl or {"server_hostname": address.host}),
        connect_timeout=connect_timeout or timeout,
        heartbeat=heartbeat,
        on_blocked=lambda _: alarm(True),
        on_unblocked=lambda: alarm(False),
        frame_writer=frame_writer,
        # By default the kernel gives up after one second of unacknowledged data, in an alarm too.
        socket_settings={socket.TCP_USER_TIMEOUT: int(timeout * 2000)},
    )
    try:
        connection.connect()
    except (amqp.AccessRefused, amqp.NotAllowed) as error:
        raise ConfigError(f"the broker refused the connection: {why(error)}") from None
    connection.transport.sock.settimeout(timeout)
    return connection


def why(error: BaseException) -> str:
    """Return what went wrong with the broker in words for a person."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, amqp.AMQPError) and error.reply_text:
        return str(error.reply_text)
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).lower()
