"""Plain answers are read as `http.client` reads them; any other is left to it."""

from __future__ import annotations

import time
from http.client import HTTPException
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from providers._shared import answer
from providers._shared.answer import receive
from providers._shared.plain_answer import plain_head
from tests.support.examples import examples
from tests.support.tables import each_of
from tests.support.vendor import Vendor, raw, say
from tests.unit.providers.calling import Open, call

ROOM = 65_536
SENDGRID = b"""HTTP/1.1 202 Accepted\r
Server: nginx\r
Date: Mon, 30 Nov 2026 00:00:00 GMT\r
Content-Length: 0\r
Connection: keep-alive\r
X-Message-Id: hKW2uB7bTwSr9eJQmXc3Ww\r
Access-Control-Allow-Origin: https://sendgrid.api-docs.io\r
X-No-CORS-Reason: https://sendgrid.com/docs/cors.html\r
Strict-Transport-Security: max-age=31536000; includeSubDomains"""


def test_a_vendors_usual_head_is_plain() -> None:
    """Its status, its headers in any case, and its body's length."""
    head = plain_head(SENDGRID)
    assert head is not None
    assert (head.status, head.length, len(head.headers)) == (202, 0, 8)
    assert head.headers["x-MESSAGE-id"] == "hKW2uB7bTwSr9eJQmXc3Ww"
    assert head.headers.get("Retry-After") is None
    assert "Date" in [name.title() for name in head.headers]


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200\r\nContent-Length: 1",
        b"HTTP/1.1 200 \r\nContent-Length: 1",
        b"HTTP/1.1 599 No such reason\r\nContent-length:1",
        b"HTTP/1.1 404 Not Found\r\nCONTENT-LENGTH:   1\r\nX-Empty:\r\nconnection: Keep-Alive",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nX: a:b: c",
    ],
)
def test_a_plain_head_may_be_written_in_several_ways(head: bytes) -> None:
    """None of them has two meanings."""
    read = plain_head(head)
    assert read is not None
    assert read.length == 1


@each_of(
    "head",
    [
        b"",
        b"HTTP/1.1",
        b"HTTP/1.1 20\r\nContent-Length: 1",
        b"HTTP/1.1 2000 OK\r\nContent-Length: 1",
        b"HTTP/1.1 200OK\r\nContent-Length: 1",
        b"HTTP/1.1  200 OK\r\nContent-Length: 1",
        b"HTTP/1.1 +20 OK\r\nContent-Length: 1",
        b"http/1.1 200 OK\r\nContent-Length: 1",
        b" HTTP/1.1 200 OK\r\nContent-Length: 1",
        b"HTTP/1.0 200 OK\r\nContent-Length: 1",
        b"HTTP/2 200 OK\r\nContent-Length: 1",
        b"ICY 200 OK\r\nContent-Length: 1",
        b"HTTP/1.1 100 Continue\r\nContent-Length: 1",
        b"HTTP/1.1 101 Switching Protocols\r\nContent-Length: 1",
        b"HTTP/1.1 204 No Content\r\nContent-Length: 0",
        b"HTTP/1.1 304 Not Modified\r\nContent-Length: 1",
        b"HTTP/1.1 600 Beyond\r\nContent-Length: 1",
        b"HTTP/1.1 200 O\nK\r\nContent-Length: 1",
        b"HTTP/1.1 200 O\x00K\r\nContent-Length: 1",
        b"HTTP/1.1 200 \xc3\xa9\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK",
        b"HTTP/1.1 200 OK\r\nX: y",
        b"HTTP/1.1 200 OK\r\nContent-Length:",
        b"HTTP/1.1 200 OK\r\nContent-Length: ",
        b"HTTP/1.1 200 OK\r\nContent-Length: 01",
        b"HTTP/1.1 200 OK\r\nContent-Length: 00",
        b"HTTP/1.1 200 OK\r\nContent-Length: +1",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0x1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1_0",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1, 1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1.0",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1 ",
        b"HTTP/1.1 200 OK\r\nContent-Length: \t1",
        b"HTTP/1.1 200 OK\r\nContent-Length: \xb2",
        b"HTTP/1.1 200 OK\r\nContent-Length: 999999999",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\ncontent-length: 2",
        b"HTTP/1.1 200 OK\r\nX: 1\r\nContent-Length: 1\r\nx: 2",
        b"HTTP/1.1 200 OK\r\nContent-Length : 1",
        b"HTTP/1.1 200 OK\r\n Content-Length: 1",
        b"HTTP/1.1 200 OK\r\nX: y\r\n folded\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nX: y\r\n\tfolded\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nX: y\nContent-Length: 9\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nX: y\rContent-Length: 9\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nX\n: y\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nX: \x00\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nX: \x7f\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nX: \x85\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nX: a\tb\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nno colon\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\n: no name\r\nContent-Length: 1",
        b'HTTP/1.1 200 OK\r\n"X": y\r\nContent-Length: 1',
        b"HTTP/1.1 200 OK\r\nFrom X: y\r\nContent-Length: 1",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding:",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Encoding: gzip",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Encoding: identity",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: close",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: Upgrade",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive, close",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nConnection:",
        b"HTTP/1.1 200 OK\r\nContent-Length: 1" + b"".join(b"\r\nX%d: y" % n for n in range(100)),
    ],
)
def test_any_other_head_is_not_read_here(head: bytes) -> None:
    """Two parsers could disagree on it, or its body is not the plain bytes that follow."""
    assert plain_head(head) is None


