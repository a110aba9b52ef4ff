"""The rows of bulk plans."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, insert, select, update

from notify.store.tables import plans


class PlanAction(enum.StrEnum):
    """The effect of a plan on each of its items."""

    REPLAY = "replay"
    """Replays dead letters."""
    DISCARD = "discard"
    """Discards dead letters."""
    CANCEL = "cancel"
    """Cancels notifications that wait."""
    RESOLVE = "resolve"
    """Decides on notifications with an unknown outcome."""
    RELEASE = "release"
    """Releases holds; the notifications that they have set aside come due one after the other."""
    SUPPRESS = "suppress"
    """Adds the recipients of notifications to the suppression list."""


class PlanState(enum.StrEnum):
    """Where a plan is."""

    FREEZING = "freezing"
    """Its items are being written; one whose author died stays so."""
    COUNTING = "counting"
    """Its items are being counted by what would happen to each."""
    READY = "ready"
    """It waits for an operator to start it."""
    RUNNING = "running"
    STOPPED = "stopped"
    """An operator stopped it, and may start it again for the rest."""
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class BulkPlan:
    """One plan, without its items."""

    id: int
    action: PlanAction
    state: PlanState
    filter: Mapping[str, Any]
    """The filter of the items, for people; a recipient or a searched text is not kept."""
    options: Mapping[str, Any]
    rate: float
    """Items a second."""
    created_at: datetime
    actor: str
    reason: str
    started_at: datetime | None
    started_by: str | None
    ended_at: datetime | None
    updated_at: datetime
    next_at: datetime | None
    """When a runner handles its next slice; None while none does."""
    total: int
    """The frozen number of items."""
    cut: bool
    """Whether more rows matched than a plan may have."""
    counted: int
    """Items that are counted in the forecast."""
    position: int
    """Items that are settled, in their order."""
    forecast: Mapping[str, int]
    """By word, how many notifications or items the action would find so."""
    results: Mapping[str, Mapping[str, int]]
    """By `ItemState` of a settled item, how many, by word."""

    @property
    def open(self) -> int:
        """How many items are not settled yet."""
        return self.total - self.position

    def settled(self, state: str) -> int:
        """Return how many items are settled so."""
        return sum(self.results.get(state, {}).values())


_COLUMNS = [plans.c[name] for name in BulkPlan.__dataclass_fields__]


def insert_plan(connection: Connection, *, now: datetime, **values: Any) -> int:
    """Insert a plan that is being frozen, and return its number."""
    row = {
        "state": PlanState.FREEZING,
        "created_at": now,
        "updated_at": now,
        "counted": 0,
        "position": 0,
        "forecast": {},
        "results": {},
    }
    statement = insert(plans).values(**row | values).returning(plans.c.id)
    return int(connection.execute(statement).scalar_one())


def read_plan(connection: Connection, plan_id: int) -> BulkPlan | None:
    """Return one plan; None if there is none with this number."""
    row = connection.execute(select(*_COLUMNS).where(plans.c.id == plan_id)).one_or_none()
    return _plan(row) if row is not None else None


def lock_plan(connection: Connection, plan_id: int, *, wait: bool = True) -> BulkPlan | None:
    """
    Lock a plan until the transaction ends, and return it; None if there is none.

    Args:
        wait: If not, return None for a plan that another transaction has locked.
    """
    query = select(*_COLUMNS).where(plans.c.id == plan_id).with_for_update(skip_locked=not wait)
    row = connection.execute(query).one_or_none()
    return _plan(row) if row is not None else None


def find_plans(
    connection: Connection,
    *,
    state: PlanState | None = None,
    before: int | None = None,
    limit: int,
) -> list[BulkPlan]:
    """
    Return the newest plans, newest first.

    Args:
        before: Only plans with a lower number.
    """
    query = select(*_COLUMNS).order_by(plans.c.id.desc()).limit(limit)
    if state is not None:
        query = query.where(plans.c.state == state)
    if before is not None:
        query = query.where(plans.c.id < before)
    return [_plan(row) for row in connection.execute(query)]


def earliest_plan(connection: Connection) -> BulkPlan | None:
    """Return the plan whose next slice is due first; None if no plan needs a runner."""
    query = select(*_COLUMNS).where(plans.c.next_at.is_not(None))
    row = connection.execute(query.order_by(plans.c.next_at, plans.c.id).limit(1)).one_or_none()
    return _plan(row) if row is not None else None


def update_plan(connection: Connection, plan_id: int, *, now: datetime, **values: Any) -> None:
    """Change columns of a plan that the caller has locked."""
    statement = update(plans).where(plans.c.id == plan_id)
    connection.execute(statement.values(updated_at=now, **values))


def _plan(row: Row[Any]) -> BulkPlan:
    values = row._asdict()
    values["action"] = PlanAction(values["action"])
    values["state"] = PlanState(values["state"])
    return BulkPlan(**values)
