"""Adding the recipients of notifications to the suppression list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from notify.plans.acts.act import SliceResult, only, options_of, part_of
from notify.plans.request import PlanOptions, Wanted
from notify.plans.words import ADDED, ERASED, GONE, LISTED, RECIPIENTS
from notify.store import Actor, Filter, Store, find_ids
from notify.store.plans import (
    BulkPlan,
    ItemKey,
    ItemResult,
    ItemState,
    Recipient,
    read_recipients,
)
from notify.suppression import Added, Suppression, SuppressionReason, add_within, log_added


@dataclass(frozen=True, slots=True)
class SuppressAct:
    """Adds recipients to the list, by the hash that their notification has."""

    store: Store
    most: int = 50

    def choose(self, connection: Connection, wanted: Wanted, *, limit: int) -> Sequence[ItemKey]:
        """Return the newest notifications that match, the oldest of them first."""
        assert isinstance(wanted, Filter)  # noqa: S101 - the request's action decides
        return find_ids(connection, wanted, limit=limit)[::-1]

    def forecast(self, plan: BulkPlan, keys: Sequence[ItemKey]) -> Counter[str]:  # noqa: ARG002
        """Count the notifications with a recipient, and those whose recipient was erased."""
        ids = only(UUID, keys)
        with self.store.reading() as connection:
            found = read_recipients(connection, ids)
        erased = sum(each.erased for each in found.values())
        counts = {RECIPIENTS: len(found) - erased, ERASED: erased, GONE: len(ids) - len(found)}
        return Counter(counts)

    def prepare(self, plan: BulkPlan, keys: Sequence[ItemKey], actor: Actor) -> SuppressSlice:
        """Prepare a slice."""
        return SuppressSlice(plan, only(UUID, keys), actor, options_of(plan))


@dataclass(frozen=True, slots=True)
class SuppressSlice:
    """Some notifications, and the form of the entries."""

    plan: BulkPlan
    ids: Sequence[UUID]
    actor: Actor
    options: PlanOptions
    _added: list[Added] = field(default_factory=list)

    def perform(self, connection: Connection, *, now: datetime) -> SliceResult:
        """Add the recipients that are not on the list yet."""
        found = read_recipients(connection, self.ids)
        usable = [id_ for id_ in self.ids if id_ in found and not found[id_].erased]
        # In the order in which every batch locks entries, so that two do not deadlock.
        usable.sort(key=lambda id_: (found[id_].channel, found[id_].hash or b""))
        items = [self._entry(found[id_], now=now) for id_ in usable]
        part = part_of(self.plan)
        entries = add_within(connection, items, self.actor, now=now, part_of=part)
        self._added.extend(entry for entry in entries if entry is not None)
        results: dict[ItemKey, ItemResult] = {}
        for id_ in self.ids:
            word = ERASED if id_ in found else GONE
            results[id_] = ItemResult(ItemState.SKIPPED, word)
        for id_, entry in zip(usable, entries, strict=True):
            new = ItemResult(ItemState.DONE, ADDED, f"entry {entry.id}" if entry else "")
            results[id_] = new if entry else ItemResult(ItemState.SKIPPED, LISTED)
        return SliceResult(results)

    def _entry(self, recipient: Recipient, *, now: datetime) -> Suppression:
        lasts = self.options.lasts
        return Suppression(
            channel=recipient.channel,
            reason=SuppressionReason.OPERATOR,
            since=now,
            recipient=recipient.address,
            recipient_hash=recipient.hash,
            scope=self.options.scope,
            until=now + timedelta(seconds=lasts) if lasts else None,
            binding=True if self.options.binding else None,
            evidence=f"plan {self.plan.id}, by {self.actor.name}",
        )

    def committed(self) -> None:
        """Log how many entries were added."""
        log_added(self._added)
