"""The transport: what is certain, what is not, and that every call ends."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from notify.errors import ConfigError, OutcomeUnknown, TransientError
from tests.support.vendor import Reply, Vendor, drip, hang, raw, say, then_close
from tests.unit.providers.calling import Hurry, Open, call

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A server that does what the test says."""
    with Vendor(say(200, b"fine")) as vendor:
        yield vendor


def test_a_request_arrives_as_written(vendor: Vendor, transport: Open) -> None:
    """The path follows the base address; the length is right; no compression is asked for."""
    answer = call(transport(f"{vendor.url}/base/"), b'{"a":1}')
    assert (answer.status, answer.body, answer.headers.get("content-LENGTH")) == (200, b"fine", "4")
    seen = vendor.seen[0]
    assert (seen.method, seen.path, seen.body) == ("POST", "/base/send", b'{"a":1}')
    assert seen.headers["host"] == vendor.url.removeprefix("http://")
    assert seen.headers["accept-encoding"] == "identity"
    assert seen.headers["authorization"] == "Bearer canary"


@pytest.mark.parametrize(
    ("reply", "body"),
    [
        (raw(CHUNKED + b"2\r\nfi\r\n2\r\nne\r\n0\r\n\r\n", keep=True), b"fine"),
        (raw(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 204 None\r\n\r\n", keep=True), b""),
        (raw(b"HTTP/1.0 200 OK\r\n\r\nfine"), b"fine"),
        (raw(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nfine"), b"fine"),
    ],
    ids=["chunked", "continue-and-empty", "http/1.0", "close"],
)
def test_every_framing_of_an_answer_is_read(
    vendor: Vendor, reply: Reply, body: bytes, transport: Open
) -> None:
    """Vendors' front ends frame their answers each in its own way."""
    vendor.then(reply)
    sender = transport(vendor.url)
    assert call(sender).body == body
    assert call(sender).body == b"fine"


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(raw(b"canary, not HTTP\r\n\r\n"), id="not-http"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut"), id="cut"),
        pytest.param(raw(CHUNKED + b"3\r\ncut\r\n"), id="cut-chunk"),
        pytest.param(raw(CHUNKED + b"canary\r\n"), id="bad-chunk"),
        pytest.param(raw(CHUNKED + b"fffffffffff\r\nx"), id="boasting-chunk"),
        pytest.param(
            raw(b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999\r\n\r\nx"), id="boasting-length"
        ),
        pytest.param(say(200, b"x" * 1_000_000), id="huge"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1_000_000), id="huge-unframed"),
        pytest.param(raw(b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 99_999), id="huge-header"),
        pytest.param(raw(b"HTTP/1.1 100 Continue\r\n\r\n" * 9_999), id="endless-continue"),
    ],
)
def test_an_answer_that_cannot_be_read_leaves_the_outcome_unknown(
    vendor: Vendor, reply: Reply, transport: Open
) -> None:
    """It is read no further than its bound, and its connection is not used again."""
    vendor.then(reply)
    sender = transport(vendor.url)
    with pytest.raises(OutcomeUnknown, match="acme: the request was sent") as caught:
        call(sender)
    assert "canary" not in str(caught.value)
    assert call(sender).body == b"fine"
    assert vendor.connections == 2


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(hang, id="silence"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\nX: y", every=0.02), id="header"),
        pytest.param(
            drip(b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\nx", every=0.005), id="body"
        ),
    ],
)
def test_a_slow_answer_is_given_up(
    vendor: Vendor, reply: Reply, transport: Open, hurry: Hurry
) -> None:
    """A byte now and then does not keep a thread: the vendor sends them until the test ends."""
    vendor.then(reply)
    hurry(9.8)
    started = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        call(transport(vendor.url, timeout=10.0))
    assert time.monotonic() - started >= 0.2


def test_a_vendor_that_does_not_read_is_given_up_in_time(transport: Open) -> None:
    """Writing is bounded as reading is; what could not be written was not sent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        sender = transport(f"http://127.0.0.1:{listener.getsockname()[1]}", timeout=0.2)
        with pytest.raises(TransientError, match="TimeoutError"):
            call(sender, b"x" * 50_000_000)


def test_a_request_that_was_not_written_was_not_sent(transport: Open) -> None:
    """A vendor that has only a part of a request cannot act on it."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def refuse() -> None:
            connection, _ = listener.accept()
            connection.recv(10)
            connection.close()  # with unread data: a reset

        thread = threading.Thread(target=refuse)
        thread.start()
        sender = transport(f"http://127.0.0.1:{listener.getsockname()[1]}")
        with pytest.raises(TransientError, match="nothing was sent") as caught:
            call(sender, b"x" * 50_000_000)
        assert type(caught.value) is TransientError
        thread.join()


def test_a_name_that_does_not_resolve_was_not_reached(transport: Open) -> None:
    """Name resolution comes before everything; the reason is told."""
    with pytest.raises(TransientError, match="NameResolutionError"):
        call(transport("http://name.invalid"))


def test_a_connection_closed_meanwhile_is_replaced(vendor: Vendor, transport: Open) -> None:
    """The vendor's close is seen before the next request is written."""
    vendor.default = then_close(say(200, b"fine"))
    sender = transport(vendor.url)
    for _ in range(3):
        assert call(sender).body == b"fine"
        assert vendor.wait_for_no_connection()
    assert vendor.connections == 3


def test_a_connection_idle_for_long_is_replaced(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch, transport: Open
) -> None:
    """A connection that may be closing at the other end is not trusted with a message."""
    sender = transport(vendor.url)
    call(sender)
    monkeypatch.setattr("providers._shared.transport.MAX_IDLE", 0.0)
    call(sender)
    assert vendor.connections == 2


def test_no_more_connections_are_kept_than_asked(vendor: Vendor, transport: Open) -> None:
    """A connection beyond the pool, or one that is returned after the end, is closed."""
    sender = transport(vendor.url, pool=0)
    call(sender)
    assert vendor.wait_for_no_connection()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "acme.example.com",
        "ftp://acme.example.com",
        "http://",
        "https:///path",
        "https://a.b/?q=1",
        "https://a.b/#part",
        "https://user@a.b",
        "https://user:canary@a.b",
        "https://acme.example.com@evil.example.com",
        "https://acme.example.com\\@evil.example.com",
        "https://acme.example.com%40evil.example.com",
        "https://acme.example.com/@evil.example.com",
        "https://acme example.com",
        "https://acme.example.com\n.evil.example.com",
        " https://acme.example.com",
        "https://acme.example.com:port",
        "https://acme.example.com:99999",
        "https://[:::1]",
        "https://b\u00fccher.example",
    ],
)
def test_an_address_that_is_none_is_refused_at_once(url: str, transport: Open) -> None:
    """A typing error in the configuration is found at the start, and no key goes elsewhere."""
    with pytest.raises(ConfigError, match="acme: base_url must read like https://host") as caught:
        transport(url)
    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "https://a",
        "HTTPS://A.b:1/",
        "http://10.0.0.1:80/x/y",
        "https://[::1]:8/v1.0/~x%20",
        "http://a_b",
    ],
)
def test_an_address_may_have_a_port_and_a_path(url: str, transport: Open) -> None:
    """Gateways live below paths, and sandboxes on ports."""
    transport(url)


def test_a_key_that_no_header_carries_is_refused_without_being_told(
    vendor: Vendor, transport: Open
) -> None:
    """A newline at the end of a secret's file is the usual case."""
    with pytest.raises(ConfigError, match="Authorization") as caught:
        transport(vendor.url).head("/send", {"Authorization": "Bearer canary\n"})
    assert "canary" not in str(caught.value)


def test_no_proxy_is_used(vendor: Vendor, monkeypatch: pytest.MonkeyPatch, transport: Open) -> None:
    """A variable that was set for another program decides over no message."""
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert call(transport(vendor.url)).body == b"fine"
