"""The providers' transport: one call over a kept connection, bounded in time and size."""

from __future__ import annotations

import re
import select
import ssl
import time
from collections import deque
from collections.abc import Mapping
from http.client import HTTPException

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError, LocationParseError
from urllib3.util import parse_url

from notify.errors import ConfigError, OutcomeUnknown, TransientError
from notify.provider import LONGEST_CALL
from providers._shared.answer import Answer, receive

MAX_ANSWER = 65_536
"""The most bytes of an answer to read, including headers; vendors send a few hundred."""

MAX_IDLE = 20.0
"""Seconds after which an idle connection is closed and not used again. Vendors close theirs after a
minute or more; a request on a closing connection has an unknown outcome, so close it first."""

MAX_LIST = 2_097_152
"""The most bytes of an answer with a list of messages, which `Transport.get` reads."""


_TOO_LARGE = 413
_EARLY = 0.5
"""Seconds to wait for the answer to a request that was cut off."""

BASE_URL = "must read like https://host[:port][/path], without a user or password"
"""The text of the mistake in an address for which `is_base_url` is false."""

_BASE_URL = re.compile(
    r"(?i:https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9]([\w.-]*[A-Za-z0-9])?)(:\d{1,5})?"
    r"(/[\w.~%!$&'()*+,;=:-]*)*",
    re.ASCII,
)


def is_base_url(value: object) -> bool:
    """
    Whether a value is a valid address of a vendor's API.

    Refused: an @, since text before it is not the host, whatever it looks like; and anything that
    two libraries may read differently (a backslash, a space, another alphabet).
    """
    if not isinstance(value, str) or not _BASE_URL.fullmatch(value):
        return False
    try:
        return parse_url(value).host is not None
    except LocationParseError:
        return False


