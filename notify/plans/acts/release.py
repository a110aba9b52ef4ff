"""Releasing holds: they end first, and the notifications that they have set aside come due then."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from notify.flow import overrides
from notify.message import Status
from notify.plans.acts.act import SliceResult, part_of
from notify.plans.request import HoldFilter, Wanted
from notify.plans.words import CALLED_AGAIN, DUE, ENDED, GONE, HELD_AGAIN, IN_FORCE, KEPT, RELEASED
from notify.policies.holds import Hold
from notify.store import Actor, Store
from notify.store.flow import holds
from notify.store.plans import (
    BulkPlan,
    ItemKey,
    ItemResult,
    ItemState,
    called_since,
    held_rows,
    keep_for_plan,
    read_statuses,
    release_rows,
)


@dataclass(frozen=True, slots=True)
class ReleaseAct:
    """Releases holds, and their notifications at the plan's rate."""

    store: Store
    most: int = 100

    def choose(self, connection: Connection, wanted: Wanted, *, limit: int) -> Sequence[ItemKey]:
        """Return the holds in force that match, and then the notifications set aside."""
        assert isinstance(wanted, HoldFilter)  # noqa: S101 - the request's action decides
        current, _ = holds.current(connection)
        found = [each.id for each in current if _matches(each, wanted)][:limit]
        return [*found, *held_rows(connection, found, limit=limit - len(found))]

    def forecast(self, plan: BulkPlan, keys: Sequence[ItemKey]) -> Counter[str]:  # noqa: ARG002
        """Count the holds in force, and the notifications that wait."""
        ids, rows = _parts(keys)
        with self.store.reading() as connection:
            current, _ = holds.current(connection)
            statuses = Counter(read_statuses(connection, rows).values())
        left = sum(each.id in ids for each in current)
        kept = statuses.pop(Status.QUEUED, 0)
        counts = Counter({IN_FORCE: left, ENDED: len(ids) - left, KEPT: kept})
        counts.update({str(status): number for status, number in statuses.items()})
        return counts

    def prepare(self, plan: BulkPlan, keys: Sequence[ItemKey], actor: Actor) -> ReleaseSlice:
        """Prepare a slice."""
        return ReleaseSlice(plan, *_parts(keys), actor)


@dataclass(frozen=True, slots=True)
class ReleaseSlice:
    """Some holds, and some notifications."""

    plan: BulkPlan
    ids: Collection[int]
    rows: Collection[UUID]
    actor: Actor

    def perform(self, connection: Connection, *, now: datetime) -> SliceResult:
        """Release the holds in force, and make the notifications due that wait."""
        return SliceResult({**self._holds(connection, now=now), **self._rows(connection, now=now)})

    def _holds(self, connection: Connection, *, now: datetime) -> dict[ItemKey, ItemResult]:
        if not self.ids:
            return {}
        part = part_of(self.plan)
        # First, else the end of the hold would make all of them due at once.
        keep_for_plan(connection, self.plan.id, self.ids)
        released = overrides.release_within(connection, self.ids, self.actor, at=now, part_of=part)
        done = {each.id for each in released}
        results = {True: ItemResult(ItemState.DONE, RELEASED)}
        results[False] = ItemResult(ItemState.SKIPPED, ENDED)
        return {id_: results[id_ in done] for id_ in self.ids}

    def _rows(self, connection: Connection, *, now: datetime) -> dict[ItemKey, ItemResult]:
        if not self.rows:
            return {}
        # Their due time is that of a retry.
        called = called_since(connection, self.rows, since=self.plan.created_at)
        kept = [id_ for id_ in self.rows if id_ not in called]
        due = release_rows(connection, kept, now=now)
        statuses = read_statuses(connection, [id_ for id_ in self.rows if id_ not in due])
        results: dict[ItemKey, ItemResult] = {}
        for id_ in self.rows:
            if id_ in due:
                results[id_] = ItemResult(ItemState.DONE, DUE)
                continue
            status = statuses.get(id_)
            waits = status is Status.QUEUED
            held = CALLED_AGAIN if id_ in called else HELD_AGAIN
            word = held if waits else status or GONE
            results[id_] = ItemResult(ItemState.SKIPPED, word)
        return results

    def committed(self) -> None:
        """Do nothing: the audit has it."""


def _parts(keys: Sequence[ItemKey]) -> tuple[list[int], list[UUID]]:
    ids = [key for key in keys if isinstance(key, int)]
    return ids, [key for key in keys if isinstance(key, UUID)]


def _matches(hold: Hold, wanted: HoldFilter) -> bool:
    named = not wanted.ids or hold.id in wanted.ids
    return named and (wanted.scope is None or hold.given == wanted.scope.given)
