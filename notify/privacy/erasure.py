"""Erasing a recipient from the record: everywhere, in small steps, as often as it is asked for."""

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
    What the record holds of a recipient.

    Attributes:
        ids: The notifications.
        statuses: How many of them have which status.
        waiting: How many of them wait to be sent, or to be looked up.
        letters: The dead letters.
        audit: What operators wrote.
    """

    ids: Sequence[UUID]
    statuses: Counter[Status]
    waiting: int
    letters: Sequence[LetterMatch]
    audit: Sequence[int]

    @property
    def nothing(self) -> bool:
        """Whether there is nothing at all."""
        return not (self.ids or self.letters or self.audit)

    @property
    def to_cancel(self) -> int:
        """How many notifications and letters wait, and must be given up first."""
        return self.waiting + sum(each.waits and not each.shared for each in self.letters)


@dataclass(frozen=True, slots=True)
class Erased:
    """
    What was done, and what is left.

    Attributes:
        cancelled: How many waited until then.
        busy: The notifications that a worker has in hand: they can be erased when it is done.
        shared: The letters that wait and would reach others too: they must be settled first.
    """

    notifications: int
    cancelled: int
    letters: int
    audit: int
    busy: Sequence[UUID]
    shared: Sequence[int]


def look(store: Store, person: Person) -> ErasureMatch:
    """
    Find all that the record holds of a recipient; changes nothing.

    Raises:
        Sealed: The keyring does not open a dead letter, so nobody knows what it holds.
        StoreError: The record cannot be used.
    """
    with store.reading() as connection:
        ids = erasure.find_notifications(connection, person)
        statuses: Counter[Status] = Counter()
        waiting = 0
        for few in batches(ids, _BATCH):
            statuses += erasure.count_statuses(connection, few)
            waiting += erasure.count_waiting(connection, few)
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

    Statuses, times and counts stay, and so do the attempts: the ledger balances as before. Stopped
    anywhere, it has done a part; look and erase again for the rest.

    Args:
        cancel: Whether what waits is given up; else it is left, and told as busy.

    Raises:
        StoreError: The record cannot be used.
    """
    with store.writing() as connection:
        details = {
            "recipient_hash": cipher_of(connection).hashes(person.recipient)[0].hex(),
            "notifications": len(found.ids),
            "letters": len(found.letters),
            "audit": len(found.audit),
        }
        write_audit(connection, actor, "erase", details=details, at=now)
        # What operators wrote on this occasion too.
        erasure.erase_audit(connection, person, erasure.find_audit(connection, person))
    cancelled, done = 0, set[UUID]()
    for few in batches(found.ids, batch):
        with store.writing() as connection:
            wipe_deleted(connection)
            if cancel:
                cancelled += erasure.end_waiting(connection, few, now=now)
            done |= set(erasure.erase_notifications(connection, person, few, now=now))
    shared = [each.id for each in found.letters if each.waits and each.shared]
    letters = [each.id for each in found.letters if each.id not in shared]
    for numbers in batches(letters, batch):
        with store.writing() as connection:
            wipe_deleted(connection)
            erase_letters(connection, person, numbers, now=now)
    busy = [id_ for id_ in found.ids if id_ not in done]
    return Erased(len(done), cancelled, len(letters), len(found.audit), busy, shared)
