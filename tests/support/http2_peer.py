"""An HTTP/2 server for the answers that no real server gives at will: GOAWAY, resets, silence."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import TracebackType
from typing import Self

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import PingAckReceived, PingReceived, RequestReceived, StreamEnded
from h2.exceptions import H2Error
from hyperframe.frame import GoAwayFrame

Play = Callable[["Exchange"], None]


class Exchange:
    """One request, and the means to answer it."""

    def __init__(self, sock: socket.socket, h2: H2Connection, stream: int) -> None:
        self.sock = sock
        self.h2 = h2
        self.stream = stream

    def answer(self, status: int = 200, body: bytes = b"", **headers: str) -> None:
        """Send a complete answer."""
        fields = [(name.replace("_", "-"), value) for name, value in headers.items()]
        self.h2.send_headers(self.stream, [(":status", str(status)), *fields])
        self.h2.send_data(self.stream, body, end_stream=True)
        self.flush()

    def goaway(self, last: int, text: bytes = b"") -> None:
        """Announce that no request after *last* is processed."""
        frame = GoAwayFrame(stream_id=0, last_stream_id=last, additional_data=text)
        self.flush()
        self.sock.sendall(frame.serialize())

    def reset(self, code: ErrorCodes) -> None:
        """End the request's stream without an answer."""
        self.h2.reset_stream(self.stream, code)
        self.flush()

    def flush(self) -> None:
        """Send what h2 has written."""
        self.sock.sendall(self.h2.data_to_send())


class Http2Peer:
    """
    The server. Use it as a context manager.

    Args:
        plays: What it does with each request, in order; the last one repeats.
        early: Whether it does that before it has read the body.
    """

    def __init__(self, *plays: Play, early: bool = False) -> None:
        self._early = early
        self._plays: Sequence[Play] = plays
        self.requests = 0
        self.connections = 0
        self.pings = 0
        self.acknowledged = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._live: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    @property
    def url(self) -> str:
        """Its address; HTTP/2 without a negotiation."""
        return f"http://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self.hang_up()
        for thread in self._threads:
            thread.join(10)
        self._listener.close()

    def until_left(self, connections: int) -> None:
        """Wait until the client has left the first connections, and all it sent on them is read."""
        for thread in self._threads[1 : connections + 1]:
            thread.join(10)

    def hang_up(self) -> None:
        """Close every connection."""
        for each in self._live:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._live.append(sock)
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        h2 = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        h2.initiate_connection()
        with sock, suppress(OSError, H2Error):
            sock.sendall(h2.data_to_send())
            while data := sock.recv(65_536):
                for event in h2.receive_data(data):
                    if isinstance(event, RequestReceived):
                        self.requests += 1
                        if self._early:
                            self._play(sock, h2, event.stream_id)
                    elif isinstance(event, PingReceived):
                        self.pings += 1
                    elif isinstance(event, PingAckReceived):
                        self.acknowledged.set()
                    elif isinstance(event, StreamEnded) and not self._early:
                        self._play(sock, h2, event.stream_id)
                sock.sendall(h2.data_to_send())

    def _play(self, sock: socket.socket, h2: H2Connection, stream: int) -> None:
        self._plays[min(self.requests, len(self._plays)) - 1](Exchange(sock, h2, stream))
