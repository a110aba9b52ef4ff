"""HTTP/2 as Apple's servers speak it: against nghttpd, and a peer that breaks off at will."""

from __future__ import annotations

import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest
from h2.errors import ErrorCodes

from notify.errors import OutcomeUnknown, ProviderError, TransientError
from providers.apns import transport as transport_module
from providers.apns.transport import Http2Transport
from tests.support.authority import Authority
from tests.support.http2 import nghttpd
from tests.support.http2_peer import Exchange, Http2Peer, Play
from tests.support.patience import PATIENCE
from tests.support.vendor import Vendor
from tests.unit.providers.calling import Hurry

Open = Callable[..., Http2Transport]


@pytest.fixture
def opened() -> Iterator[Open]:
    """Transports that are closed after the test."""
    with ExitStack() as stack:

        def start(url: str, *, timeout: float = 10.0, pool: int = 4) -> Http2Transport:
            each = Http2Transport("apns", url, timeout=timeout, connect_timeout=10.0, pool=pool)
            stack.callback(each.close)
            return each

        yield start


def failure(transport: Http2Transport) -> ProviderError:
    """Return the error of one call."""
    with pytest.raises(ProviderError) as caught:
        transport.post("/3/device/1", {}, {}, b"{}")
    return caught.value


def accept(exchange: Exchange) -> None:
    """Answer as Apple does."""
    exchange.answer(apns_id="id-1")


# --- against nghttpd


@pytest.mark.parametrize(
    "options",
    [(), ("--window-bits=8", "--connection-window-bits=16"), ("--padding=200",), ("-m1",)],
)
def test_a_body_of_any_size_arrives_whole(
    options: tuple[str, ...], opened: Open, tmp_path: Path
) -> None:
    """Also where the server's window is smaller than the body, or its frames are padded."""
    with nghttpd(tmp_path, "--echo-upload", *options) as url:
        transport = opened(url)
        for size in (1, 255, 256, 4096, 40_000):
            body = bytes(index % 251 for index in range(size))
            answer = transport.post("/echo", {"x-shared": "1"}, {"x-own": str(size)}, body)
            assert (answer.status, answer.body) == (200, body)


def test_a_thousand_calls_leak_no_connection(opened: Open, tmp_path: Path) -> None:
    """One after the other on one connection; sixteen at once on at most sixteen."""
    (tmp_path / "1").write_bytes(b"{}")
    process = psutil.Process()
    with nghttpd(tmp_path) as url:
        transport = opened(url, pool=16)
        before = process.num_fds()
        for _ in range(500):
            assert transport.post("/1", {"a": "b"}, {}, b"{}").status == 200
        assert process.num_fds() == before + 1
        with ThreadPoolExecutor(16) as threads:
            statuses = list(
                threads.map(lambda _: transport.post("/1", {}, {}, b"x").status, range(500))
            )
        assert set(statuses) == {200}
        assert process.num_fds() <= before + 16
        transport.close()
        assert process.num_fds() == before


def test_tls_is_verified_and_negotiates_http2(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A certificate of an unknown authority gets nothing."""
    (tmp_path / "1").write_bytes(b"{}")
    authority = Authority(tmp_path)
    certificate, key = authority.issue("apple")
    with nghttpd(tmp_path, certificate=(key, certificate)) as url:
        assert type(failure(opened(url))) is TransientError
        monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
        assert opened(url).post("/1", {}, {}, b"{}").status == 200


def test_a_server_without_http2_gets_nothing(
    opened: Open, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It does not choose h2, so no request is written."""
    authority = Authority(tmp_path)
    certificate, key = authority.issue("apple")
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate, key)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    with Vendor(tls=tls) as vendor:
        assert type(failure(opened(vendor.url))) is TransientError
        assert vendor.seen == []


# --- against a peer that breaks off


def after_goaway(exchange: Exchange) -> None:
    """Shut down, but finish what came."""
    exchange.goaway(exchange.stream)
    accept(exchange)


def with_other_frames(exchange: Exchange) -> None:
    """Answer between frames that any server may send."""
    exchange.h2.ping(b"12345678")
    exchange.h2.send_headers(exchange.stream, [(":status", "103")])
    exchange.h2.increment_flow_control_window(1000)
    accept(exchange)


@pytest.mark.parametrize("play", [accept, after_goaway, with_other_frames])
def test_a_complete_answer_counts(play: Play, opened: Open) -> None:
    """Whatever else the server says."""
    with Http2Peer(play) as peer:
        answer = opened(peer.url).post("/3/device/1", {}, {}, b"{}")
        assert (answer.status, answer.headers["apns-id"]) == (200, "id-1")


@pytest.mark.parametrize(
    ("play", "kind"),
    [
        (lambda each: each.goaway(0, b'{"reason":"Shutdown"}'), TransientError),
        (lambda each: each.reset(ErrorCodes.REFUSED_STREAM), TransientError),
        (lambda each: each.reset(ErrorCodes.INTERNAL_ERROR), OutcomeUnknown),
        (lambda each: each.sock.shutdown(2), OutcomeUnknown),
        (lambda each: each.sock.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), OutcomeUnknown),
    ],
)
def test_what_ends_a_call_decides_whether_it_may_have_been_sent(
    play: Play, kind: type[ProviderError], opened: Open
) -> None:
    """GOAWAY and REFUSED_STREAM say that the request was not processed; no other end does."""
    with Http2Peer(play) as peer:
        assert type(failure(opened(peer.url))) is kind


