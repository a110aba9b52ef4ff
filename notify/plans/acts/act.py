"""The contract of an action: what the planner and the runner need of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from sqlalchemy import Connection

from notify.plans.request import PlanOptions, Wanted
from notify.store import Actor
from notify.store.plans import BulkPlan, ItemKey, ItemResult

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class SliceResult:
    """
    The result of one slice.

    Attributes:
        items: The result of each item.
        busy_until: The next slice waits until then; None if it need not.
    """

    items: Mapping[ItemKey, ItemResult]
    busy_until: datetime | None = None


class ActSlice(Protocol):
    """Some items of a running plan, prepared outside of a transaction."""

    def perform(self, connection: Connection, *, now: datetime) -> SliceResult:
        """Act on the items, in the caller's transaction."""

    def committed(self) -> None:
        """Log what was done, once the transaction is committed."""


class BulkAct(Protocol):
    """One action."""

    @property
    def most(self) -> int:
        """Items that one transaction may act on."""

    def choose(self, connection: Connection, wanted: Wanted, *, limit: int) -> Sequence[ItemKey]:
        """Return the items that match, in the order in which to act."""

    def forecast(self, plan: BulkPlan, keys: Sequence[ItemKey]) -> Counter[str]:
        """Count, by word, what the action would find now; nothing is changed."""

    def prepare(self, plan: BulkPlan, keys: Sequence[ItemKey], actor: Actor) -> ActSlice:
        """Prepare a slice, before anything is locked."""


def options_of(plan: BulkPlan) -> PlanOptions:
    """Return a plan's options."""
    return PlanOptions.of_json(plan.options)


def part_of(plan: BulkPlan) -> Mapping[str, Any]:
    """Return the details that each audit row of a plan's act has."""
    return {"plan": plan.id}


def only(kind: type[_T], keys: Sequence[Any]) -> list[_T]:
    """Return keys that are all of one kind."""
    assert all(isinstance(key, kind) for key in keys)  # noqa: S101 - chosen by the same action
    return list(keys)