class Scripted:
    """A socket that returns these pieces, one a call, and then the end."""

    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = [piece for piece in pieces if piece]

    def settimeout(self, _seconds: float) -> None:
        """It never blocks."""

    def recv(self, most: int) -> bytes:
        """Return at most this much of the next piece."""
        if not self.pieces:
            return b""
        piece, self.pieces[0] = self.pieces[0][:most], self.pieces[0][most:]
        self.pieces = [each for each in self.pieces if each]
        return piece

    def recv_into(self, buffer: Any) -> int:
        """Write into a buffer."""
        piece = self.recv(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)


def read(pieces: list[bytes]) -> tuple[Any, ...] | None:
    """The answer, and whether the connection is used again; None if it is not an answer."""
    sock = Scripted(pieces)
    try:
        got, keep = receive(sock, deadline=time.monotonic() + 60, room=ROOM)
    except (OSError, HTTPException, ValueError):
        return None
    # The next call finds what is unread in the socket, and does not use the connection.
    return got.status, dict(got.headers), got.body, keep and not sock.pieces


FRAGMENTS = [
    *(b"HTTP/1.1 ", b"HTTP/1.0 ", b"200 OK", b"202", b"204 X", b"304 X", b"103 Hint", b"500 \xe9"),
    *(b"\r\n", b"\r\n", b"\r\n", b"\r\n\r\n", b"\n", b"\r", b" ", b"\t", b":", b"\x00", b"0"),
    *(b"Content-Length: 4", b"Content-Length: 0", b"Content-Length: 5", b"content-length:4"),
    *(b"Connection: keep-alive", b"Connection: close", b"Transfer-Encoding: chunked"),
    *(b"X-Message-Id: a b", b"X:", b"X: 1", b"x: 2", b"X : 3", b"No colon", b"fine", b"4\r\nfine"),
    *(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfine", b"HTTP/1.1 200 OK\r\n"),
]
ANSWERS = st.builds(
    lambda start, rest: start + b"".join(rest),
    st.sampled_from(
        [b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 202 Accepted\r\nContent-Length: 4\r\n"]
    ),
    st.lists(st.sampled_from(FRAGMENTS) | st.binary(max_size=3), max_size=9),
)
PLAIN = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"


@settings(max_examples=examples(400))
@given(ANSWERS, st.lists(st.integers(0, 200), max_size=3))
@example(PLAIN + b"fine", [])
@example(PLAIN + b"fine", [10, 39, 41])
@example(PLAIN + b"fin", [39])
@example(PLAIN + b"fineHTTP/1.1 200 OK\r\n", [])
@example(PLAIN + b"fine", [42])
@example(PLAIN.replace(b"4", b"70000") + b"x" * 70_000, [])
def test_every_answer_means_what_http_client_reads(whole: bytes, cuts: list[int]) -> None:
    """Whatever its bytes and its packets: the same answer or error, and the same connection."""
    edges = [0, *sorted(cuts), len(whole)]
    pieces = [whole[begin:end] for begin, end in pairwise(edges)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answer, "plain_head", lambda _head: None)
        expected = read(pieces)
    assert read(pieces) == expected


@pytest.mark.parametrize("size", [8_192, 16_384])
def test_bytes_behind_a_full_buffer_are_not_lost(
    vendor: Vendor, transport: Open, size: int
) -> None:
    """They arrived with the answer, so the socket itself does not show them any more."""
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n"
    body = b"x" * (size - len(head % size))
    vendor.default = say(200, b"fine")
    vendor.then(raw(head % len(body) + body + b"HTTP/1.1 200 OK\r\n", keep=True))
    sender = transport(vendor.url)
    assert call(sender).body == body
    assert call(sender).body == b"fine"
    assert vendor.connections == 2
