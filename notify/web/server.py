"""The HTTP server: uvicorn, with this service's signals, limits and errors."""

from __future__ import annotations

import asyncio
import enum
import logging
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from notify.errors import ConfigError
from notify.web.limits import WebLimits
from notify.web.tls import TlsFiles

DRAIN = 15
"""Seconds that a stop waits for requests in flight; longer than the slowest answer."""
BACKLOG = 1024


def listening(host: str, port: int, *, table: str) -> socket.socket:
    """
    Return a socket that listens; *table* is the settings' table that an error names.

    Raises:
        ConfigError: The address cannot be used, usually because another process listens on it.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listener = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        reason = (error.strerror or type(error).__name__).lower()
        raise ConfigError(
            f"{table}.port: cannot listen on {host} port {port}: {reason}; stop the other process,"
            " or set another port"
        ) from None
    # Connections inherit it. asyncio sets it on sockets of its own alone, and without it an answer
    # with a body waits 40 ms for the client to confirm its head.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listener


@contextmanager
def listening_at(path: Path, *, table: str) -> Iterator[socket.socket]:
    """
    Yield a Unix socket that listens, for the owner and the group; remove its file at the end.

    Raises:
        ConfigError: The file cannot be made.
    """
    listener = socket.socket(socket.AF_UNIX)
    try:
        # A file of a process that was killed: a running one would be systemd's second start.
        path.unlink(missing_ok=True)
        listener.bind(str(path))
        path.chmod(0o660)
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        reason = (error.strerror or str(error)).lower()
        raise ConfigError(
            f"{table}.proxy.socket: cannot listen at {path}: {reason}; its folder must exist, and"
            " belong to the service's user"
        ) from None
    try:
        yield listener
    finally:
        listener.close()
        path.unlink(missing_ok=True)


class WebServer(uvicorn.Server):
    """Serves one application in the foreground until SIGTERM or SIGINT, and drains requests."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        limits: WebLimits,
        turn: Callable[[], None],
        ready: Callable[[], None],
        stopping: Callable[[], None],
        tls: TlsFiles | None = None,
    ) -> None:
        """
        Prepare a server.

        Args:
            app: The application.
            limits: The limits of connections and requests' heads.
            turn: Called by the event loop several times a second.
            ready: Called once requests are accepted.
            stopping: Called when a stop begins; may be called in a signal handler.
            tls: The certificate; None if a reverse proxy has it.
        """
        protocol: Any = partial(ImpatientProtocol, seconds=limits.head_seconds)
        # It warns of each refused connection and malformed request: what any scanner causes.
        logging.getLogger("uvicorn").setLevel(logging.ERROR)
        config = uvicorn.Config(
            app,
            http=protocol,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            limit_concurrency=limits.connections,
            timeout_keep_alive=limits.idle_seconds,
            timeout_graceful_shutdown=DRAIN,
            h11_max_incomplete_event_size=limits.head,
            ssl_certfile=None if tls is None else tls.certificate,
            ssl_keyfile=None if tls is None else str(tls.key),
        )
        super().__init__(config)
        self._turn = turn
        self._ready = ready
        self._stopping = stopping

    def serve_on(self, listener: socket.socket) -> None:
        """Serve until a stop, and return once all requests are answered."""
        self.run(sockets=[listener])

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to accept requests."""
        await super().startup(sockets)
        if self.started:
            self._ready()

    async def on_tick(self, counter: int) -> bool:
        """Record a turn of the event loop."""
        self._turn()
        return await super().on_tick(counter)

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop at SIGTERM and SIGINT; uvicorn itself would raise the signal again afterwards."""
        main = threading.current_thread() is threading.main_thread()
        handled = (signal.SIGTERM, signal.SIGINT) if main else ()
        before = {each: signal.signal(each, self._stop) for each in handled}
        try:
            yield
        finally:
            for each, handler in before.items():
                signal.signal(each, handler)

    def _stop(self, *_: object) -> None:
        self._stopping()
        self.should_exit = True


class ImpatientProtocol(H11Protocol):
    """
    HTTP/1.1 with a limit on the time in which a client does its part.

    uvicorn limits the time between two requests only. A client that sends one header a minute, goes
    on with a body after its answer, or does not read, would keep its connection for ever.
    """

    def __init__(self, *args: Any, seconds: float, **options: Any) -> None:
        super().__init__(*args, **options)
        self._seconds = seconds
        self._awaited: _Awaited | None = None
        self._timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the time of the first head."""
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        """Start the time of a further head, and stop it once a head is complete."""
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Start the time of the rest of a body that the answer did not need."""
        super().on_response_complete()
        if self.conn.their_state is not h11.IDLE:
            self._watch()

    def pause_writing(self) -> None:
        """Start the time in which the client has to read."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Stop the time: the client has read."""
        super().resume_writing()
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop the time."""
        self._unwatch()
        super().connection_lost(exc)

    def _watch(self) -> None:
        """Start the time for the client's next part, unless it runs already."""
        awaited = self._next_part()
        if awaited is self._awaited:
            return
        self._unwatch()
        if awaited is not None:
            self._awaited = awaited
            self._timer = self.loop.call_later(self._seconds, self.transport.abort)

    def _unwatch(self) -> None:
        self._awaited = None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _next_part(self) -> _Awaited | None:
        """Return the client's next part; None while the application works or reads a body."""
        if self.flow.write_paused:
            return _Awaited.READING
        if self.conn.their_state is h11.IDLE:
            return _Awaited.HEAD
        unfinished = self.conn.their_state is h11.SEND_BODY
        return _Awaited.REST_OF_BODY if unfinished and self.cycle.response_complete else None


class _Awaited(enum.Enum):
    """A part of an exchange that a client has to do in time."""

    HEAD = enum.auto()
    REST_OF_BODY = enum.auto()
    READING = enum.auto()
