"""The results of erasures as JSON."""

from __future__ import annotations

from typing import Any

from notify.privacy import Erased


def erased_as_json(done: Erased) -> dict[str, Any]:
    """Return the result of an erasure as `notify erase --json` prints it."""
    return {
        "notifications": done.notifications,
        "cancelled": done.cancelled,
        "letters": done.letters,
        "audit": done.audit,
        "busy": [str(each) for each in done.busy],
        "shared_letters": list(done.shared),
    }
