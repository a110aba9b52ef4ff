"""A vendor for tests: a real HTTP server on loopback that a test scripts."""

from __future__ import annotations

import itertools
import socket
import ssl
import struct
import threading
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from tests.support.patience import PATIENCE


@dataclass(frozen=True, slots=True)
class Seen:
    """One request as it arrived; the names of its headers in lower case."""

    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


Reply = Callable[[socket.socket, threading.Event], bool]
"""Answers one request on its connection; returns whether the connection stays open."""


def say(status: int, body: bytes = b"", headers: Mapping[str, str] | None = None) -> Reply:
    """Answer as a well-behaved server does, and keep the connection."""
    lines = [f"HTTP/1.1 {status} Scripted", f"Content-Length: {len(body)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return raw("\r\n".join(lines).encode() + b"\r\n\r\n" + body, keep=True)


def raw(answer: bytes, *, keep: bool = False) -> Reply:
    """Write these raw bytes."""

    def reply(connection: socket.socket, _stopped: threading.Event) -> bool:
        connection.sendall(answer)
        return keep

    return reply


def drip(answer: bytes, *, every: float) -> Reply:
    """Write one byte at a time, with a pause in seconds after each; the last one without end."""

    def reply(connection: socket.socket, stopped: threading.Event) -> bool:
        for position in itertools.count():
            connection.sendall(answer[position : position + 1] or answer[-1:])
            if stopped.wait(every):
                break
        return False

    return reply


def then_close(first: Reply) -> Reply:
    """Answer, and close the connection without announcing it."""

    def reply(connection: socket.socket, stopped: threading.Event) -> bool:
        first(connection, stopped)
        return False

    return reply


def hang(_connection: socket.socket, stopped: threading.Event) -> bool:
    """Read the request and do not answer until the test ends: only the client can end the wait."""
    stopped.wait()
    return False


def hang_up(_connection: socket.socket, _stopped: threading.Event) -> bool:
    """Read the request and close the connection cleanly, without an answer."""
    return False


def reset(connection: socket.socket, _stopped: threading.Event) -> bool:
    """Read the request and reset the connection."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    return False


class Vendor:
    """
    The server. Use it as a context manager.

    Attributes:
        default: The answer to a request without a scripted one.
        tls: The server's certificate, to speak TLS.
        seen: The requests so far, oldest first.
        connections: How many connections were accepted so far.
        closing: What ends before the server does.
    """

    def __init__(self, default: Reply | None = None, *, tls: ssl.SSLContext | None = None) -> None:
        self.tls = tls
        self.default = default or say(500)
        self.seen: list[Seen] = []
        self.connections = 0
        self.closing = ExitStack()
        self._paths: dict[str, Callable[[Seen], Reply]] = {}
        self._next: deque[Reply] = deque()
        self._live: set[socket.socket] = set()
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._threads = [threading.Thread(target=self._accept, name="vendor")]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.closing.close()
        self._stopped.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        with self._changed:
            for connection in self._live:
                with suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(PATIENCE)
        self._listener.close()

    @property
    def url(self) -> str:
        """Its address, without a trailing slash."""
        scheme = "https" if self.tls else "http"
        return f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def on(self, path: str, reply: Reply) -> None:
        """Set the answer to every request for this path."""
        self.choose(path, lambda _: reply)

    def choose(self, path: str, choice: Callable[[Seen], Reply]) -> None:
        """Set how the answer to each request for this path is chosen."""
        self._paths[path] = choice

    def then(self, *replies: Reply) -> None:
        """Set the answers to the next requests, one each, before the default."""
        self._next.extend(replies)

    def wait_for_requests(self, count: int) -> bool:
        """Whether this many requests came within `PATIENCE`."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self.seen) >= count, PATIENCE)

    def wait_for_no_connection(self) -> bool:
        """Whether every connection was closed within `PATIENCE`."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._live, PATIENCE)

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            thread = threading.Thread(target=self._serve, args=(connection,), name="vendor")
            with self._changed:
                self.connections += 1
                self._live.add(connection)
                self._threads.append(thread)
            thread.start()

    def _serve(self, plain: socket.socket) -> None:
        connection = plain
        try:
            if self.tls:
                connection = self.tls.wrap_socket(plain, server_side=True)
            with connection, connection.makefile("rb") as stream:
                while (request := _read(stream.readline, stream.read)) is not None:
                    if not self._reply_to(request)(connection, self._stopped):
                        break
        except OSError:
            pass  # the client gave up, as some tests want it to
        finally:
            plain.close()
            with self._changed:
                self._live.discard(plain)
                self._changed.notify_all()

    def _reply_to(self, request: Seen) -> Reply:
        with self._changed:
            self.seen.append(request)
            self._changed.notify_all()
            if request.path in self._paths:
                return self._paths[request.path](request)
            return self._next.popleft() if self._next else self.default


def _read(line: Callable[[], bytes], read: Callable[[int], bytes]) -> Seen | None:
    start = line().decode("latin-1").split()
    if len(start) != 3:
        return None
    headers = {}
    while (header := line().decode("latin-1").strip()) != "":
        name, _, value = header.partition(":")
        headers[name.lower()] = value.strip()
    body = read(int(headers.get("content-length", "0")))
    return Seen(method=start[0], path=start[1], headers=headers, body=body)
