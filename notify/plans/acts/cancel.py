"""Cancelling notifications that wait."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from notify.delivery import cancel_within
from notify.errors import NotifyError
from notify.message import Status
from notify.plans.acts.act import SliceResult, only, part_of
from notify.plans.request import Wanted
from notify.plans.words import CANCELLED, GONE
from notify.store import Actor, Filter, Store, find_ids
from notify.store.plans import BulkPlan, ItemKey, ItemResult, ItemState, read_statuses


def with_status(
    connection: Connection, wanted: Wanted, statuses: Sequence[Status], *, limit: int
) -> list[UUID]:
    """
    Return the newest rows that match with one of these statuses, the oldest of them first.

    Raises:
        NotifyError: The filter has another status.
    """
    assert isinstance(wanted, Filter)  # noqa: S101 - the request's action decides
    chosen = [each for each in statuses if wanted.status in (None, each)]
    if not chosen:
        usable = " or ".join(statuses)
        raise NotifyError(f"the status is {wanted.status}: this action needs {usable}")
    found = [
        id_
        for status in chosen
        for id_ in find_ids(connection, replace(wanted, status=status), limit=limit)
    ]
    return found[:limit][::-1]


def counted_statuses(store: Store, ids: Sequence[UUID]) -> Counter[str]:
    """Count notifications by their status now."""
    with store.reading() as connection:
        found = read_statuses(connection, ids)
    return Counter({**Counter(map(str, found.values())), GONE: len(ids) - len(found)})


def too_late(ids: Sequence[UUID], statuses: Mapping[UUID, Status]) -> dict[ItemKey, ItemResult]:
    """Return results of notifications for which nothing can be done any more."""
    return {id_: ItemResult(ItemState.SKIPPED, statuses.get(id_) or GONE) for id_ in ids}


@dataclass(frozen=True, slots=True)
class CancelAct:
    """Cancels notifications."""

    store: Store
    most: int = 100

    def choose(self, connection: Connection, wanted: Wanted, *, limit: int) -> Sequence[ItemKey]:
        """Return the notifications that wait and match."""
        return with_status(connection, wanted, (Status.SCHEDULED, Status.QUEUED), limit=limit)

    def forecast(self, plan: BulkPlan, keys: Sequence[ItemKey]) -> Counter[str]:  # noqa: ARG002
        """Count the notifications by their status."""
        return counted_statuses(self.store, only(UUID, keys))

    def prepare(self, plan: BulkPlan, keys: Sequence[ItemKey], actor: Actor) -> CancelSlice:
        """Prepare a slice."""
        return CancelSlice(plan, only(UUID, keys), actor)


@dataclass(frozen=True, slots=True)
class CancelSlice:
    """Some notifications."""

    plan: BulkPlan
    ids: Sequence[UUID]
    actor: Actor

    def perform(self, connection: Connection, *, now: datetime) -> SliceResult:
        """Cancel those that wait."""
        part = part_of(self.plan)
        result = cancel_within(connection, self.ids, self.actor, now=now, part_of=part)
        done = ItemResult(ItemState.DONE, CANCELLED)
        return SliceResult(too_late(self.ids, result.others) | dict.fromkeys(result.ids, done))

    def committed(self) -> None:
        """Do nothing: the audit has it."""
