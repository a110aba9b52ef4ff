"""The HTTP server: limits that only a connection shows, and a stop."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from notify.errors import ConfigError
from notify.receipt import Posted
from notify.telemetry.metrics import Metrics
from notify.web import WebLimits
from notify.web.receipts import receipts_app
from notify.web.server import WebServer, listening, listening_at
from tests.support.patience import PATIENCE
from tests.support.rig import until

LIMITS = WebLimits(
    body=1000, body_seconds=PATIENCE, head_seconds=PATIENCE, idle_seconds=90, connections=4
)
SHORT = 0.5
"""Seconds of a limit whose end a test expects."""


@dataclass
class _Served:
    """A server in a thread, and what it reported."""

    port: int
    server: WebServer = field(init=False)
    bodies: list[bytes] = field(default_factory=list)
    events: list[str] = field(default_factory=list)
    turns: int = 0

    def accept_all(
        self, provider: str, requests: Sequence[Posted], /
    ) -> Sequence[Exception | None]:
        """Record requests."""
        assert provider == "x"
        self.bodies += [each.body for each in requests]
        return [None] * len(requests)

    def turn(self) -> None:
        """Count a turn."""
        self.turns += 1

    def exchange(self, *parts: bytes, pause: float = 0.0) -> bytes:
        """Send parts with pauses between them; return everything until the connection ends."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
            answer = b""
            try:
                for part in parts:
                    client.sendall(part)
                    time.sleep(pause)
                while chunk := client.recv(65_536):
                    answer += chunk
            except (ConnectionResetError, BrokenPipeError):
                pass
            return answer

    @contextmanager
    def connected(self) -> Iterator[socket.socket]:
        """Connect, and leave only a short time for what the client sends or reads later."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE) as client:
            connections: set[Any] = self.server.server_state.connections
            # The time of the first head runs already: a busy machine may send it late.
            until(lambda: any(each._timer for each in list(connections)))
            (protocol,) = connections
            protocol._seconds = SHORT
            yield client


async def _large(_: Request) -> Response:
    """An answer that no socket's buffers hold."""
    return Response(b"x" * 30_000_000)


@contextmanager
def _serving(limits: WebLimits = LIMITS) -> Iterator[_Served]:
    listener = listening("127.0.0.1", 0, table="receipts")
    served = _Served(listener.getsockname()[1])
    ready = threading.Event()
    server = WebServer(
        receipts_app(served, metrics=Metrics(), limits=limits, routes=[Route("/large", _large)]),
        limits=limits,
        turn=served.turn,
        ready=ready.set,
        stopping=lambda: served.events.append("stopping"),
    )
    served.server = server
    thread = threading.Thread(target=server.serve_on, args=(listener,))
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield served
    finally:
        server.should_exit = True
        thread.join(PATIENCE)
        assert not thread.is_alive()


@pytest.fixture
def served() -> Iterator[_Served]:
    """A server that leaves its clients time."""
    with _serving() as served:
        yield served


def _request(length: int, *more: str) -> bytes:
    lines = ["POST /receipts/x HTTP/1.1", "Host: x", f"Content-Length: {length}", *more]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def test_a_request_is_answered_and_the_loop_turns(served: _Served) -> None:
    """Two requests on one connection."""
    last = _request(1, "Connection: close") + b"c"
    answer = served.exchange(_request(2) + b"ab", last, pause=0.1)
    assert answer.count(b"HTTP/1.1 204 ") == 2
    assert b"server:" not in answer.lower()
    assert served.bodies == [b"ab", b"c"]
    until(lambda: served.turns > 1)


def test_a_connection_ends_when_it_is_idle() -> None:
    """After its answer."""
    with _serving(replace(LIMITS, idle_seconds=1)) as served:
        assert served.exchange(_request(1) + b"a").count(b"HTTP/1.1 204 ") == 1


def test_a_slow_body_is_refused() -> None:
    """A byte now and then does not keep a request alive."""
    with _serving(replace(LIMITS, body_seconds=SHORT)) as served:
        answer = served.exchange(_request(10), b"x", b"x", pause=0.1)
        assert b" 408 " in answer
        assert served.bodies == []


@pytest.mark.parametrize("length", ["Content-Length: 1000", "Transfer-Encoding: chunked"])
def test_a_body_that_its_answer_did_not_need_has_to_end(served: _Served, length: str) -> None:
    """A byte now and then would keep the connection for ever: nothing reads such a body."""
    with served.connected() as client:
        client.sendall(f"POST /nothing HTTP/1.1\r\nHost: x\r\n{length}\r\n\r\n".encode())
        assert b" 404 " in client.recv(1000)
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            _drip(client, b"1\r\nx\r\n" if "chunked" in length else b"x")


