"""SQL of `notify.deadletters`: archived letters, their search, and their replays."""

from notify.store.deadletters.archive import (
    LONGEST_REASON,
    Cause,
    Kept,
    Letter,
    Mending,
    State,
    keep,
    kept,
    waiting,
)
from notify.store.deadletters.known import Known, look_up
from notify.store.deadletters.replays import Slot, statuses
from notify.store.deadletters.search import DeadLetter, Wanted, find

__all__ = [
    "LONGEST_REASON",
    "Cause",
    "DeadLetter",
    "Kept",
    "Known",
    "Letter",
    "Mending",
    "Slot",
    "State",
    "Wanted",
    "find",
    "keep",
    "kept",
    "look_up",
    "statuses",
    "waiting",
]
