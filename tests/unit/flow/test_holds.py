"""Holds as one worker process knows them: those it read last, and those that end by themselves."""

from __future__ import annotations

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from sqlalchemy import text

from notify.errors import StoreError
from notify.flow.holds import BATCH_SIZE, Holds
from notify.message import Channel, Status
from notify.policies.holds import Hold, Scope
from notify.store import Claim, Entry, Filter, Store
from notify.store.flow import holds as record
from tests.support.clocks import Clock
from tests.support.recording import LEASE, asked, claim_one


@pytest.fixture
def monotonic() -> Clock:
    """This process's clock."""
    return Clock()


@pytest.fixture
def holds(store: Store, monotonic: Clock) -> Holds:
    """The state of a process that has just started."""
    return Holds(store, monotonic=monotonic)


def _place(store: Store, scope: Scope, *, seconds: float | None = None) -> Hold:
    with store.writing() as connection:
        return record.place(connection, scope, actor="ann", reason="why", seconds=seconds)


def _lift(store: Store, hold: Hold) -> None:
    with store.writing() as connection:
        assert record.lift(connection, [hold.id])


def _keep(store: Store, hold: Hold) -> UUID:
    far = datetime.now(UTC) + timedelta(days=1)
    entry = Entry(asked(), Status.QUEUED, due_at=far, hold_id=hold.id)
    assert claim_one(store, entry) is Claim.OWNED
    return entry.notification.id


def _due(store: Store) -> list[UUID]:
    now = datetime.now(UTC)
    return [
        each.id
        for each in store.find(Filter(), limit=10_000)
        if each.due_at is not None and each.due_at <= now
    ]


def test_a_hold_is_known_from_the_next_refresh_on(store: Store, holds: Holds) -> None:
    """And forgotten by the look after its end."""
    wanted = asked(source="crm")
    assert holds.match(wanted) is None
    placed = _place(store, Scope(source="crm"))
    assert holds.match(wanted) is None
    holds.refresh()
    assert holds.match(wanted) == placed
    assert holds.match(asked()) is None
    _lift(store, placed)
    assert holds.match(wanted) == placed
    holds.refresh()
    assert holds.match(wanted) is None


def test_nothing_held_slips_out_of_a_process_that_has_just_started(
    store: Store, holds: Holds
) -> None:
    """It may have met the record away, and have it back before its next look."""
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE holds RENAME TO gone"))
    with pytest.raises(StoreError):
        holds.match(asked())
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO holds"))
    placed = _place(store, Scope())
    assert holds.match(asked()) == placed


def test_queues_and_providers_are_asked_for_by_name(store: Store, holds: Holds) -> None:
    """Each by what stops it whole."""
    queue = _place(store, Scope(channel=Channel.SMS, lane="bulk"))
    _place(store, Scope(channel=Channel.SMS, lane="normal", source="crm"))
    provider = _place(store, Scope(provider="sendgrid"))
    holds.refresh()
    assert holds.stops_queue(Channel.SMS, "bulk") == queue
    assert holds.stops_queue(Channel.SMS, "normal") is None
    assert holds.stops_queue(Channel.EMAIL, "bulk") is None
    assert holds.stops_provider("sendgrid") == provider
    assert holds.stops_provider("twilio") is None
    assert holds.match(asked(channel=Channel.SMS, lane="bulk")) == queue


def test_a_hold_ends_in_time_though_the_record_is_away(
    store: Store, holds: Holds, monotonic: Clock
) -> None:
    """Its end is reckoned by this process's own clock, in seconds from when it was read."""
    monotonic.keep(store)
    forever, brief = _place(store, Scope(lane="bulk")), _place(store, Scope(), seconds=60)
    holds.refresh()
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE holds RENAME TO gone"))
    with pytest.raises(StoreError):
        holds.refresh()
    monotonic.pass_(59)
    assert holds.match(asked()) == brief
    monotonic.pass_(1.1)
    assert holds.match(asked()) is None
    assert holds.match(asked(lane="bulk")) == forever


def test_what_an_ended_hold_kept_comes_due_at_the_next_look(store: Store, holds: Holds) -> None:
    """Whether it was released or its time was over; messages of other holds still wait."""
    standing, lifted = _place(store, Scope()), _place(store, Scope())
    over = _place(store, Scope(), seconds=-1)
    kept = [_keep(store, hold) for hold in (standing, lifted, over)]
    _lift(store, lifted)
    holds.refresh()
    assert sorted(_due(store)) == sorted(kept[1:])


def test_what_is_set_aside_late_comes_due_by_a_process_that_never_knew_the_hold(
    store: Store, holds: Holds
) -> None:
    """Its worker was killed right after; the hold ended before this process started."""
    hold = _place(store, Scope(), seconds=-1)
    holds.refresh()
    late = _keep(store, hold)
    holds.refresh()
    assert _due(store) == [late]


def test_many_come_due_over_several_looks(store: Store, holds: Holds) -> None:
    """So that neither the record nor the queues take a blow."""
    hold = _place(store, Scope())
    far = datetime.now(UTC) + timedelta(days=1)
    entries = [
        Entry(asked(), Status.QUEUED, due_at=far, hold_id=hold.id) for _ in range(BATCH_SIZE + 10)
    ]
    store.claim(entries, now=datetime.now(UTC), lease=LEASE)
    _lift(store, hold)
    holds.refresh()
    assert len(_due(store)) == BATCH_SIZE
    holds.refresh()
    assert len(_due(store)) == BATCH_SIZE + 10


def test_a_look_writes_nothing_while_nothing_has_ended(
    store: Store, holds: Holds, tmp_path: Path
) -> None:
    """Twice a second in every process, beside those who have work to write."""
    _keep(store, _place(store, Scope()))
    holds.refresh()
    other = sqlite3.connect(tmp_path / "notify.db", isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    # A second writer would wait for it half a minute, and fail.
    holds.refresh()
    other.close()
