"""Read one answer from a connection: complete, bounded, and nothing of the next one."""

from __future__ import annotations

import io
import json
import time
import zlib
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPMessage, HTTPResponse, IncompleteRead
from typing import Any

from providers._shared.plain_answer import Headers, plain_head

_WITHOUT_BODY = frozenset({204, 304})
_SWITCHING = 101
_GZIP_OR_ZLIB = 32 + zlib.MAX_WBITS
_RAW = -zlib.MAX_WBITS
_END_OF_HEAD = b"\r\n\r\n"
_READ = 16_384
"""Bytes to read at once: more than a usual answer."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One complete answer."""

    status: int
    headers: Headers
    """A header that came twice has its first value."""
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body's JSON object; empty if the body is anything else."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError):
            return {}
        return value if isinstance(value, dict) else {}


def receive(sock: Any, *, deadline: float, room: int) -> tuple[Answer, bool]:
    """
    Return the answer to the request that was just written.

    Interim answers (1xx, RFC 9110 section 15.2) are skipped. 101 is not one of them: the request
    did not ask to switch protocols, so no answer follows it.

    Args:
        sock: The connected socket.
        deadline: When reading ends, by the monotonic clock.
        room: The most bytes to read, including interim answers and headers.

    Returns:
        The answer, and whether the connection certainly has no unread bytes and can be kept.

    Raises:
        OSError: The connection broke, or the answer exceeded the deadline or the room.
        HTTPException: It is not an HTTP answer, or was cut off.
        ValueError: Its framing is invalid.
    """
    source = _Source(sock, deadline, room)
    answer = _plain(source)
    if answer is not None:
        return answer, not _pending(sock)
    return _by_http_client(source, sock, room)


def _plain(source: _Source) -> Answer | None:
    """Return a plain answer; else None, and the source starts again from its first byte."""
    came = [source.more()]
    end = came[0].find(_END_OF_HEAD)
    head = plain_head(came[0][:end]) if end > 0 else None
    if head is not None:
        begin = end + len(_END_OF_HEAD)
        missing = begin + head.length - len(came[0])
        while missing > 0 and (more := source.more()):
            came.append(more)
            missing -= len(more)
        if missing == 0:
            return Answer(head.status, head.headers, b"".join(came)[begin:])
    source.unread = b"".join(came)
    return None


def _by_http_client(source: _Source, sock: Any, room: int) -> tuple[Answer, bool]:
    reader = _Reader(source)
    response = HTTPResponse(reader, method="POST")  # type: ignore[arg-type]
    with closing(response):
        response.begin()
        while 100 <= response.status < 200 and response.status != _SWITCHING:
            # begin() returns at once for a response that has headers.
            response.headers = None  # type: ignore[assignment]
            response.begin()
        body = response.read(room)
        if response.length or (response.chunked and not response.isclosed()):
            raise IncompleteRead(b"")
    keep = _framed(response, body) and not reader.surplus and not _pending(sock)
    headers = _first_of_each(response.headers)
    return Answer(response.status, headers, _decoded(response, body, room)), keep


def _first_of_each(headers: HTTPMessage) -> Headers:
    fields: dict[str, str] = {}
    for name, value in headers.items():
        fields.setdefault(name.lower(), value)
    return Headers(fields)


def _framed(response: HTTPResponse, body: bytes) -> bool:
    """Whether the answer's end is certain, and the vendor keeps the connection."""
    headers = response.headers
    options = ",".join(headers.get_all("Connection", [])).lower()
    if response.version < 11 or response.will_close or "close" in options:
        return False
    if response.status < 200 or response.status in _WITHOUT_BODY:
        return False
    lengths = headers.get_all("Content-Length", [])
    # Exactly one framing: RFC 9112 section 6.3.
    if response.chunked:
        return not lengths and len(headers.get_all("Transfer-Encoding", [])) == 1
    return lengths == [str(len(body))] and "Transfer-Encoding" not in headers


def _pending(sock: Any) -> bool:
    """Whether TLS has decrypted more than was read; a poll of the socket does not show it."""
    pending = getattr(sock, "pending", None)
    return pending is not None and pending() > 0


def _decoded(response: HTTPResponse, body: bytes, room: int) -> bytes:
    """
    Return the body decompressed: a proxy may compress it although the request does not allow it.

    A body that is compressed in another way, is broken or exceeds the room is returned as it came;
    it is then not an answer in the vendor's form.
    """
    named = ",".join(response.headers.get_all("Content-Encoding", [])).lower().split(",")
    codings = [each for name in named if (each := name.strip()) not in ("", "identity")]
    if codings not in (["gzip"], ["x-gzip"], ["deflate"]):
        return body
    # Some servers send `deflate` without zlib's header: RFC 9110 section 8.4.1.2.
    for form in (_GZIP_OR_ZLIB, _RAW) if codings == ["deflate"] else (_GZIP_OR_ZLIB,):
        inflate = zlib.decompressobj(form)
        try:
            plain = inflate.decompress(body, room)
        except zlib.error:
            continue
        return plain if inflate.eof else body
    return body


class _Source(io.RawIOBase):
    """
    The bytes of one answer, at most the room and none after the deadline.

    A socket's timeout restarts with every byte: a vendor that sends one a second would otherwise
    block a thread without limit.
    """

    def __init__(self, sock: Any, deadline: float, room: int) -> None:
        self._sock = sock
        self._deadline = deadline
        self._room = room
        self.unread = b""
        """Bytes to read again, before others."""
        self.ended = False

    def more(self) -> bytes:
        """Return the next bytes; none at the end."""
        came: bytes = self._sock.recv(min(self._wait(), _READ))
        self._room -= len(came)
        return came

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if self.ended:
            return 0
        if self.unread:
            again = min(len(buffer), len(self.unread))
            buffer[:again], self.unread = self.unread[:again], self.unread[again:]
            return again
        self._wait()
        count: int = self._sock.recv_into(buffer)
        self._room -= count
        return count

    def _wait(self) -> int:
        """Set the socket's timeout and return the room."""
        remaining = self._deadline - time.monotonic()
        if remaining <= 0:
            raise TimeoutError
        if self._room <= 0:
            raise _TooLarge
        self._sock.settimeout(remaining)
        return self._room


class _Reader(io.BufferedReader):
    """Buffers a source; once closed, `surplus` says whether unexpected bytes were left."""

    def __init__(self, source: _Source) -> None:
        super().__init__(source)
        self.surplus = False

    def makefile(self, _mode: str) -> _Reader:
        # The only method that HTTPResponse calls on a socket.
        return self

    def close(self) -> None:
        if not self.closed:
            source = self.raw
            assert isinstance(source, _Source)  # noqa: S101 - it was made of one
            source.ended = True
            self.surplus = bool(source.unread or self.peek())
        super().close()


class _TooLarge(OSError):
    """The answer does not end within its room."""
