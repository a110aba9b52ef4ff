"""Erasing a recipient from the whole record, in small transactions; it may be repeated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notify.message import Status
from notify.store import Actor, Store, write_audit
from notify.store.privacy import (
    LetterMatch,
    Person,
    batches,
    erase_letters,
    erasure,
    letters_of,
    wipe_deleted,
)
from notify.store.sealing import cipher_of

__all__ = ["Erased", "ErasureMatch", "Person", "erase", "look"]


@dataclass(frozen=True, slots=True)
class ErasureMatch:
    """
    The rows that contain data of a recipient.

    Attributes:
        ids: The notifications.
        statuses: How many of them have each status.
        waiting: How many of them wait to be sent or looked up.
        letters: The dead letters.
        audit: The audit rows.
    """

    ids: Sequence[UUID]
    statuses: Counter[Status]
    waiting: int
    letters: Sequence[LetterMatch]
    audit: Sequence[int]

    @property
    def nothing(self) -> bool:
        """Whether there are none."""
        return not (self.ids or self.letters or self.audit)

    @property
    def to_cancel(self) -> int:
        """How many notifications and letters wait, and must be cancelled first."""
        return self.waiting + sum(each.waits and not each.shared for each in self.letters)


@dataclass(frozen=True, slots=True)
class Erased:
    """
    The result of an erasure.

    Attributes:
        cancelled: How many of the notifications waited.
        busy: Notifications that wait, or that a worker owns: erase again when they have ended.
        shared: Waiting letters that are also for other recipients: settle them first.
    """

    notifications: int
    cancelled: int
    letters: int
    audit: int
    busy: Sequence[UUID]
    shared: Sequence[int]


def look(store: Store, person: Person) -> ErasureMatch:
    """
    Find all rows with data of a recipient; nothing is changed.

    Raises:
        Sealed: The keyring cannot open a dead letter, so it cannot be searched.
        StoreError: The record cannot be used.
    """
    with store.reading() as connection:
        ids = erasure.find_notifications(connection, person)
        statuses: Counter[Status] = Counter()
        waiting = 0
        for some in batches(ids, _BATCH):
            statuses += erasure.count_statuses(connection, some)
            waiting += erasure.count_waiting(connection, some)
        letters = letters_of(connection, person, ids)
        return ErasureMatch(ids, statuses, waiting, letters, erasure.find_audit(connection, person))


_BATCH = 500


def erase(
    store: Store,
    person: Person,
    found: ErasureMatch,
    actor: Actor,
    *,
    cancel: bool,
    now: datetime,
    batch: int = _BATCH,
) -> Erased:
    """
    Erase what was found.

    Statuses, times, counts and attempts stay, so that the ledger balances as before. If it is
    stopped, a part is done; search and erase again for the rest.

    Args:
        cancel: Whether to cancel what waits; otherwise it is left and returned as busy.

    Raises:
        StoreError: The record cannot be used.
    """
    _erase_audit(store, person, found, actor, now=now)
    cancelled, done = 0, set[UUID]()
    for ids in batches(found.ids, batch):
        with store.writing() as connection:
            wipe_deleted(connection)
            if cancel:
                cancelled += erasure.end_waiting(connection, ids, now=now)
            done |= set(erasure.erase_notifications(connection, person, ids, now=now))
    with store.writing() as connection:
        wipe_deleted(connection)
        erasure.erase_receipts(connection, person)
    shared = [each.id for each in found.letters if each.waits and each.shared]
    letters = [each.id for each in found.letters if each.id not in shared]
    for numbers in batches(letters, batch):
        with store.writing() as connection:
            wipe_deleted(connection)
            erase_letters(connection, person, numbers, now=now)
    busy = [id_ for id_ in found.ids if id_ not in done]
    return Erased(len(done), cancelled, len(letters), len(found.audit), busy, shared)


def _erase_audit(
    store: Store, person: Person, found: ErasureMatch, actor: Actor, *, now: datetime
) -> None:
    """Audit the erasure, and redact the audit, the reason for this erasure included."""
    with store.writing() as connection:
        details = {
            "recipient_hash": cipher_of(connection).hashes(person.recipient)[0].hex(),
            "notifications": len(found.ids),
            "letters": len(found.letters),
            "audit": len(found.audit),
        }
        write_audit(connection, actor, "erase", details=details, at=now)
        erasure.erase_audit(connection, person, erasure.find_audit(connection, person))
        erasure.erase_plans(connection, person)