class Transport:
    """
    One vendor's host, with kept connections and bounded calls.

    A call ends within `timeout`, however slowly the vendor answers. Only name resolution, and
    `connect_timeout` for each address of a host that does not respond, can add to it.

    Args:
        provider: The provider's name, for errors.
        base_url: Scheme, host, and the path before the API's own paths.
        timeout: Seconds for a call.
        connect_timeout: Seconds for a connection, including TLS.
        pool: The most idle connections to keep: as many as threads that call at once.
        option: The name of the option with `base_url`, for errors.

    Raises:
        ConfigError: The address is malformed, or has a user, a password or a query.
    """

    def __init__(
        self,
        provider: str,
        base_url: str,
        *,
        timeout: float,
        connect_timeout: float,
        pool: int,
        option: str = "base_url",
    ) -> None:
        self.provider = provider
        if not is_base_url(base_url):
            raise ConfigError(f"{provider}: {option} {BASE_URL}")
        self._url = parse_url(base_url)
        self._timeout = timeout
        self._connect_timeout = min(connect_timeout, timeout)
        # One context for all connections: reading the certificate store takes longer than a call.
        self._tls = ssl.create_default_context() if self._url.scheme == "https" else None
        self._idle: deque[tuple[float, HTTPConnection]] = deque()
        self._pool = pool

    def head(self, path: str, headers: Mapping[str, str], *, method: str = "POST") -> bytes:
        """
        Return all before a request's body but its length, for `post` or `get`. Build it once.

        Raises:
            ConfigError: A header cannot be sent; the text names it, never its value.
        """
        lines = [f"{method} {(self._url.path or '').rstrip('/')}{path} HTTP/1.1"]
        host = {"Host": self._url.netloc or "", "Accept-Encoding": "identity"}
        for name, value in {**host, **headers}.items():
            if not value.isascii() or not value.isprintable():
                raise ConfigError(
                    f"{self.provider}: {name} contains a character that a header cannot have"
                )
            lines.append(f"{name}: {value}")
        return "\r\n".join([*lines, "Content-Length: "]).encode("ascii")

    def post(
        self, head: bytes, body: bytes, *, within: float | None = None, more: float = 0.0
    ) -> Answer:
        """
        Send one request and return its answer, whatever its status.

        Args:
            head: The value of `head`.
            body: The request's body.
            within: Seconds for the call, if fewer than `timeout`.
            more: Further seconds, for a large body; up to `LONGEST_CALL` in all.

        Raises:
            TransientError: Not connected, or the request could not be written to its end.
            OutcomeUnknown: The whole request was sent; no usable answer came in time.
        """
        seconds = self._timeout if within is None else min(within, self._timeout)
        if more:
            seconds = max(seconds, min(seconds + more, LONGEST_CALL))
        return self._exchange(head, body, room=MAX_ANSWER, seconds=seconds)

    def get(self, head: bytes) -> Answer:
        """Request a list and return the answer; raises the errors of `post`."""
        return self._exchange(head, b"", room=MAX_LIST, seconds=self._timeout)

    def _exchange(self, head: bytes, body: bytes, *, room: int, seconds: float) -> Answer:
        deadline = time.monotonic() + seconds
        connection = self._take()
        try:
            # One write, headers and body: one system call, one packet.
            _send(connection, b"%b%d\r\n\r\n%b" % (head, len(body), body), deadline)
        except OSError as error:
            # The vendor has no complete request, so it cannot have acted on it.
            refused = _refused_early(connection)
            connection.close()
            if refused is not None:
                return refused
            raise self._unsent(error) from None
        try:
            answer, keep = receive(connection.sock, deadline=deadline, room=room)
        except (OSError, HTTPException, ValueError) as error:
            # Only the error's type is reported: its text may quote the vendor's answer.
            connection.close()
            text = f"the request was sent, no usable answer came ({type(error).__name__})"
            raise OutcomeUnknown(f"{self.provider}: {text}", provider=self.provider) from None
        if keep:
            self._idle.append((time.monotonic(), connection))
            self._trim()
        else:
            connection.close()
        return answer

    def close(self) -> None:
        """Close the idle connections; those in use are closed after their call."""
        self._pool = 0
        self._trim()

    def _take(self) -> HTTPConnection:
        while self._idle:
            try:
                since, connection = self._idle.pop()
            except IndexError:
                break  # another thread was faster
            if time.monotonic() - since < MAX_IDLE and _silent(connection):
                return connection
            connection.close()
        connection = self._new()
        try:
            connection.connect()
        except (OSError, HTTPError) as error:
            connection.close()
            raise self._unsent(error) from None
        return connection

    def _new(self) -> HTTPConnection:
        host, port = self._url.host or "", self._url.port
        if self._tls is None:
            return HTTPConnection(host, port, timeout=self._connect_timeout)
        return HTTPSConnection(host, port, timeout=self._connect_timeout, ssl_context=self._tls)

    def _trim(self) -> None:
        while len(self._idle) > self._pool:
            try:
                self._idle.popleft()[1].close()
            except IndexError:
                return  # another thread was faster

    def _unsent(self, error: Exception) -> TransientError:
        text = f"{self.provider}: not reached, nothing was sent ({type(error).__name__})"
        return TransientError(text, provider=self.provider)


def _silent(connection: HTTPConnection) -> bool:
    """Whether nothing came on an idle connection: neither its end nor unexpected bytes."""
    if connection.sock is None:
        return False
    poll = select.poll()
    poll.register(connection.sock, select.POLLIN)
    return not poll.poll(0)


def _refused_early(connection: HTTPConnection) -> Answer | None:
    """Return the 413 of a vendor that closed the connection before it had read a large request."""
    if connection.sock is None:
        return None
    try:
        deadline = time.monotonic() + _EARLY
        answer, _ = receive(connection.sock, deadline=deadline, room=MAX_ANSWER)
    except (OSError, HTTPException, ValueError):
        return None
    return answer if answer.status == _TOO_LARGE else None


def _send(connection: HTTPConnection, request: bytes, deadline: float) -> None:
    remaining = deadline - time.monotonic()
    if connection.sock is None or remaining <= 0:
        raise TimeoutError
    connection.sock.settimeout(remaining)
    connection.sock.sendall(request)