def refuse_early(exchange: Exchange) -> None:
    """Answer a request whose body is not wanted."""
    exchange.answer(413, b'{"reason":"PayloadTooLarge"}')
    exchange.h2.reset_stream(exchange.stream, ErrorCodes.NO_ERROR)
    exchange.flush()


def test_an_answer_before_the_end_of_the_request_is_one(opened: Open) -> None:
    """The body is larger than the server's window, and the rest of it is not needed."""
    with Http2Peer(refuse_early, early=True) as peer:
        transport = opened(peer.url)
        for count in (1, 2):
            answer = transport.post("/1", {}, {}, b"x" * 100_000)
            assert (answer.status, answer.json()) == (413, {"reason": "PayloadTooLarge"})
            # Half a request was written: no other follows on this connection.
            assert peer.connections == count


def test_a_server_that_breaks_off_before_the_end_of_the_request_got_none(opened: Open) -> None:
    """It has no complete request, so it cannot have acted on it."""
    for junk in (b"\xff" * 100, b""):

        def break_off(exchange: Exchange, junk: bytes = junk) -> None:
            exchange.sock.sendall(junk)
            exchange.sock.shutdown(2)

        with Http2Peer(break_off, early=True) as peer, pytest.raises(TransientError):
            opened(peer.url).post("/1", {}, {}, b"x" * 100_000)


def test_a_silent_server_costs_no_more_than_the_timeout(opened: Open, hurry: Hurry) -> None:
    """Nor one that answers every second with a frame of no meaning."""

    def drip(exchange: Exchange) -> None:
        while True:  # until the client leaves
            exchange.h2.ping(b"12345678")
            exchange.flush()
            time.sleep(0.05)

    hurry(9.7)
    for play in (lambda _exchange: None, drip):
        with Http2Peer(play) as peer:
            assert type(failure(opened(peer.url, timeout=10.0))) is OutcomeUnknown


def test_an_answer_without_end_is_cut_off(opened: Open) -> None:
    """Its beginning is not the vendor's answer."""

    def flood(exchange: Exchange) -> None:
        exchange.h2.send_headers(exchange.stream, [(":status", "200")])
        while True:  # until the client leaves
            room = min(exchange.h2.local_flow_control_window(exchange.stream), 16_000)
            exchange.h2.send_data(exchange.stream, b"x" * room)
            exchange.flush()
            if room == 0:
                exchange.h2.receive_data(exchange.sock.recv(65_536))

    with Http2Peer(flood) as peer:
        error = failure(opened(peer.url))
        assert (type(error), "(ValueError)" in str(error)) == (OutcomeUnknown, True)


def test_a_connection_that_shuts_down_or_ended_is_not_used_again(opened: Open) -> None:
    """The next call opens another, and no message is lost."""
    with Http2Peer(after_goaway, accept) as peer:
        transport = opened(peer.url)
        for _ in range(3):
            assert transport.post("/1", {}, {}, b"{}").status == 200
        assert peer.connections == 2
        peer.hang_up()
        time.sleep(0.05)
        assert transport.post("/1", {}, {}, b"{}").status == 200
        assert peer.connections == 3


def test_an_idle_connection_is_pinged_before_it_is_used(
    opened: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A network may have dropped it, and then a request would be lost without a word."""
    monkeypatch.setattr(transport_module, "PING_AFTER", 0.0)
    with Http2Peer(accept) as peer:
        transport = opened(peer.url)
        for _ in range(2):
            assert transport.post("/1", {}, {}, b"{}").status == 200
        assert peer.connections == 1


def test_a_server_that_answers_no_ping_is_left(
    opened: Open, monkeypatch: pytest.MonkeyPatch, hurry: Hurry
) -> None:
    """A new connection carries the request."""
    asked = threading.Event()

    def answer_and_sleep(exchange: Exchange) -> None:
        accept(exchange)
        asked.wait(PATIENCE)

    monkeypatch.setattr(transport_module, "PING_AFTER", 0.0)
    hurry(9.8)  # of the ten seconds for a connection
    with Http2Peer(answer_and_sleep, accept) as peer:
        transport = opened(peer.url, timeout=PATIENCE)
        for _ in range(2):
            assert transport.post("/1", {}, {}, b"{}").status == 200
        assert peer.connections == 2
        asked.set()


def test_a_network_that_dropped_all_connections_is_noticed_once(
    opened: Open, monkeypatch: pytest.MonkeyPatch, hurry: Hurry
) -> None:
    """A ping for each would take longer than the call may."""
    together = threading.Barrier(3)
    asked = threading.Event()

    def answer_and_sleep(exchange: Exchange) -> None:
        together.wait(PATIENCE)
        accept(exchange)
        asked.wait(PATIENCE)

    with Http2Peer(answer_and_sleep, answer_and_sleep, answer_and_sleep, accept) as peer:
        transport = opened(peer.url, timeout=PATIENCE)
        with ThreadPoolExecutor(3) as threads:
            list(threads.map(lambda _: transport.post("/1", {}, {}, b"{}"), range(3)))
        monkeypatch.setattr(transport_module, "PING_AFTER", 0.0)
        hurry(9.8)  # of the ten seconds for a connection
        assert transport.post("/1", {}, {}, b"{}").status == 200
        assert peer.connections == 4
        asked.set()
        peer.until_left(3)
        assert peer.pings == 1
