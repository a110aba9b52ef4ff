"""Reading a request's body: bounded in size, time and decompression."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive

from notify.web.limits import WebLimits

_ENCODINGS = ("", "identity", "gzip")
_CLOSE = {"Connection": "close"}


async def read_body(request: Request, limits: WebLimits) -> bytes:
    """
    Return the body, decompressed.

    Raises:
        HTTPException: It is too large (413), too slow (408), compressed in another way (415), or
            damaged (400). The connection is closed, since the rest of the body is not read.
    """
    return await read_raw_body(request.headers, request.receive, limits)


async def read_raw_body(headers: Mapping[str, str], receive: Receive, limits: WebLimits) -> bytes:
    """Return the body as `read_body` does, from the headers by their names in lower case."""
    encoding = headers.get("content-encoding", "").strip().lower()
    if encoding not in _ENCODINGS:
        raise _refused(415)
    length = headers.get("content-length", "0")
    if not length.isdecimal() or len(length) > 12 or int(length) > limits.body:
        raise _refused(413)
    try:
        async with asyncio.timeout(limits.body_seconds):
            body = await _bounded(receive, limits.body)
    except TimeoutError:
        raise _refused(408) from None
    return _unzipped(body, limits.body) if encoding == "gzip" else body


async def _bounded(receive: Receive, most: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _refused(400)
        chunks.append(message.get("body", b""))
        size += len(chunks[-1])
        if size > most:
            raise _refused(413)
        if not message.get("more_body", False):
            return b"".join(chunks)


def _unzipped(body: bytes, most: int) -> bytes:
    """Decompress at most so many bytes, whatever a small body would expand to."""
    expand = zlib.decompressobj(16 + zlib.MAX_WBITS)
    try:
        plain = expand.decompress(body, most + 1)
    except zlib.error:
        raise _refused(400) from None
    if len(plain) > most:
        raise _refused(413)
    if not expand.eof or expand.unused_data:
        raise _refused(400)
    return plain


def _refused(status: int) -> HTTPException:
    return HTTPException(status, headers=_CLOSE)
