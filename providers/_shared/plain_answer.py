"""The head of a plain answer, as nearly all are; any other is not read here."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_START = "HTTP/1.1 "
_NAMES = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]*")
_MOST_HEADERS = 100
_WITHOUT_BODY = frozenset({204, 304})
_ENCODINGS = frozenset({"transfer-encoding", "content-encoding"})
_KEPT = "keep-alive"
_LONGEST_LENGTH = 8
"""Digits of a Content-Length."""


class Headers(Mapping[str, str]):
    """An answer's headers. Names match in any case."""

    __slots__ = ("_fields",)

    def __init__(self, fields: dict[str, str]) -> None:
        self._fields = fields
        """By their names in lower case."""

    def __getitem__(self, name: str) -> str:
        return self._fields[name.lower()]

    def __iter__(self) -> Iterator[str]:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)


class PlainHead(NamedTuple):
    """All before a body of a known length, on a connection that the vendor keeps."""

    status: int
    headers: Headers
    length: int
    """Bytes of the body."""


def plain_head(head: bytes) -> PlainHead | None:
    """
    Return the head of an answer, without the empty line at its end; None if it is not plain.

    A plain head is HTTP/1.1 with a final status that has a body, printable ASCII, each header on
    one line and unlike the others, and one Content-Length; the connection stays open and the body
    is not encoded. Two parsers cannot disagree on it.
    """
    if not head.isascii():
        return None
    status_line, *lines = head.decode("ascii").split("\r\n")
    status = _status(status_line)
    fields = _fields(lines)
    if status is None or fields is None:
        return None
    length = fields.get("content-length", "")
    if not length.isdecimal() or (length[0] == "0" and length != "0"):
        return None
    if len(length) > _LONGEST_LENGTH or not _ENCODINGS.isdisjoint(fields):
        return None
    if fields.get("connection", _KEPT).lower() != _KEPT:
        return None
    return PlainHead(status, Headers(fields), int(length))


def _status(line: str) -> int | None:
    digits, after = line[9:12], line[12:13]
    if not line.startswith(_START) or not line.isprintable() or not digits.isdecimal():
        return None
    status = int(digits)
    plain = 200 <= status < 600 and status not in _WITHOUT_BODY and after in ("", " ")
    return status if plain else None


def _fields(lines: list[str]) -> dict[str, str] | None:
    """Return the headers; None if one is malformed, folded, repeated or not printable."""
    if len(lines) > _MOST_HEADERS:
        return None
    fields = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon:
            return None
        fields[name.lower()] = value.lstrip(" ")
    if len(fields) != len(lines) or "" in fields or not _NAMES.fullmatch("".join(fields)):
        return None
    return fields if "".join(fields.values()).isprintable() else None
