"""Files for their owner's eyes: what they hold names recipients, or opens doors."""

from __future__ import annotations

import os


def private(path: str, flags: int) -> int:
    """Open a file, as an `opener` does; one that is made is readable by its owner alone."""
    return os.open(path, flags, 0o600)
