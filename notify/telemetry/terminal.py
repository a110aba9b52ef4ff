r"""
The guard of all text output: no outside text may control the reader's terminal.

Control characters, bidirectional overrides, invisible characters and lone surrogates are escaped as
in JSON, `\u001b`: JSON stays the same JSON, and a reader sees every character.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

# C0 except tab and line feed, DEL, C1; characters that change the direction of text or have no
# width (except joiners, which Persian, Indic scripts and emoji need); line separators; tags;
# surrogates.
_CONTROLLING = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
)
_UNSAFE = re.compile(f"[{_CONTROLLING}]")
_UNSAFE_IN_LINE = re.compile(f"[{_CONTROLLING}\t\n]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def escaped(text: str) -> str:
    """Escape every character that could control a terminal or hide; keep tabs and line feeds."""
    return _UNSAFE.sub(_escape, text)


def on_one_line(text: str) -> str:
    """Escape tabs and line feeds too: one field of a producer must not look like two rows."""
    return _UNSAFE_IN_LINE.sub(_escape, text)


def values_on_one_line(value: Any) -> Any:
    """Return plain data with `on_one_line` applied to every text in it, including names."""
    if isinstance(value, str):
        return on_one_line(value)
    if isinstance(value, Mapping):
        return {on_one_line(str(name)): values_on_one_line(each) for name, each in value.items()}
    return [values_on_one_line(each) for each in value] if isinstance(value, list) else value


def _escape(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


class Output:
    r"""
    A text stream that escapes controlling characters, and never fails to encode.

    Characters that the stream's encoding lacks are escaped too. The rest is the stream's own.

    Attributes:
        styled: The same stream for a writer with escape sequences of its own, such as rich, which
            passes all text through `escaped` first.
    """

    def __init__(self, stream: TextIO, *, styled: bool = False) -> None:
        self._stream = stream
        self._styled = styled
        self.styled: Any = self if styled else Output(stream, styled=True)

    @property
    def encoding(self) -> str:
        """The encoding. ASCII is reported as UTF-8: click would otherwise bypass this stream."""
        encoding = getattr(self._stream, "encoding", None) or "utf-8"
        return "utf-8" if encoding.lower() in ("ascii", "us-ascii", "ansi_x3.4-1968") else encoding

    def write(self, text: str) -> int:
        """Write text."""
        if not isinstance(text, str):
            raise TypeError(f"text is needed, not {type(text).__name__}")
        safe = text if self._styled else escaped(text)
        try:
            safe.encode(getattr(self._stream, "encoding", None) or "utf-8")
        except UnicodeEncodeError:
            safe = _NOT_ASCII.sub(_escape, safe)
        self._stream.write(safe)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def styled(stream: TextIO) -> TextIO:
    """Return the stream for the caller's own escape sequences; the caller escapes all text."""
    return cast("TextIO", stream.styled) if isinstance(stream, Output) else stream


def write_bytes(content: bytes) -> None:
    """Write bytes to standard output unchanged; on a terminal, as escaped text."""
    if sys.stdout.isatty():
        sys.stdout.write(escaped(content.decode(errors="backslashreplace")))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


@contextmanager
def guarded_output() -> Iterator[None]:
    """Guard standard output and error, and end quietly if their reader has closed them."""
    outer = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = (cast("TextIO", Output(stream)) for stream in outer)
    try:
        yield
    finally:
        sys.stdout, sys.stderr = outer
        for stream in outer:
            _flush(stream)


def _flush(stream: TextIO) -> None:
    try:
        stream.flush()
    except BrokenPipeError:
        # The interpreter flushes again at its exit, and would report the error there.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
