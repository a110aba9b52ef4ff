"""A dead letter's body in readable form: JSON indented, text as it is, anything else as hex."""

from __future__ import annotations

import json
import re
from typing import Any

from notify.contract import parse
from notify.errors import DecodeError
from notify.status.notification import mask

LONGEST = 20_000
"""Characters of a body that are shown."""
_WIDTH = 16
"""Bytes on a line of a hex dump."""

# Anything like a telephone number, wherever it is; and words, of which those with an @ inside look
# like addresses. UTF-16 has a NUL beside each letter and digit. One pattern for an address
# would take time that grows with the square of the body's length.
_NUMBER = re.compile(rb"\+?\0?\d[\d\0 ()/-]{6,}\d")
_LETTER = rb"[^\s\"'<>(),;:\x00-\x1f]"
_WORD = re.compile(rb"(?:%b\0){2,}%b?|%b+" % (_LETTER, _LETTER, _LETTER))

_ATS = (b"@", "\uff20".encode(), "\ufe6b".encode())


def readable(body: bytes, *, show_recipients: bool) -> str:
    """
    Return a body as text for people.

    Args:
        show_recipients: Otherwise recipients are masked; in a body that the contract cannot read,
            anything that looks like an address or a number. Attachments are never shown.
    """
    try:
        document = parse(body)
    except DecodeError:
        return _cut(_unparsed(body if show_recipients else _hidden(body)))
    if not show_recipients and "to" in document:
        document = {**document, "to": _masked(document["to"])}
    if "attachments" in document:
        document = {**document, "attachments": _without_content(document["attachments"])}
    return _cut(json.dumps(document, indent=2, ensure_ascii=False))


def _masked(to: Any) -> Any:
    """Mask recipients in any form that `to` may have."""
    if isinstance(to, str):
        return mask(to)
    if isinstance(to, list):
        return [_masked(each) for each in to]
    if isinstance(to, dict):
        return {name: _masked(each) if name == "to" else each for name, each in to.items()}
    return to


def _without_content(files: Any) -> Any:
    """Replace the content of attachments by its length, in any form that they may have."""
    if isinstance(files, list):
        return [_without_content(each) for each in files]
    if isinstance(files, dict) and isinstance(files.get("content"), str):
        return {**files, "content": f"({len(files['content']):,} characters: --raw)"}
    return files


def _hidden(body: bytes) -> bytes:
    """Mask anything that looks like an address or a number, in time linear in the body's length."""
    return _NUMBER.sub(_dots, _WORD.sub(_dotted_address, body))


def _dotted_address(match: re.Match[bytes]) -> bytes:
    return _dots(match) if any(at in match[0][1:-1] for at in _ATS) else match[0]


def _dots(match: re.Match[bytes]) -> bytes:
    """Keep the length, so that positions in error texts stay right."""
    found = match[0]
    return found[:1] + b"*" * (len(found) - 1)


def _unparsed(body: bytes) -> str:
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
