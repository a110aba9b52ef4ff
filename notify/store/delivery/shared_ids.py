"""Claiming notifications whose ids another source uses: under random row ids."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import structlog

from notify.errors import StoreError, StoreRefused
from notify.message import Identity, time_id
from notify.store.delivery.claims import Claim, Claimed, Entry

log = structlog.get_logger("notify.store")


def claim_under_new_ids(
    entries: Sequence[Entry], claim: Callable[[Sequence[Entry]], list[Claimed]]
) -> dict[Identity, Claimed]:
    """
    Claim, under random row ids, notifications that only conflict by their ids.

    Raises:
        StoreRefused: The record refuses a value.
    """
    renumbered = [entry.under(time_id()) for entry in entries]
    try:
        answers = claim(renumbered)
    except StoreRefused:
        raise
    except StoreError:
        # The rest of the batch is claimed already; these are retried later.
        return all_busy(entries)
    claimed = {}
    for entry, given, answer in zip(entries, renumbered, answers, strict=True):
        row = given.notification
        if answer.claim is Claim.OWNED and answer.id is None:
            log.info("notify.id_shared", id=str(row.id), public_id=str(row.public_id))
            answer = replace(answer, id=row.id)
        claimed[entry.notification.identity] = answer
    return claimed


def all_busy(entries: Sequence[Entry]) -> dict[Identity, Claimed]:
    """Return the answer that none can be claimed now."""
    return {entry.notification.identity: Claimed(Claim.BUSY) for entry in entries}
