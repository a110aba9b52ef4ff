"""The connections to one relay: opened when needed, used again, bounded in age and idle time."""

from __future__ import annotations

import select
import ssl
import time
from collections import deque
from dataclasses import dataclass, field

from providers.smtp.connection import SmtpConnection

MAX_IDLE = 30.0
"""Seconds after which an idle connection is not used again. A relay may close it earlier: the next
message then finds that out before its content is sent, and takes a new connection."""

MAX_AGE = 300.0
"""Seconds after which a connection is replaced, so that a balancer can move its clients."""

MAX_MESSAGES = 100
"""Messages after which a connection is replaced: some servers close it after a number of them."""


@dataclass(frozen=True, slots=True)
class SmtpServer:
    """The server, and how to connect to it."""

    host: str
    port: int
    ehlo_name: str
    tls: ssl.SSLContext | None
    implicit: bool
    user: str | None = None
    password: str | None = field(default=None, repr=False)


class SmtpPool:
    """
    The connections to one relay, for many threads.

    Args:
        relay: The server.
        connect_timeout: Seconds for a connection.
        idle: The most idle connections to keep.
    """

    def __init__(self, relay: SmtpServer, *, connect_timeout: float, idle: int) -> None:
        self._relay = relay
        self._connect_timeout = connect_timeout
        self._idle: deque[tuple[float, SmtpConnection]] = deque()
        self._most = idle

    def kept(self) -> SmtpConnection | None:
        """Return an idle connection on which nothing has arrived; None if there is none."""
        while self._idle:
            try:
                since, connection = self._idle.pop()
            except IndexError:
                return None  # another thread was faster
            if time.monotonic() - since < MAX_IDLE and _silent(connection):
                return connection
            connection.drop()
        return None

    def opened(self, *, deadline: float) -> SmtpConnection:
        """
        Open a connection.

        Raises:
            OSError: Not connected before the deadline, or not verified.
            Refused: The server refused the connection or the password.
        """
        relay = self._relay
        connection = SmtpConnection(ehlo_name=relay.ehlo_name)
        connection.deadline = deadline
        remaining = max(deadline - time.monotonic(), 0.001)
        try:
            connection.open(
                relay.host,
                relay.port,
                timeout=min(self._connect_timeout, remaining),
                tls=relay.tls,
                implicit=relay.implicit,
            )
            if relay.user is not None:
                connection.log_in(relay.user, relay.password or "")
        except BaseException:
            connection.close()
            raise
        return connection

    def keep(self, connection: SmtpConnection) -> None:
        """Keep a connection for the next message, unless it is too old."""
        now = time.monotonic()
        if connection.messages >= MAX_MESSAGES or now - connection.since > MAX_AGE:
            connection.drop()
            return
        self._idle.append((now, connection))
        self._trim()

    def close(self) -> None:
        """Close the idle connections; those in use are closed after their message."""
        self._most = 0
        self._trim()

    def _trim(self) -> None:
        while len(self._idle) > self._most:
            try:
                self._idle.popleft()[1].drop()
            except IndexError:
                return  # another thread was faster


def _silent(connection: SmtpConnection) -> bool:
    """Whether nothing came on an idle connection: neither its end nor a reply such as 421."""
    if connection.sock is None or not connection.quiet:
        return False
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)
