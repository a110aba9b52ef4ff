"""
Checking the record in slices, each in a transaction of its own, and remembering what was checked.

A run checks the notifications received since the last one, those that changed since then, those
that are open, those that the last run found contradictory, and some hours whose check is the
oldest. Its time grows with what has changed, not with the record.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_

from notify.ledger.upkeep import keep_up
from notify.message import lowest_id
from notify.store import Store
from notify.store.ledger import (
    ORPHANS,
    Doubt,
    Fault,
    find_contradictions,
    find_orphans,
    slices,
)
from notify.store.totals import (
    HOUR,
    RECENT,
    Group,
    change_totals,
    hour_begin,
    hour_of,
    lock_totals,
    mark_open,
    read_progress,
    write_progress,
)

GRACE = timedelta(minutes=5)
"""How long after its due time or lease a row may still be handled by a live process."""
SETTLED_AFTER = timedelta(minutes=10)
"""Transactions are shorter: each event that is older is visible if it ever will be."""
CHECKED_AGAIN = 24
"""Hours that were checked before, and are checked again in one run."""

Found = Iterable[tuple[Fault | Doubt, UUID]]


@dataclass(frozen=True, slots=True)
class Miscount:
    """A kept total that differed from its rows; it was corrected."""

    group: Group
    kept: int
    counted: int

    def __str__(self) -> str:
        """Return it for operators: hour, group and both numbers."""
        group = self.group
        what = f"{group.channel} {group.lane} {group.status}"
        hour = group.begin.isoformat(timespec="minutes")
        return (
            f"{what}, received in the hour from {hour}: {self.counted} on record, {self.kept} kept"
        )


@dataclass(slots=True)
class Findings:
    """The findings of one run; each contradiction of a notification counts once."""

    most: int
    """The largest number of ids to list for each contradiction."""
    counts: Counter[Fault | Doubt] = field(default_factory=Counter)
    ids: dict[Fault | Doubt, list[UUID]] = field(default_factory=lambda: defaultdict(list))
    seen: set[tuple[Fault | Doubt, UUID]] = field(default_factory=set)
    miscounts: list[Miscount] = field(default_factory=list)

    def add(self, found: Found) -> None:
        """Count what was found."""
        for each in found:
            if each in self.seen:
                continue
            self.seen.add(each)
            kind, id_ = each
            self.counts[kind] += 1
            if self.counts[kind] <= self.most:
                self.ids[kind].append(id_)

    @property
    def suspects(self) -> set[UUID]:
        """The notifications to check again in the next run."""
        return {id_ for _, id_ in self.seen}


class Check:
    """One run over the record."""

    def __init__(self, store: Store, *, now: datetime, ids: int, full: bool) -> None:
        self._store = store
        self._now = now
        self._findings = Findings(ids)
        with store.reading() as connection:
            before = read_progress(connection)
            self._suspects = slices.read_suspects(connection)
            self._safe_event = slices.newest_event(connection, before=now - SETTLED_AFTER)
            # Notifications received before then were checked by an earlier run.
            self._since = None if full else before.checked_until
            self._again = (
                slices.longest_unchecked(connection, most=CHECKED_AGAIN) if self._since else []
            )
        self._events_until = before.events_until if self._since else None
        self._totals_ready = before.totals_ready

    def run(self) -> Findings:
        """
        Check what is due, and remember it.

        Raises:
            StoreError: The record cannot be used; the hours until then are remembered.
        """
        keep_up(self._store, now=self._now)
        for hours in self._again:
            self._check_hours(hours)
        self._check_new_hours()
        if self._since is not None:
            self._check_older_ones(self._since)
        for kind in ORPHANS:
            self._check_orphans(kind)
        self._remember_all()
        return self._findings

    def _check_new_hours(self) -> None:
        since, last = self._since, hour_of(self._now) - 1
        while (hours := self._next_hours(since, before=last)) is not None:
            self._check_hours(hours)
            since = hour_begin(hours.stop)
            if hours.start < last:
                with self._store.writing() as connection:
                    slices.remember_hours(connection, hours, now=self._now)
                    _remember(connection, checked_until=since)

    def _next_hours(self, since: datetime | None, *, before: int) -> range | None:
        with self._store.reading() as connection:
            return slices.next_hours(connection, since=since, before=before)

    def _check_hours(self, hours: range) -> None:
        """Check the notifications received in some hours, and their totals."""
        self._contradictions(slices.in_hours(hours))
        if not self._totals_ready:
            with self._store.writing() as connection:
                mark_open(connection, since=hour_begin(hours.start), until=hour_begin(hours.stop))
        with self._store.reading() as connection:
            slices.allow_minutes(connection)
            differs = slices.find_miscounts(connection, hours)
        if differs:
            self._correct(hours)

    def _correct(self, hours: range) -> None:
        with self._store.writing() as connection:
            slices.allow_minutes(connection)
            lock_totals(connection)
            differs = slices.find_miscounts(connection, hours)
            changes = {group: counted - kept for group, (kept, counted) in differs.items()}
            change_totals(connection, changes)
        if self._totals_ready:
            self._findings.miscounts += [Miscount(group, *both) for group, both in differs.items()]

    def _check_older_ones(self, since: datetime) -> None:
        """Check what was received before and has changed, is open, or was found by the last run."""
        before = slices.in_none_of(self._again, before=since)
        table = ORPHANS[Fault.EVENT_WITHOUT_ROW]
        with self._store.reading() as connection:
            changed = slices.id_slices(connection, table, after=self._events_until, until=None)
            rows = [slices.of_events(each) for each in changed]
            rows += slices.still_open(connection)
        for condition in (*rows, *slices.among(self._suspects)):
            self._contradictions(and_(before, condition))

    def _contradictions(self, rows: ColumnElement[bool]) -> None:
        with self._store.reading() as connection:
            slices.allow_minutes(connection)
            long_ago = self._now - GRACE
            self._findings.add(find_contradictions(connection, rows, long_ago=long_ago))

    def _check_orphans(self, kind: Fault) -> None:
        """Check that the new calls or events have a notification, and those of suspects."""
        table = ORPHANS[kind]
        after: Any = self._events_until
        until = None
        if kind is Fault.CALL_WITHOUT_ROW and self._since is not None:
            after, until = lowest_id(self._since - HOUR), lowest_id(self._now + HOUR)
        with self._store.reading() as connection:
            parts = [*slices.id_slices(connection, table, after=after, until=until)]
        for part in (*parts, *slices.rows_among(table, self._suspects)):
            with self._store.reading() as connection:
                slices.allow_minutes(connection)
                self._findings.add(find_orphans(connection, kind, part))

    def _remember_all(self) -> None:
        with self._store.writing() as connection:
            for hours in self._again:
                slices.remember_hours(connection, hours, now=self._now)
            slices.write_suspects(connection, self._findings.suspects)
            first = slices.next_hour(connection, since=None)
            slices.forget_hours(connection, before=hour_of(self._now) if first is None else first)
            _remember(connection, events_until=self._safe_event)
            if not self._totals_ready:
                _remember(connection, totals_ready=True, swept_until=self._now - RECENT)


def _remember(connection: Connection, **changes: Any) -> None:
    write_progress(connection, replace(read_progress(connection, lock=True), **changes))
