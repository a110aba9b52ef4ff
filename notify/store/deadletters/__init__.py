"""SQL of `notify.deadletters`: archived letters, their search, and their replays."""

from notify.store.deadletters.archive import (
    LONGEST_REASON,
    ArchivedLetter,
    Cause,
    Edit,
    Letter,
    LetterState,
    archive_letters,
    discard_letters,
    read_letter,
    read_waiting,
)
from notify.store.deadletters.known import KnownNotification, find_known
from notify.store.deadletters.replays import (
    Slot,
    insert_new,
    last_slots,
    lock_replays,
    mark_replayed,
    read_final_statuses,
    requeue,
    save_edit,
)
from notify.store.deadletters.search import (
    DeadLetter,
    LetterFilter,
    count_letters,
    find_letter_ids,
    find_letters,
)

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
    "count_letters",
    "discard_letters",
    "find_known",
    "find_letter_ids",
    "find_letters",
    "insert_new",
    "last_slots",
    "lock_replays",
    "mark_replayed",
    "read_final_statuses",
    "read_letter",
    "read_waiting",
    "requeue",
    "save_edit",
]
