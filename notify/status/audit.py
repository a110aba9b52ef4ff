"""The audit as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from notify.store import Act


def act_as_json(act: Act) -> dict[str, Any]:
    """Return what an operator did as `notify audit --json` prints it."""
    return asdict(act)
