"""Requests in a file: JSON Lines as they come, or one JSON object or array."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from uuid import uuid4

from notify.cli.options.given import refuse_foreign
from notify.contract import parse
from notify.errors import DecodeError

_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True)
class RequestText:
    """One request as it stands in its file."""

    text: bytes
    line: int
    """Where it begins, from 1."""


@dataclass(frozen=True, slots=True)
class PreparedRequest:
    """One request, as it will travel."""

    body: bytes
    id: str
    """What the request says, or a fresh UUID put into it; empty where it can hold none."""
    line: int
    """Where it begins in its file, from 1."""


def read(stream: IO[bytes], *, name: str = "the file") -> Iterator[PreparedRequest]:
    """
    Yield the requests of a stream, each with an id.

    Raises:
        NotifyError: As `pieces`.
    """
    for piece in pieces(stream, name=name):
        yield identified(piece.text.strip(), line=piece.line)


def pieces(stream: IO[bytes], *, name: str) -> Iterator[RequestText]:
    """
    Yield the requests of a stream as they are written.

    JSON Lines are read one line at a time, so the stream may be long or slow. What is no JSON is
    yielded too, as one piece, for the contract to say what is wrong.

    Args:
        name: What to call the stream in an error.

    Raises:
        NotifyError: It is not in UTF-8, by its first bytes.
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
    """Judge by the first lines that are not blank whether each holds a request; None: read on."""
    if isinstance(_json(lines[0]), dict):
        return True
    if len(lines) == 1:
        return None if lines[0].lstrip().startswith(b"{") else False
    return lines[1].lstrip().startswith(b"{")


def identified(body: bytes, *, line: int) -> PreparedRequest:
    """Return the request with its id, or with a fresh one put into it; else it stays as it is."""
    request = _json(body)
    if not isinstance(request, dict):
        return PreparedRequest(body, "", line)
    known = request.get("id")
    if known is not None:
        return PreparedRequest(body, known if isinstance(known, str) else "", line)
    fresh = str(uuid4())
    if "id" in request:
        return _replaced(body, fresh, line=line)
    # Inserted into the text, which is not rewritten: what the contract refuses must stay in it.
    rest = body.lstrip().removeprefix(b"{").lstrip()
    comma = b", " if request else b""
    return PreparedRequest(b'{"id": "' + fresh.encode() + b'"' + comma + rest, fresh, line)


def _replaced(body: bytes, fresh: str, *, line: int) -> PreparedRequest:
    """Put an id in the place of null; what the contract cannot read stays as it is."""
    try:
        request = {**parse(body), "id": fresh}
    except DecodeError:
        return PreparedRequest(body, "", line)
    return PreparedRequest(json.dumps(request, ensure_ascii=False).encode(), fresh, line)


def _whole(content: bytes) -> Iterator[RequestText]:
    """Yield an array's elements, each with its line; or all as one request."""
    if not isinstance(_json(content), list):
        blank = content[: len(content) - len(content.lstrip())]
        if blank != content:
            # Blank lines are left out, indentation stays: columns are counted right.
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
    """Return what the text says; None where it says nothing."""
    try:
        value: object = json.loads(content.decode())
    except (ValueError, RecursionError):
        return None
    return value
