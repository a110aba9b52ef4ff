"""Releasing holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from notify.flow import overrides
from notify.plans.acts.act import SliceResult, only, part_of
from notify.plans.request import HoldFilter, Wanted
from notify.plans.words import ENDED, IN_FORCE, KEPT, RELEASED
from notify.policies.holds import Hold
from notify.store import Actor, Store
from notify.store.flow import holds
from notify.store.plans import BulkPlan, ItemKey, ItemResult, ItemState


@dataclass(frozen=True, slots=True)
class ReleaseAct:
    """Releases holds, so that the notifications that they keep come due."""

    store: Store
    most: int = 10

    def choose(self, connection: Connection, wanted: Wanted, *, limit: int) -> Sequence[ItemKey]:
        """Return the holds in force that match, oldest first."""
        assert isinstance(wanted, HoldFilter)  # noqa: S101 - the request's action decides
        current, _ = holds.current(connection)
        return [each.id for each in current if _matches(each, wanted)][:limit]

    def forecast(self, plan: BulkPlan, keys: Sequence[ItemKey]) -> Counter[str]:  # noqa: ARG002
        """Count the holds in force, and the notifications that they keep."""
        ids = only(int, keys)
        with self.store.reading() as connection:
            current, _ = holds.current(connection)
            left = [each.id for each in current if each.id in ids]
            kept = sum(holds.count_held(connection, left).values())
        return Counter({IN_FORCE: len(left), ENDED: len(ids) - len(left), KEPT: kept})

    def prepare(self, plan: BulkPlan, keys: Sequence[ItemKey], actor: Actor) -> ReleaseSlice:
        """Prepare a slice."""
        return ReleaseSlice(plan, only(int, keys), actor)


@dataclass(frozen=True, slots=True)
class ReleaseSlice:
    """Some holds."""

    plan: BulkPlan
    ids: Sequence[int]
    actor: Actor

    def perform(self, connection: Connection, *, now: datetime) -> SliceResult:
        """Release those in force."""
        part = part_of(self.plan)
        released = overrides.release_within(connection, self.ids, self.actor, at=now, part_of=part)
        done: dict[ItemKey, ItemResult] = {
            each.id: ItemResult(ItemState.DONE, RELEASED) for each in released
        }
        ended = ItemResult(ItemState.SKIPPED, ENDED)
        return SliceResult({id_: done.get(id_, ended) for id_ in self.ids})

    def committed(self) -> None:
        """Do nothing: the audit has it."""


def _matches(hold: Hold, wanted: HoldFilter) -> bool:
    named = not wanted.ids or hold.id in wanted.ids
    return named and (wanted.scope is None or hold.given == wanted.scope.given)
