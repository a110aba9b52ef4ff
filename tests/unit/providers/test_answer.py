"""Reading answers: none is taken for another's, whatever a vendor or a proxy writes."""

from __future__ import annotations

import gc
import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from http.client import HTTPResponse

import pytest

from notify.errors import InvalidRecipient, OutcomeUnknown
from tests.support.vendor import Reply, Vendor, raw, reset, say, then_close
from tests.unit.providers.calling import Open, call
from tests.unit.providers.dialects import MESSAGE, OVER_HTTP, SENDGRID, Dialect

FINE = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine"
CHUNKED = b"Transfer-Encoding: chunked\r\n"
OTHER = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nother"


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A server that does what the test says."""
    with Vendor(say(200, b"fine")) as vendor:
        yield vendor


@pytest.mark.parametrize(
    "interim",
    [
        b"HTTP/1.1 100 Continue\r\n\r\n",
        b"HTTP/1.1 102 Processing\r\n\r\n" * 3,
        b"HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\nContent-Length: 9\r\nConnection: close\r\n\r\n",
        b"HTTP/1.1 103 Early Hints\r\n" + CHUNKED + b"\r\n",
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 199 X\r\n\r\n",
    ],
    ids=["100", "102-thrice", "103", "103-with-framing", "103-chunked", "mixed"],
)
def test_interim_answers_are_read_past(vendor: Vendor, transport: Open, interim: bytes) -> None:
    """Each message gets its own answer, and the connection serves on."""
    vendor.default = raw(interim + FINE, keep=True)
    sender = transport(vendor.url)
    assert [call(sender).body for _ in range(3)] == [b"fine"] * 3
    assert vendor.connections == 1


def in_turn(*replies: Reply) -> Reply:
    """Say one after the other to one request."""
    return lambda *given: [reply(*given) for reply in replies][-1]


@pytest.mark.parametrize("dialect", OVER_HTTP, ids=lambda dialect: dialect.name)
def test_a_hint_before_the_answer_is_no_answer(dialect: Dialect, vendor: Vendor) -> None:
    """The message after it was once recorded as sent by the answer of the one before."""
    provider = dialect.build(vendor, "accepted")
    hint = raw(b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", keep=True)
    vendor.on(dialect.path, in_turn(hint, dialect.words["accepted"]({})))
    assert provider.send(MESSAGE).provider_id == "id-1"
    vendor.on(dialect.path, dialect.words["invalid"]({}))
    with pytest.raises(InvalidRecipient):
        provider.send(MESSAGE)
    provider.close()


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(FINE + OTHER, id="another-answer-behind"),
        pytest.param(FINE + b"\r\n", id="a-line-behind"),
        pytest.param(FINE + b"x" * 40_000, id="much-behind"),
        pytest.param(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\nfine", id="unread-body"),
        pytest.param(b"HTTP/1.1 204 X\r\nContent-Length: 4\r\n\r\nfine", id="204-with-a-body"),
        pytest.param(b"HTTP/1.1 204 X\r\nContent-Length: 60\r\n\r\n", id="204-that-owes-a-body"),
        pytest.param(b"HTTP/1.1 304 X\r\nContent-Length: 60\r\n\r\n", id="304-with-a-length"),
        pytest.param(b"HTTP/1.1 204 X\r\n" + CHUNKED + b"\r\n0\r\n\r\n", id="204-in-chunks"),
        pytest.param(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\n\r\n", id="101"),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n" + CHUNKED + b"\r\n4\r\nfine\r\n0\r\n\r\n",
            id="two-framings",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 60\r\n\r\nfine",
            id="two-lengths",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\nContent-Length: 4\r\n\r\nfine",
            id="an-encoding-beside-a-length",
        ),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n0\r\n\r\n0\r\n\r\n", id="two-ends"),
        pytest.param(
            b"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nfine",
            id="http/1.0",
        ),
        pytest.param(
            b"HTTP/1.1 200 OK\r\nConnection: keep-alive\r\nConnection: Close\r\n"
            b"Content-Length: 4\r\n\r\nfine",
            id="close-in-a-second-header",
        ),
    ],
)
def test_a_connection_on_which_something_may_be_owed_is_not_kept(
    vendor: Vendor, transport: Open, answer: bytes
) -> None:
    """Whatever comes late on it, the next message would take it for its own answer."""
    vendor.then(raw(answer, keep=True))
    sender = transport(vendor.url)
    call(sender)
    assert call(sender).body == b"fine"
    assert vendor.connections == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n" * 9_999, id="endless-hints"),
        pytest.param(b"HTTP/1.1 103 Early Hints\r\n\r\n", id="a-hint-alone"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n-5\r\nfine\r\n", id="negative-chunk"),
        pytest.param(b"HTTP/1.1 200 OK\r\n" + CHUNKED + b"\r\n-1\r\nfine\r\n", id="chunk-of-all"),
    ],
)
def test_an_answer_that_never_comes_leaves_the_outcome_unknown(
    vendor: Vendor, transport: Open, answer: bytes
) -> None:
    """An interim answer says nothing of the message, and no framing may end in another error."""
    vendor.then(then_close(raw(answer)))
    sender = transport(vendor.url)
    with pytest.raises(OutcomeUnknown):
        call(sender)
    assert call(sender).body == b"fine"


def _responses() -> list[HTTPResponse]:
    # By the type itself: another test's lazy object (Django's settings) fails in `isinstance`.
    return [each for each in gc.get_objects() if issubclass(type(each), HTTPResponse)]


def test_every_response_is_closed(vendor: Vendor, transport: Open) -> None:
    """From Python 3.13 on, one that is left to the collector prints an error between the logs."""
    earlier = _responses()
    vendor.then(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\ncut"), reset)
    sender = transport(vendor.url)
    errors = []
    for _ in range(2):
        with pytest.raises(OutcomeUnknown) as caught:
            call(sender)
        errors.append(caught.value)
    call(sender)
    # Other tests of this process may have left some.
    assert [each for each in _responses() if not each.closed and each not in earlier] == []


@pytest.mark.parametrize(
    ("coding", "compress"),
    [("gzip", gzip.compress), ("GZIP", gzip.compress), ("x-gzip", gzip.compress),
     ("gzip, identity", gzip.compress), ("Identity,gzip", gzip.compress), ("gzip,", gzip.compress),
     ("deflate", zlib.compress), ("deflate", lambda body: zlib.compress(body, wbits=-15)),
     ("identity", bytes)],
)  # fmt: skip
def test_a_refusal_that_a_proxy_compressed_is_read(
    vendor: Vendor, coding: str, compress: Callable[[bytes], bytes]
) -> None:
    """We ask for plain answers; some proxies compress all the same, and hide the vendor's code."""
    errors = {"errors": [{"message": "x", "field": "personalizations.0.to.0.email"}]}
    body = compress(json.dumps(errors).encode())
    provider = SENDGRID.build(vendor, "accepted")
    vendor.on(SENDGRID.path, say(400, body, {"Content-Encoding": coding}))
    with pytest.raises(InvalidRecipient):
        provider.send(MESSAGE)
    provider.close()


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", b"no gzip"),
        ("gzip", gzip.compress(b"cut off")[:-4]),
        ("gzip", gzip.compress(b"0" * 10_000_000)),
        ("gzip, gzip", gzip.compress(b"twice")),
        ("deflate", zlib.compress(b"0" * 10_000_000, wbits=-15)),
        ("deflate", zlib.compress(b"cut off", wbits=-15)[:-4]),
        ("br", b"\x0b\x02\x80fine\x03"),
    ],
    ids=["broken", "cut", "bomb", "twice", "bare-bomb", "bare-cut", "another"],
)
def test_what_cannot_be_unpacked_stays_as_it_came(
    vendor: Vendor, transport: Open, coding: str, body: bytes
) -> None:
    """It is then an answer that is not the vendor's; nothing unpacks beyond the bound."""
    vendor.then(say(200, body, {"Content-Encoding": coding}))
    assert call(transport(vendor.url)).body == body
