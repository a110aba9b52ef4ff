"""Kept HTTP/2 connections to one host, each for one call at a time (docs/adr/0019)."""

from __future__ import annotations

import socket
import ssl
import time
from collections import deque
from collections.abc import Mapping

from hpack import HeaderTuple, NeverIndexedHeaderTuple
from urllib3.util import parse_url

from notify.errors import ConfigError, TransientError
from providers._shared.answer import Answer
from providers._shared.transport import BASE_URL, MAX_ANSWER, is_base_url
from providers.apns.connection import Http2Connection

MAX_IDLE = 3600.0
"""Seconds after which an idle connection is closed. Apple treats frequent new ones as an attack."""
PING_AFTER = 30.0
"""Seconds of idleness after which the server must answer a ping before the next call."""
_H2 = "h2"


class Http2Transport:
    """
    One vendor's host over HTTP/2, with kept connections and bounded calls.

    Args:
        provider: The provider's name, for errors.
        base_url: Scheme and host. With `http`, HTTP/2 is spoken without a negotiation.
        timeout: Seconds for a call.
        connect_timeout: Seconds for a connection, for each of the host's addresses.
        pool: The most idle connections to keep: as many as threads that call at once.

    Raises:
        ConfigError: The address is malformed.
    """

    def __init__(
        self, provider: str, base_url: str, *, timeout: float, connect_timeout: float, pool: int
    ) -> None:
        if not is_base_url(base_url):
            raise ConfigError(f"{provider}: base_url {BASE_URL}")
        self._provider = provider
        url = parse_url(base_url)
        self._host = (url.host or "").strip("[]")
        self._port = url.port or (443 if url.scheme == "https" else 80)
        self._path = (url.path or "").rstrip("/")
        self._timeout = timeout
        self._connect_timeout = min(connect_timeout, timeout)
        self._tls = None
        if url.scheme == "https":
            self._tls = ssl.create_default_context()
            self._tls.set_alpn_protocols([_H2])
        self._idle: deque[tuple[float, Http2Connection]] = deque()
        self._pool = pool
        self._fixed = [
            HeaderTuple(":method", "POST"),
            HeaderTuple(":scheme", url.scheme or ""),
            HeaderTuple(":authority", url.netloc or ""),
        ]

    def post(
        self, path: str, headers: Mapping[str, str], own: Mapping[str, str], body: bytes
    ) -> Answer:
        """
        Send one request and return its answer, whatever its status.

        Args:
            headers: Those that other requests have too; they are compressed.
            own: This request's own.

        Raises:
            TransientError: Not connected, or the server certainly did not process it.
            OutcomeUnknown: The whole request was sent; no usable answer came in time.
        """
        deadline = time.monotonic() + self._timeout
        fields = [
            *self._fixed,
            NeverIndexedHeaderTuple(":path", self._path + path),
            *(HeaderTuple(*each) for each in headers.items()),
            *(NeverIndexedHeaderTuple(*each) for each in own.items()),
            NeverIndexedHeaderTuple("content-length", str(len(body))),
        ]
        connection = self._take()
        kept = False
        try:
            answer = connection.exchange(fields, body, deadline=deadline)
            kept = connection.reusable
        finally:
            if kept:
                self._idle.append((time.monotonic(), connection))
                self._trim(keep=self._pool)
            else:
                connection.close()
        return answer

    def close(self) -> None:
        """Close the idle connections; those in use are closed after their call."""
        self._pool = 0
        self._trim(keep=0)

    def _take(self) -> Http2Connection:
        while self._idle:
            try:
                since, connection = self._idle.pop()
            except IndexError:
                break  # another thread was faster
            idle = time.monotonic() - since
            deadline = time.monotonic() + self._connect_timeout
            ping = idle > PING_AFTER
            if idle < MAX_IDLE and connection.is_quiet(deadline, ping=ping):
                return connection
            connection.close()
            if ping:
                # The others are idle for longer: to ping each would take the whole call.
                self._trim(keep=0)
        try:
            return Http2Connection(self._provider, self._connected(), room=MAX_ANSWER)
        except OSError as error:
            text = f"{self._provider}: not reached, nothing was sent ({type(error).__name__})"
            raise TransientError(text, provider=self._provider) from None

    def _connected(self) -> socket.socket:
        sock = socket.create_connection((self._host, self._port), self._connect_timeout)
        try:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._tls is None:
                return sock
            secure = self._tls.wrap_socket(sock, server_hostname=self._host)
        except BaseException:
            sock.close()
            raise
        if secure.selected_alpn_protocol() != _H2:
            secure.close()
            raise _NotHttp2
        return secure

    def _trim(self, *, keep: int) -> None:
        while len(self._idle) > keep:
            try:
                self._idle.popleft()[1].close()
            except IndexError:
                return  # another thread was faster


class _NotHttp2(OSError):
    """The server does not speak HTTP/2."""
