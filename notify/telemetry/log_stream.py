"""The stream of the log: several lines of one thread may be one write."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TextIO

_grouped = threading.local()


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
        """Write lines now."""
        with self._lock:
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
