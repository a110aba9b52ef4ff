"""Requests in a file: JSON Lines as they come, or one JSON object or array."""

from __future__ import annotations

import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO
from uuid import uuid4

_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True)
class Entry:
    """One request, as it will travel."""

    body: bytes
    id: str
    """What the request says, or a fresh UUID put into it; empty where it can hold none."""
    line: int
    """Where it begins in its file, from 1."""


def read(stream: IO[bytes]) -> Iterator[Entry]:
    """
    Yield the requests of a stream.

    JSON Lines are read one line at a time, so the stream may be long or slow. What is no JSON is
    yielded too, as one entry, for the contract to say what is wrong.
    """
    lines = enumerate(stream, 1)
    head: list[tuple[int, bytes]] = []
    by_line = None
    while by_line is None and (line := next(lines, None)):
        head.append(line)
        by_line = _is_by_line([text for _, text in head if text.strip()])
    if not by_line:
        yield from _whole(b"".join(text for _, text in itertools.chain(head, lines)))
        return
    for number, text in itertools.chain(head, lines):
        if text.strip():
            yield identified(text.strip(), line=number)


def _is_by_line(lines: list[bytes]) -> bool | None:
    """Judge by the first lines that are not blank whether each holds a request; None: read on."""
    if not lines:
        return None
    if isinstance(_json(lines[0]), dict):
        return True
    if len(lines) == 1:
        return None if lines[0].lstrip().startswith(b"{") else False
    return lines[1].lstrip().startswith(b"{")


def identified(body: bytes, *, line: int) -> Entry:
    """Return the request with its id, or with a fresh one put into it."""
    request = _json(body)
    if not isinstance(request, dict):
        return Entry(body, "", line)
    if request.get("id") is not None:
        return Entry(body, str(request["id"]), line)
    request = {"id": str(uuid4()), **{key: value for key, value in request.items() if key != "id"}}
    return Entry(json.dumps(request, ensure_ascii=False).encode(), request["id"], line)


def _whole(content: bytes) -> Iterator[Entry]:
    """Yield an array's elements, each with its line; or all as one request."""
    if not isinstance(_json(content), list):
        if request := content.lstrip():
            before = content[: len(content) - len(request)]
            yield identified(request.rstrip(), line=1 + before.count(b"\n"))
        return
    text = content.decode()
    decoder = json.JSONDecoder()
    at = text.index("[") + 1
    while True:
        at = _BETWEEN.match(text, at).end()  # type: ignore[union-attr] # it matches nothing too
        if text[at] == "]":
            return
        _, end = decoder.raw_decode(text, at)
        yield identified(text[at:end].encode(), line=1 + text.count("\n", 0, at))
        at = end


def _json(content: bytes) -> object:
    """Return what the text says; None where it says nothing."""
    try:
        value: object = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return value
