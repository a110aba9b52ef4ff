"""An operator's request for a replay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from notify.store.deadletters import Edit


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """The letters to replay, and how."""

    ids: Sequence[int]
    rate: float
    """Notifications a second, for each channel."""
    include_unknown: bool = False
    """Whether to send notifications that may have been sent already."""
    edit: Edit | None = None
    plan_id: int | None = None
    """The bulk plan that this is a slice of, for the audit."""