def test_a_body_that_ends_in_time_is_followed_by_a_request(served: _Served) -> None:
    """The connection goes on."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as client:
        client.sendall(b"POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n")
        assert b" 404 " in client.recv(1000)
        client.sendall(b"ab" + _request(1) + b"c")
        assert b" 204 " in client.recv(1000)


def test_a_client_that_does_not_read_loses_its_connection(served: _Served) -> None:
    """The second answer waits until the first one is read."""
    with served.connected() as client:
        client.sendall(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n" * 2)
        with pytest.raises(OSError, match=r"Broken pipe|reset"):
            _drip(client, b"x")


def _drip(client: socket.socket, part: bytes) -> None:
    end = time.monotonic() + PATIENCE / 2
    while time.monotonic() < end:
        time.sleep(0.1)
        client.sendall(part)


def _slow_head(client: socket.socket) -> None:
    client.sendall(b"POST /receipts/x HTTP/1.1\r\n")
    _drip(client, b"X: y\r\n")


def test_a_slow_head_ends_the_connection() -> None:
    """A line now and then does not keep it."""
    with (
        _serving(replace(LIMITS, head_seconds=SHORT)) as served,
        socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as client,
        pytest.raises((ConnectionResetError, BrokenPipeError)),
    ):
        _slow_head(client)


def test_a_slow_head_after_an_answer_ends_the_connection(served: _Served) -> None:
    """Other connections are served on."""
    with served.connected() as client:
        client.sendall(_request(1) + b"a")
        assert b" 204 " in client.recv(1000)
        with pytest.raises((ConnectionResetError, BrokenPipeError)):
            _slow_head(client)
    assert served.exchange(_request(1, "Connection: close") + b"z").startswith(b"HTTP/1.1 204 ")


def test_a_connection_that_sends_nothing_ends() -> None:
    """Else a client could keep all connections."""
    with _serving(replace(LIMITS, head_seconds=SHORT)) as served:
        assert served.exchange() == b""


def test_a_head_that_is_too_large_is_refused(served: _Served) -> None:
    """Before it is complete."""
    answer = served.exchange(b"POST /" + b"x" * 40_000)
    assert b" 400 " in answer


def test_a_request_beyond_the_connections_is_answered_with_503(served: _Served) -> None:
    """The others are served on."""
    with socket.create_connection(("127.0.0.1", served.port), timeout=PATIENCE) as one:
        one.sendall(_request(5, "Expect: 100-continue"))
        # The application reads the body: the request was admitted before the others came.
        assert b" 100 " in one.recv(1000)
        held = [socket.create_connection(("127.0.0.1", served.port)) for _ in range(3)]
        assert b" 503 " in served.exchange(_request(1, "Connection: close") + b"x")
        one.sendall(b"abcde")
        assert b" 204 " in one.recv(1000)
        for each in held:
            each.close()


def test_a_port_in_use_is_a_mistake_of_the_configuration() -> None:
    """The error names the option."""
    with (
        listening("127.0.0.1", 0, table="receipts") as first,
        pytest.raises(ConfigError, match=r"receipts.port: cannot listen on 127.0.0.1 port"),
    ):
        listening("127.0.0.1", first.getsockname()[1], table="receipts")


def test_an_answer_does_not_wait_for_the_confirm_of_its_head() -> None:
    """A client's system confirms it after 40 ms; connections inherit the option."""
    with listening("127.0.0.1", 0, table="api") as listener:
        with socket.create_connection(listener.getsockname()):
            accepted, _ = listener.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)


@pytest.mark.parametrize("where", ["path", "query", "header"])
def test_a_whole_head_that_is_too_large_is_refused(served: _Served, where: str) -> None:
    """Also one that arrives at once, which the server itself accepts."""
    long = b"x" * LIMITS.head
    path = {"path": b"/u/" + long, "query": b"/livez?" + long}.get(where, b"/livez")
    header = b"X: " + long if where == "header" else b"X: y"
    request = b"GET %b HTTP/1.1\r\nHost: x\r\nConnection: close\r\n%b\r\n\r\n"
    assert b" 431 " in served.exchange(request % (path, header))
    assert b" 200 " in served.exchange(request % (b"/livez", b"X: y"))


def test_a_unix_socket_is_for_the_owner_and_the_group(tmp_path: Path) -> None:
    """A socket that a killed process left is replaced, and the file is gone at the end."""
    path = tmp_path / "socket"
    for _ in range(2):
        with listening_at(path, table="console") as listener:
            assert path.stat().st_mode & 0o777 == 0o660
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(path))
            copy = listener.dup()
        assert not path.exists()
        copy.close()
    path.write_text("left behind")
    with listening_at(path, table="console"):
        assert path.is_socket()


def test_a_unix_socket_without_a_folder_says_what_to_do(tmp_path: Path) -> None:
    """The option is named."""
    where = tmp_path / "missing" / "socket"
    with (
        pytest.raises(ConfigError, match=r"console\.proxy\.socket: cannot listen at .*no such"),
        listening_at(where, table="console"),
    ):
        pass
