"""The stream of the log: several lines of one thread may be one write."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
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
        group: _Lines | None = getattr(_grouped, "group", None)
        if group is None:
            self.put(text)
        else:
            group.texts.setdefault(self, []).append(text)

    def flush(self) -> None:
        """Do nothing: each line is flushed as it is written."""

    def put(self, text: str) -> None:
        """Write lines now; those that the stream refuses, such as a full disk, are lost."""
        # Raised, the error would end the thread that logs, and with it the work of that thread.
        with self._lock, suppress(OSError):
            self._out.write(text)
            self._out.flush()


class _Lines:
    """Lines of one thread that are written together, and the forms of those that are copied."""

    __slots__ = ("forms", "texts")

    def __init__(self) -> None:
        self.texts: dict[LogStream, list[str]] = {}
        self.forms: dict[Hashable, Mapping[LogStream, str]] = {}


@contextmanager
def lines_together() -> Iterator[None]:
    """Write this thread's log lines in one write, at the end of this context."""
    group = _grouped.group = _Lines()
    try:
        yield
    finally:
        _grouped.group = None
        for stream, lines in group.texts.items():
            stream.put("".join(lines))


def log_each(
    write: Callable[[Item], object],
    items: Sequence[Item],
    *,
    own: Callable[[Item], Sequence[str]],
    equal: Hashable = None,
) -> None:
    """
    Log a line for each item, where the lines differ only in a few values.

    The first line is written by *write*, and copied with the values of each other item: a copy
    costs a twentieth of a line. All copies have the first one's time.

    Args:
        own: Returns an item's values in the order of the line. No format escapes them, and each is
            once in its line, as a UUID is.
        equal: All that the lines have in common. Within `lines_together`, later calls with an equal
            value copy the first one's line; None if this call is not to be copied.
    """
    group: _Lines | None = getattr(_grouped, "group", None)
    forms = None if group is None or equal is None else group.forms.get(equal)
    if forms is not None:
        _copy(forms, items, own)
        return
    first = _grouped.group = _Lines()
    try:
        write(items[0])
    finally:
        _grouped.group = group
    forms = {}
    for stream, lines in first.texts.items():
        line = "".join(lines)
        stream.write(line)
        if (form := _form(line, own(items[0]))) is not None:
            forms[stream] = form
    if not forms or len(forms) < len(first.texts):
        # Below the level, or the log is not a stream's, or a value is twice in the line.
        for item in items[1:]:
            write(item)
        return
    if group is not None and equal is not None:
        group.forms[equal] = forms
    _copy(forms, items[1:], own)


def _copy(
    forms: Mapping[LogStream, str],
    items: Sequence[Item],
    own: Callable[[Item], Sequence[str]],
) -> None:
    for stream, form in forms.items():
        if items:
            stream.write("".join([form % (*own(item),) for item in items]))


def _form(line: str, values: Sequence[str]) -> str | None:
    """Return a line with a place for each value; None if they are not there once, in order."""
    places = [line.find(value) for value in values]
    if places != sorted(places) or any(line.count(value) != 1 for value in values):
        return None
    form = line.replace("%", "%%")
    for value in values:
        form = form.replace(value, "%s")
    return form
