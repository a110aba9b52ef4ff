"""A message's body as people read it: JSON laid out, text as it is, else hexadecimal."""

from __future__ import annotations

import json
import re
from typing import Any

from notify.cli.record.view import mask
from notify.contract import parse
from notify.errors import DecodeError

LONGEST = 20_000
"""Characters of a body that are shown."""
_WIDTH = 16

# What looks like a telephone number, wherever it stands; and words, of which those around an @ look
# like addresses. UTF-16 has a NUL beside each letter and digit. One pattern for an address
# would take time that grows with the body's square.
_NUMBER = re.compile(rb"\+?\0?\d[\d\0 ()/-]{6,}\d")
_LETTER = rb"[^\s\"'<>(),;:\x00-\x1f]"
_WORD = re.compile(rb"(?:%b\0){2,}%b?|%b+" % (_LETTER, _LETTER, _LETTER))

_ATS = (b"@", "\uff20".encode(), "\ufe6b".encode())


def shown(body: bytes, *, whole: bool) -> str:
    """
    Write a body for a person.

    Args:
        whole: Show recipients; otherwise they are masked, and so is what looks like one.
    """
    try:
        document = parse(body)
    except DecodeError:
        return _cut(_unread(body if whole else _hidden(body)))
    if not whole:
        document = {**document, "to": _masked(document.get("to"))} if "to" in document else document
    return _cut(json.dumps(document, indent=2, ensure_ascii=False))


def _masked(to: Any) -> Any:
    """Mask recipients in whatever form they stand there."""
    if isinstance(to, str):
        return mask(to)
    if isinstance(to, list):
        return [_masked(each) for each in to]
    if isinstance(to, dict):
        return {name: _masked(each) if name == "to" else each for name, each in to.items()}
    return to


def _hidden(body: bytes) -> bytes:
    """Mask what looks like an address or a number, in a time that grows with the body."""
    return _NUMBER.sub(_dots, _WORD.sub(_dotted_address, body))


def _dotted_address(match: re.Match[bytes]) -> bytes:
    return _dots(match) if any(at in match[0][1:-1] for at in _ATS) else match[0]


def _dots(match: re.Match[bytes]) -> bytes:
    """Keep the length, so that the places of what is wrong stay true."""
    found = match[0]
    return found[:1] + b"*" * (len(found) - 1)


def _unread(body: bytes) -> str:
    try:
        text = body.decode()
    except UnicodeDecodeError:
        return _dump(body)
    return text if text.replace("\n", "").replace("\t", "").isprintable() else _dump(body)


def _dump(body: bytes) -> str:
    lines = []
    for start in range(0, min(len(body), LONGEST // 4), _WIDTH):
        row = body[start : start + _WIDTH]
        text = "".join(chr(each) if 32 <= each < 127 else "." for each in row)
        lines.append(f"{start:08x}  {row.hex(' '):<{3 * _WIDTH}} {text}")
    return "\n".join(lines)


def _cut(text: str) -> str:
    left = len(text) - LONGEST
    return text if left <= 0 else f"{text[:LONGEST]}\n({left:,} characters more: --raw)"
