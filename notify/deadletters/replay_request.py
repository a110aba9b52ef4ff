"""What an operator wants replayed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from notify.store.deadletters import Edit


@dataclass(frozen=True, slots=True)
class ReplayRequest:
    """What an operator wants replayed, and how."""

    ids: Sequence[int]
    rate: float
    """Notifications a second, for each channel."""
    include_unknown: bool = False
    """Whether those are sent that may have been sent already."""
    mending: Edit | None = None
