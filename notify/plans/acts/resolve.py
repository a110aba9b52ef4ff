"""Deciding on notifications with an unknown outcome."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from notify.errors import NotifyError, StoreError
from notify.message import Status
from notify.plans.acts.act import SliceResult, only, options_of, part_of
from notify.plans.acts.cancel import counted_statuses, with_status
from notify.plans.request import Wanted
from notify.plans.words import CALLED_AGAIN, ERASED, GONE, RESOLVED
from notify.reconcile import Resolution, decide_within, log_decided
from notify.store import Actor, Store
from notify.store.plans import (
    BulkPlan,
    ItemKey,
    ItemResult,
    ItemState,
    called_since,
    erased_rows,
    read_statuses,
)


@dataclass(frozen=True, slots=True)
class ResolveAct:
    """Applies one finding to notifications."""

    store: Store
    most: int = 50

    def choose(self, connection: Connection, wanted: Wanted, *, limit: int) -> Sequence[ItemKey]:
        """Return the notifications that match and whose outcome is unknown."""
        return with_status(connection, wanted, (Status.UNKNOWN,), limit=limit)

    def forecast(self, plan: BulkPlan, keys: Sequence[ItemKey]) -> Counter[str]:
        """Count the notifications by their status, and those that cannot be sent again."""
        ids = only(UUID, keys)
        counts = counted_statuses(self.store, ids)
        if options_of(plan).finding is not Resolution.SENT:
            with self.store.reading() as connection:
                erased = len(erased_rows(connection, ids))
            counts[Status.UNKNOWN] -= erased
            counts[ERASED] += erased
        return counts

    def prepare(self, plan: BulkPlan, keys: Sequence[ItemKey], actor: Actor) -> ResolveSlice:
        """Prepare a slice."""
        finding = options_of(plan).finding
        assert finding is not None  # noqa: S101 - a plan to resolve is made with one
        return ResolveSlice(plan, only(UUID, keys), actor, finding)


@dataclass(frozen=True, slots=True)
class ResolveSlice:
    """Some notifications, and the finding."""

    plan: BulkPlan
    ids: Sequence[UUID]
    actor: Actor
    finding: Resolution
    _done: list[UUID] = field(default_factory=list)

    def perform(self, connection: Connection, *, now: datetime) -> SliceResult:
        """Decide on each by itself, so that a refusal undoes no other decision."""
        statuses = read_statuses(connection, self.ids)
        erased = erased_rows(connection, self.ids)
        if self.finding is Resolution.SENT:
            erased = set()
        # The finding is about the calls until then: another call has an outcome of its own.
        again = called_since(connection, self.ids, since=self.plan.created_at)
        results: dict[ItemKey, ItemResult] = {}
        # In the order in which look-ups lock rows, so that the two do not deadlock.
        for id_ in sorted(self.ids):
            if id_ in erased:
                results[id_] = ItemResult(ItemState.REFUSED, ERASED)
            elif id_ in again:
                results[id_] = ItemResult(ItemState.SKIPPED, CALLED_AGAIN)
            elif self._decide(connection, id_, now=now):
                results[id_] = ItemResult(ItemState.DONE, RESOLVED)
            else:
                results[id_] = ItemResult(ItemState.SKIPPED, statuses.get(id_) or GONE)
        return SliceResult(results)

    def _decide(self, connection: Connection, id_: UUID, *, now: datetime) -> bool:
        part = part_of(self.plan)
        try:
            with connection.begin_nested():
                decide_within(connection, id_, self.finding, self.actor, now=now, part_of=part)
        except StoreError:
            raise
        except NotifyError:
            return False
        self._done.append(id_)
        return True

    def committed(self) -> None:
        """Log each decision, as those of `notify resolve` are logged."""
        for id_ in self._done:
            log_decided(id_, self.finding, self.actor)
