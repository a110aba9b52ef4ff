"""SQL of `notify.deadletters`: archived letters, their search, and their replays."""

from notify.store.deadletters.archive import (
    LONGEST_REASON,
    ArchivedLetter,
    Cause,
    Edit,
    Letter,
    LetterState,
    archive_letters,
    read_letter,
    read_waiting,
)
from notify.store.deadletters.known import KnownNotification, find_known
from notify.store.deadletters.replays import Slot, read_statuses
from notify.store.deadletters.search import DeadLetter, LetterFilter, find_letters

__all__ = [
    "LONGEST_REASON",
    "ArchivedLetter",
    "Cause",
    "DeadLetter",
    "Edit",
    "KnownNotification",
    "Letter",
    "LetterFilter",
    "LetterState",
    "Slot",
    "archive_letters",
    "find_known",
    "find_letters",
    "read_letter",
    "read_statuses",
    "read_waiting",
]
