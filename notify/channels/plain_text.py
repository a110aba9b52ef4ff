"""The plain text of an email that has only HTML."""

from __future__ import annotations

import re
from collections.abc import Mapping

from notify.channels.html_pieces import Tag, pieces

_HIDDEN = re.compile("script|style|template|title|noscript|svg|object")
_PARAGRAPH = re.compile(
    "address|article|aside|blockquote|dl|fieldset|figure|footer|form|h[1-6]|header|main|nav|ol|p|pre"
    "|section|table|ul"
)
_LINE = re.compile("br|center|dd|div|dt|figcaption|hr|li|tr")
_CELL = re.compile("td|th")
# Elements without an end tag.
_VOID = re.compile("area|base|br|col|embed|hr|img|input|link|meta|param|source|track|wbr")
_INVISIBLE = re.compile(
    r"display\s*+:\s*+none|visibility\s*+:\s*+hidden|mso-hide\s*+:\s*+all", re.IGNORECASE
)
_SPACES = re.compile(r"[ \t\r\n\f\u00a0]+")
# Of no width: mail builders pad the preview line with them.
_ZERO_WIDTH = re.compile("[\u00ad\u034f\u200b\u200c\u200d\u2060\ufeff]")
_SCHEMES = ("http://", "https://", "mailto:", "tel:")


def plain_text(html: str) -> str:
    """
    Return the words of HTML as plain text; empty if it has none.

    Paragraphs have an empty line between them, list items a hyphen, links their address after their
    words, images their alternative text. Scripts, styles and invisible elements are left out.
    """
    reader = _read(html, hide=True)
    if reader.hides:
        # The end tag of an invisible element is missing: rather too many words than none.
        reader = _read(html, hide=False)
    return reader.text()


def _read(html: str, *, hide: bool) -> _TextReader:
    reader = _TextReader(hide=hide)
    for piece in pieces(html):
        if isinstance(piece, str):
            reader.words(piece)
        elif piece.ends:
            reader.end(piece.name)
        else:
            reader.start(piece)
    return reader


class _TextReader:
    """Collects the words, each with the line breaks before it."""

    def __init__(self, *, hide: bool) -> None:
        self._hide = hide
        self._parts: list[str] = []
        self._breaks = 0
        self._space = False
        # The outermost hidden element, and how many of its name are open inside.
        self._hidden = ""
        self._depth = 0
        # The address of the open link, and the number of parts before it.
        self._link: tuple[str, int] | None = None

    @property
    def hides(self) -> bool:
        """Whether it is inside a hidden element."""
        return bool(self._hidden)

    def start(self, tag: Tag) -> None:
        """Begin an element."""
        name, values = tag.name, tag.attributes
        if self._hidden:
            self._depth += name == self._hidden
            return
        if self._hides(name, values):
            self._hidden = name
            return
        self._separate(name)
        if name == "li":
            self._add("-")
            self._space = True
        elif name == "img":
            self.words(values.get("alt", ""))
        elif name == "a":
            self._link = values.get("href", ""), len(self._parts)

    def end(self, name: str) -> None:
        """End an element; an end tag that ends none only separates words."""
        if self._hidden:
            if name == self._hidden and self._depth:
                self._depth -= 1
            elif name == self._hidden:
                self._hidden = ""
            return
        if name == "a" and self._link is not None:
            self._end_link(*self._link)
            self._link = None
        self._separate(name)

    def words(self, text: str) -> None:
        """Add words; white space only separates them."""
        if self._hidden:
            return
        words = _SPACES.sub(" ", _ZERO_WIDTH.sub("", text))
        self._space = self._space or words.startswith(" ")
        if stripped := words.strip(" "):
            self._add(stripped)
            self._space = words.endswith(" ")

    def text(self) -> str:
        """Return all lines."""
        return "".join(self._parts).strip()

    def _hides(self, name: str, values: Mapping[str, str]) -> bool:
        if _VOID.fullmatch(name):
            return False
        invisible = "hidden" in values or _INVISIBLE.search(values.get("style", "")) is not None
        return (self._hide and invisible) or _HIDDEN.fullmatch(name) is not None

    def _separate(self, name: str) -> None:
        if self._parts[-1:] == ["-"]:
            # The paragraph of a list item begins on the item's line.
            return
        if _PARAGRAPH.fullmatch(name):
            self._breaks = max(self._breaks, 2)
        elif _LINE.fullmatch(name):
            self._breaks = max(self._breaks, 1)
        elif _CELL.fullmatch(name):
            self._space = True

    def _add(self, words: str) -> None:
        if self._parts and (self._breaks or self._space):
            self._parts.append("\n" * self._breaks or " ")
        self._breaks, self._space = 0, False
        self._parts.append(words)

    def _end_link(self, address: str, start: int) -> None:
        """Add the address of a link, unless its words are the address."""
        address = address.strip()
        words = "".join(self._parts[start:]).strip()
        shown = (address, address.partition(":")[2], address.partition("://")[2])
        if address.lower().startswith(_SCHEMES) and words not in shown:
            self._space = self._space or bool(words)
            self._add(f"({address})" if words else address)
