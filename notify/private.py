"""Files that only their owner may read: they contain recipients or secrets."""

from __future__ import annotations

import os


def private(path: str, flags: int) -> int:
    """Open a file, as an `opener` does; only its owner can read a new one."""
    return os.open(path, flags, 0o600)
