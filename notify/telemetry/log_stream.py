"""The stream of the log: several lines of one thread may be one write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import TextIO, TypeVar

_grouped = threading.local()

Item = TypeVar("Item")


class LogStream:
    """Writes lines to a stream at once, except for those of a thread in `lines_together`."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._lock = threading.Lock()

    def write(self, text: str) -> None:
        """Write lines, or keep them until the thread's group ends."""
        group: dict[LogStream, list[str]] | None = getattr(_grouped, "lines", None)
        if group is None:
            self.put(text)
        else:
            group.setdefault(self, []).append(text)

    def flush(self) -> None:
        """Do nothing: each line is flushed as it is written."""

    def put(self, text: str) -> None:
        """Write lines now; those that the stream refuses, such as a full disk, are lost."""
        # Raised, the error would end the thread that logs, and with it the work of that thread.
        with self._lock, suppress(OSError):
            self._out.write(text)
            self._out.flush()


@contextmanager
def lines_together() -> Iterator[None]:
    """Write this thread's log lines in one write, at the end of this context."""
    group: dict[LogStream, list[str]] = {}
    _grouped.lines = group
    try:
        yield
    finally:
        _grouped.lines = None
        for stream, lines in group.items():
            stream.put("".join(lines))


def log_each(
    write: Callable[[Item], object], items: Sequence[Item], *, own: Callable[[Item], Sequence[str]]
) -> None:
    """
    Log a line for each item, where the lines differ only in a few values.

    The first line is written by *write*, and copied with the values of each other item: a copy
    costs a twentieth of a line. All lines then have the first one's time.

    Args:
        own: Returns an item's values in the order of the line. No format escapes them, and each is
            once in its line, as a UUID is.
    """
    outer: dict[LogStream, list[str]] | None = getattr(_grouped, "lines", None)
    first: dict[LogStream, list[str]] = {}
    _grouped.lines = first
    try:
        write(items[0])
    finally:
        _grouped.lines = outer
    copied = bool(first)
    for stream, lines in first.items():
        line = "".join(lines)
        form = _form(line, own(items[0]))
        copied = copied and form is not None
        copies = [] if form is None else [form % (*own(item),) for item in items[1:]]
        stream.write("".join([line, *copies]))
    if not copied:
        # Below the level, or the log is not a stream's.
        for item in items[1:]:
            write(item)


def _form(line: str, values: Sequence[str]) -> str | None:
    """Return a line with a place for each value; None if they are not there once, in order."""
    places = [line.find(value) for value in values]
    if places != sorted(places) or any(line.count(value) != 1 for value in values):
        return None
    form = line.replace("%", "%%")
    for value in values:
        form = form.replace(value, "%s")
    return form
