"""The pieces of HTML: tags and text, in time linear in its length."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

# A quote begins a quoted value only after an equals sign; elsewhere it is a letter as any other.
_TAG = re.compile(
    r"<(/?)([A-Za-z][^\s/>]*+)((?:[^>\"'=]++|=\s*+\"[^\"]*+\"|=\s*+'[^']*+'|[\"'=])*+)>"
)
_ATTRIBUTE = re.compile(r"([^\s/>=]++)(?:\s*+=\s*+(?:\"([^\"]*+)\"|'([^']*+)'|([^\s>\"']++)))?")
# Their content is text of another kind, up to their end tag.
_RAW = frozenset({"script", "style", "title", "textarea", "iframe", "xmp"})
# Python refuses to read numbers of more than 4,300 digits.
_LONG_NUMBER = re.compile(r"&#[xX]?[0-9a-fA-F]{9,}+;?")


@dataclass(frozen=True, slots=True)
class Tag:
    """A start or end tag, with its attributes; names are in lower case."""

    name: str
    ends: bool = False
    attributes: Mapping[str, str] = field(default_factory=dict)


def pieces(document: str) -> Iterator[Tag | str]:
    """
    Yield the tags and texts of HTML in order.

    Comments, declarations and the content of scripts and styles are left out. A tag or comment
    without its end takes the rest of the document with it, as in a browser. The parser of the
    standard library is not used: before Python 3.11.14, 50 KB of open tags cost it a minute.
    """
    position = 0
    while position < len(document):
        start = document.find("<", position)
        if start != position:
            yield _text(document[position : start if start >= 0 else len(document)])
        if start < 0:
            return
        tag = _TAG.match(document, start)
        if tag is not None:
            yield _tag(tag)
            position = _after(document, tag)
        elif document[start + 1 : start + 2] in ("!", "?", "/"):
            comment = document.startswith("<!--", start)
            position = _end(document, "-->" if comment else ">", start + 2)
        elif document[start + 1 : start + 2].isalpha():
            return
        else:
            yield "<"
            position = start + 1


def _text(raw: str) -> str:
    return html.unescape(_LONG_NUMBER.sub("\ufffd", raw)) if "&" in raw else raw


def _tag(match: re.Match[str]) -> Tag:
    attributes: dict[str, str] = {}
    for name, *values in _ATTRIBUTE.findall(match[3]):
        attributes.setdefault(name.lower(), _text("".join(values)))
    return Tag(match[2].lower(), bool(match[1]), attributes)


def _after(document: str, tag: re.Match[str]) -> int:
    """Return where to read on after a tag; the content of raw text is not read."""
    name = tag[2].lower()
    if tag[1] or name not in _RAW:
        return tag.end()
    end = re.compile(f"</{name}(?=[\\s/>])", re.IGNORECASE).search(document, tag.end())
    return end.start() if end else len(document)


def _end(document: str, mark: str, start: int) -> int:
    found = document.find(mark, start)
    return found + len(mark) if found >= 0 else len(document)
