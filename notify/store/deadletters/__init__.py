"""SQL of `notify.deadletters`: archived letters, their search, and their replays."""

from notify.store.deadletters.archive import (
    LONGEST_REASON,
    ArchivedLetter,
    Cause,
    Edit,
    Letter,
    LetterState,
    keep,
    kept,
    waiting,
)
from notify.store.deadletters.known import KnownNotification, look_up
from notify.store.deadletters.replays import Slot, statuses
from notify.store.deadletters.search import DeadLetter, Wanted, find

__all__ = [
    "LONGEST_REASON",
    "ArchivedLetter",
    "Cause",
    "DeadLetter",
    "Edit",
    "KnownNotification",
    "Letter",
    "LetterState",
    "Slot",
    "Wanted",
    "find",
    "keep",
    "kept",
    "look_up",
    "statuses",
    "waiting",
]
