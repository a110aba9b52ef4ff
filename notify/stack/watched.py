"""A folder that is polled for changes."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path


class Watched:
    """
    A folder with few files, polled for changes.

    Args:
        folder: The folder; files that are in it at the start are not a change.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._seen = self._files()

    def changed(self) -> bool:
        """Return whether a file was written, added or removed since the last time."""
        before, self._seen = self._seen, self._files()
        return before != self._seen

    def _files(self) -> dict[str, tuple[int, int]]:
        found = {}
        # A folder can be removed while it is read; the next poll sees what is missing now.
        with suppress(OSError):
            for path in self.folder.rglob("*"):
                with suppress(OSError):
                    status = path.stat()
                    found[str(path)] = (status.st_mtime_ns, status.st_size)
        return found
