"""Discarding dead letters."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Connection

from notify.deadletters import discard_within
from notify.plans.acts.act import SliceResult, only, part_of
from notify.plans.request import Wanted
from notify.plans.words import DISCARDED, SETTLED, WAITING
from notify.store import Actor, Store
from notify.store.deadletters import LetterFilter, LetterState, find_letter_ids
from notify.store.plans import BulkPlan, ItemKey, ItemResult, ItemState


def waiting_letters(connection: Connection, wanted: Wanted, *, limit: int) -> list[int]:
    """Return the numbers of the oldest waiting letters that match, oldest first."""
    assert isinstance(wanted, LetterFilter)  # noqa: S101 - the request's action decides
    waiting = replace(wanted, state=LetterState.WAITING)
    return find_letter_ids(connection, waiting, limit=limit)


@dataclass(frozen=True, slots=True)
class DiscardAct:
    """Marks letters as discarded."""

    store: Store
    most: int = 100

    def choose(self, connection: Connection, wanted: Wanted, *, limit: int) -> Sequence[ItemKey]:
        """Return the waiting letters that match, oldest first."""
        return waiting_letters(connection, wanted, limit=limit)

    def forecast(self, plan: BulkPlan, keys: Sequence[ItemKey]) -> Counter[str]:  # noqa: ARG002
        """Count the letters that still wait."""
        ids = only(int, keys)
        with self.store.reading() as connection:
            waiting = LetterFilter(ids=ids, state=LetterState.WAITING)
            left = len(find_letter_ids(connection, waiting))
        return Counter({WAITING: left, SETTLED: len(ids) - left})

    def prepare(self, plan: BulkPlan, keys: Sequence[ItemKey], actor: Actor) -> DiscardSlice:
        """Prepare a slice."""
        return DiscardSlice(plan, only(int, keys), actor)


@dataclass(frozen=True, slots=True)
class DiscardSlice:
    """Some letters."""

    plan: BulkPlan
    ids: Sequence[int]
    actor: Actor

    def perform(self, connection: Connection, *, now: datetime) -> SliceResult:
        """Mark the letters."""
        part = part_of(self.plan)
        done = set(discard_within(connection, self.ids, self.actor, now=now, part_of=part))
        results = {True: ItemResult(ItemState.DONE, DISCARDED)}
        results[False] = ItemResult(ItemState.SKIPPED, SETTLED)
        return SliceResult({id_: results[id_ in done] for id_ in self.ids})

    def committed(self) -> None:
        """Do nothing: the audit has it."""
