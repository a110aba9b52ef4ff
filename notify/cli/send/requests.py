"""Requests in a file: JSON Lines, or one JSON object or array."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from notify.cli.options.given import refuse_foreign
from notify.contract import parse
from notify.errors import DecodeError
from notify.message import time_id

_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True)
class RequestText:
    """One request as it is written in its file."""

    text: bytes
    line: int
    """The line where it begins, from 1."""


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """One request as it is published."""

    body: bytes
    id: str
    """The request's own, or a new UUID that was inserted; empty if there is no place for one."""
    line: int
    """The line where it begins in its file, from 1."""


def read(stream: IO[bytes], *, name: str = "the file") -> Iterator[PreparedRequest]:
    """
    Yield the requests of a stream, each with an id.

    Raises:
        NotifyError: See `pieces`.
    """
    for piece in pieces(stream, name=name):
        yield identified(piece.text.strip(), line=piece.line)


def pieces(stream: IO[bytes], *, name: str) -> Iterator[RequestText]:
    """
    Yield the requests of a stream as they are written.

    JSON Lines are read one line at a time, so the stream may be long or slow. Text that is not JSON
    is yielded too, as one piece, so that the contract reports its faults.

    Args:
        name: The stream's name in error texts.

    Raises:
        NotifyError: Its first bytes are not UTF-8.
    """
    lines = enumerate(stream, 1)
    head: list[tuple[int, bytes]] = []
    written: list[bytes] = []
    by_line = None
    while by_line is None and (line := next(lines, None)):
        if not head:
            refuse_foreign(line[1], name=name)
        head.append(line)
        if line[1].strip():
            written.append(line[1])
            by_line = _is_by_line(written)
    if not by_line:
        yield from _whole(b"".join(text for _, text in itertools.chain(head, lines)))
        return
    for number, text in itertools.chain(head, lines):
        if text.strip():
            yield RequestText(text.rstrip(b"\r\n"), number)


def _is_by_line(lines: list[bytes]) -> bool | None:
    """Return whether each line is a request, by the first non-blank lines; None: read more."""
    if isinstance(_json(lines[0]), dict):
        return True
    if len(lines) == 1:
        return None if lines[0].lstrip().startswith(b"{") else False
    return lines[1].lstrip().startswith(b"{")


def identified(body: bytes, *, line: int) -> PreparedRequest:
    """Return the request with its id, or with a new one inserted if there is a place for it."""
    request = _json(body)
    if not isinstance(request, dict):
        return PreparedRequest(body, "", line)
    known = request.get("id")
    if known is not None:
        return PreparedRequest(body, known if isinstance(known, str) else "", line)
    new_id = str(time_id())
    if "id" in request:
        return _replaced(body, new_id, line=line)
    # Inserted into the text, which is not rewritten: it must keep what the contract refuses.
    rest = body.lstrip().removeprefix(b"{").lstrip()
    comma = b", " if request else b""
    return PreparedRequest(b'{"id": "' + new_id.encode() + b'"' + comma + rest, new_id, line)


def _replaced(body: bytes, new_id: str, *, line: int) -> PreparedRequest:
    """Replace a null id; a body that the contract cannot read is not changed."""
    try:
        request = {**parse(body), "id": new_id}
    except DecodeError:
        return PreparedRequest(body, "", line)
    return PreparedRequest(json.dumps(request, ensure_ascii=False).encode(), new_id, line)


def _whole(content: bytes) -> Iterator[RequestText]:
    """Yield an array's elements, each with its line; or the whole content as one request."""
    if not isinstance(_json(content), list):
        blank = content[: len(content) - len(content.lstrip())]
        if blank != content:
            # Blank lines are skipped, but indentation is kept, so that columns are right.
            skipped = blank.rfind(b"\n") + 1
            yield RequestText(content[skipped:], 1 + content.count(b"\n", 0, skipped))
        return
    text = content.decode()
    decoder = json.JSONDecoder()
    at = text.index("[") + 1
    line = 1 + text.count("\n", 0, at)
    while True:
        start = _BETWEEN.match(text, at).end()  # type: ignore[union-attr] # it matches nothing too
        line += text.count("\n", at, start)
        if text[start] == "]":
            return
        _, at = decoder.raw_decode(text, start)
        yield RequestText(text[start:at].encode(), line)
        line += text.count("\n", start, at)


def _json(content: bytes) -> object:
    """Return the parsed JSON; None if it is not JSON."""
    try:
        value: object = json.loads(content.decode())
    except (ValueError, RecursionError):
        return None
    return value
