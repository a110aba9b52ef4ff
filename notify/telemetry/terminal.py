r"""
The border of all text output: nothing that came from outside may steer a reader's terminal.

Control characters, bidirectional overrides, invisible characters and halves of surrogate pairs are
written as JSON writes them, `\u001b`: JSON stays the same JSON, and a person sees what is there.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

# C0 but for tab and line feed, DEL, C1; what turns the direction of text or has no width (joiners,
# which Persian, Indic scripts and emoji need, stay); line separators; tags; surrogates.
_STEERING = (
    "\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f"
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e007f"
)
_UNSAFE = re.compile(f"[{_STEERING}]")
_UNSAFE_IN_LINE = re.compile(f"[{_STEERING}\t\n]")
_NOT_ASCII = re.compile(r"[^\x00-\x7f]")


def escaped(text: str) -> str:
    """Spell out every character that could steer a terminal or hide; tabs and line feeds stay."""
    return _UNSAFE.sub(_spelled, text)


def on_one_line(text: str) -> str:
    """Spell out tabs and line feeds too: one field of a producer's must not look like two rows."""
    return _UNSAFE_IN_LINE.sub(_spelled, text)


def values_on_one_line(value: Any) -> Any:
    """Return plain data with every text in it as `on_one_line` writes it, names included."""
    if isinstance(value, str):
        return on_one_line(value)
    if isinstance(value, Mapping):
        return {on_one_line(str(name)): values_on_one_line(each) for name, each in value.items()}
    return [values_on_one_line(each) for each in value] if isinstance(value, list) else value


def _spelled(match: re.Match[str]) -> str:
    units = match[0].encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


class Output:
    r"""
    A text stream on which nothing steers a terminal, and which never fails to encode.

    What the stream's encoding lacks is spelled out too. All else is the stream's own.

    Attributes:
        styled: The same stream for a writer that makes escape sequences itself, such as rich, and
            passes all text through `escaped` before.
    """

    def __init__(self, stream: TextIO, *, styled: bool = False) -> None:
        self._stream = stream
        self._styled = styled
        self.styled: Any = self if styled else Output(stream, styled=True)

    @property
    def encoding(self) -> str:
        """How text is encoded. ASCII passes for UTF-8: click would else write past this stream."""
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
            safe = _NOT_ASCII.sub(_spelled, safe)
        self._stream.write(safe)
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several texts."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


def styled(stream: TextIO) -> TextIO:
    """Return the stream to write one's own escape sequences to; the caller escapes all text."""
    return cast("TextIO", stream.styled) if isinstance(stream, Output) else stream


def write_bytes(content: bytes) -> None:
    """Write bytes to standard output as they are; on a terminal, as text that does not steer it."""
    if sys.stdout.isatty():
        sys.stdout.write(escaped(content.decode(errors="backslashreplace")))
        return
    sys.stdout.flush()
    sys.stdout.buffer.write(content)
    sys.stdout.buffer.flush()


@contextmanager
def guarded_output() -> Iterator[None]:
    """Put the border around standard output and error, and end quietly if their reader has left."""
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
        # The interpreter flushes once more at its end, and would complain there.
        with suppress(OSError, ValueError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
