"""SQL of `notify.privacy`: erasure, retention, and key rotation."""

from notify.store.privacy.erasure import Person, batches
from notify.store.privacy.letter_erasure import LetterMatch, erase_letters, letters_of
from notify.store.privacy.old_hours import RetentionCutoff
from notify.store.privacy.reseal import (
    forget_keys,
    reseal_letters,
    reseal_notifications,
    reseal_shared,
)
from notify.store.privacy.retention import Deleted, wipe_deleted

__all__ = [
    "Deleted",
    "LetterMatch",
    "Person",
    "RetentionCutoff",
    "batches",
    "erase_letters",
    "forget_keys",
    "letters_of",
    "reseal_letters",
    "reseal_notifications",
    "reseal_shared",
    "wipe_deleted",
]
