"""Holds on both databases: placed, ended, and what they kept comes due, each once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID

import pytest

from notify.message import Channel, Status
from notify.policies.holds import Hold, Scope
from notify.store import Claim, Entry, Store
from notify.store.db.clock import read_clock
from notify.store.delivery.cancel import cancel_waiting
from notify.store.flow.holds import (
    count_held,
    count_waiting,
    current,
    hold_ids_in_use,
    lift,
    place,
    release_ended,
)
from notify.store.relays.due import lease_due, mark_due_published
from tests.support.recording import LATER, LEASE, NOW, asked, begin, call_for, claim_one, put_off

FAR = LATER + 1000 * LEASE


def _place(store: Store, scope: Scope, *, seconds: float | None = None) -> Hold:
    with store.writing() as connection:
        return place(connection, scope, actor="ann@ops-1", reason="INC-12", seconds=seconds)


def _lift(store: Store, *ids: int) -> list[Hold]:
    with store.writing() as connection:
        return lift(connection, ids)


def _standing(store: Store) -> list[Hold]:
    with store.reading() as connection:
        return current(connection)[0]


def _keep(store: Store, hold: Hold, *, due_at: datetime = FAR, **changes: Any) -> UUID:
    """Set one notification aside for a hold, as a worker does."""
    entry = Entry(asked(**changes), Status.QUEUED, due_at=due_at, hold_id=hold.id)
    assert claim_one(store, entry) is Claim.OWNED
    return entry.notification.id


def _keepers(store: Store) -> list[int]:
    with store.reading() as connection:
        return list(hold_ids_in_use(connection))


def _wake(store: Store, *holds: Hold, limit: int = 100) -> int:
    with store.writing() as connection:
        return release_ended(connection, [hold.id for hold in holds], now=NOW, limit=limit)


def _due(store: Store) -> set[UUID]:
    with store.writing() as connection:
        statuses = [Status.SCHEDULED, Status.QUEUED]
        return {row.id for row in lease_due(connection, statuses, now=NOW, lease=LEASE, limit=1000)}


def test_a_hold_stands_from_when_it_is_placed(store: Store) -> None:
    """With all that was said of it, by the database's clock."""
    scope = Scope(channel=Channel.SMS, lane="bulk", source="crm", template="welcome")
    placed = _place(store, scope, seconds=1800)
    with store.reading() as connection:
        (found,), now = current(connection)
    assert found == placed
    assert replace(found, id=1, since=0, until=None) == Hold(
        id=1,
        channel=Channel.SMS,
        lane="bulk",
        source="crm",
        template="welcome",
        actor="ann@ops-1",
        reason="INC-12",
        since=0,
    )
    assert isinstance(found.channel, Channel)
    assert found.until is not None
    assert found.until - found.since == pytest.approx(1800, abs=0.1)
    assert 0 <= now - found.since < 30


def test_a_hold_ends_by_itself_or_by_an_operator(store: Store) -> None:
    """An ended hold cannot be ended again."""
    over = _place(store, Scope(), seconds=-1)
    forever = _place(store, Scope(provider="sendgrid"))
    long = _place(store, Scope(lane="bulk"), seconds=60)
    assert _standing(store) == [forever, long]
    (lifted,) = _lift(store, over.id, long.id)
    assert (lifted.id, lifted.until is not None) == (long.id, True)
    assert _standing(store) == [forever]
    assert _lift(store, long.id) == []


def test_an_ended_holds_id_is_never_given_again(store: Store) -> None:
    """Or the next hold would keep what waits for the last."""
    first = _place(store, Scope())
    _lift(store, first.id)
    assert _place(store, Scope()).id > first.id


def test_what_an_ended_hold_kept_comes_due(store: Store) -> None:
    """A notification under another hold keeps waiting."""
    holds = [_place(store, Scope(source=str(number))) for number in range(5)]
    ids = [_keep(store, hold) for hold in holds]
    assert _wake(store, holds[0], holds[2], holds[4]) == 3
    assert _due(store) == {ids[0], ids[2], ids[4]}
    standing = [holds[1].id, holds[3].id]
    with store.reading() as connection:
        assert count_held(connection, [hold.id for hold in holds]) == dict.fromkeys(standing, 1)
    assert _wake(store, holds[0]) == 0
    assert _wake(store) == 0


def test_all_holds_are_found_that_keep_something(store: Store) -> None:
    """Ended ones too: a worker that had not heard of the end may have set something aside."""
    holds = [_place(store, Scope()) for _ in range(4)]
    assert _keepers(store) == []
    for hold in (holds[0], holds[3], holds[3], holds[1]):
        _keep(store, hold)
    _lift(store, holds[1].id)
    assert _keepers(store) == [holds[0].id, holds[1].id, holds[3].id]
    _wake(store, holds[1])
    assert _keepers(store) == [holds[0].id, holds[3].id]


def test_they_come_due_in_batches(store: Store) -> None:
    """Of the oldest hold first."""
    first, second = (_place(store, Scope()) for _ in range(2))
    later = {_keep(store, second) for _ in range(3)}
    earlier = {_keep(store, first) for _ in range(3)}
    assert _wake(store, second, first, limit=3) == 3
    assert _due(store) == earlier
    assert _wake(store, second, first, limit=100) == 3
    assert _due(store) == later


def test_the_end_of_a_hold_delays_and_revives_nothing(store: Store) -> None:
    """An expired, cancelled or scheduled notification does not change."""
    hold = _place(store, Scope())
    early = _keep(store, hold, due_at=NOW - LEASE)
    cancelled = _keep(store, hold)
    with store.writing() as connection:
        cancel_waiting(connection, cancelled, now=NOW)
    scheduled = Entry(asked(), Status.SCHEDULED, due_at=FAR, hold_id=hold.id)
    assert claim_one(store, scheduled) is Claim.OWNED
    assert _wake(store, hold) == 2
    assert _keepers(store) == []
    with store.reading() as connection:
        assert count_held(connection, [hold.id]) == {}
    stories = [store.get(id_) for id_ in (early, cancelled, scheduled.notification.id)]
    assert [(story.status, story.summary.due_at) for story in stories if story] == [
        (Status.QUEUED, NOW - LEASE),
        (Status.CANCELLED, None),
        (Status.SCHEDULED, FAR),
    ]


def test_what_the_broker_has_by_now_is_not_published_again(store: Store) -> None:
    """Its time came while it was held, by its own expiry."""
    hold = _place(store, Scope())
    id_ = _keep(store, hold, due_at=NOW)
    with store.writing() as connection:
        (row,) = lease_due(connection, [Status.QUEUED], now=NOW, lease=LEASE, limit=10)
        mark_due_published(connection, [row], now=NOW)
    assert _wake(store, hold) == 1
    assert _due(store) == set()
    story = store.get(id_)
    assert story is not None
    assert story.summary.due_at is None


def test_every_worker_wakes_and_each_row_wakes_once(store: Store) -> None:
    """They share the work, and none waits for another."""
    hold = _place(store, Scope())
    ids = {_keep(store, hold) for _ in range(60)}
    with ThreadPoolExecutor(4) as pool:
        counts = list(pool.map(lambda _: _wake(store, hold, limit=5), range(40)))
    assert sum(counts) == 60
    assert _due(store) == ids


def test_what_waits_in_the_record_is_counted_by_status(store: Store) -> None:
    """All filters must fit; what the broker has, what is under way and what ended is left out."""
    scheduled = Entry(asked(source="crm"), Status.SCHEDULED, due_at=FAR)
    claim_one(store, scheduled)
    retry = begin(store, source="crm", lane="bulk")
    store.record([put_off(retry)])
    begin(store, source="crm")
    with_broker = call_for(asked(source="crm"))
    claim_one(store, with_broker)
    store.record([put_off(with_broker, due_at=None)])
    claim_one(store, Entry(asked(), Status.SCHEDULED, due_at=FAR))
    with store.reading() as connection:
        assert count_waiting(connection, Scope(source="crm")) == {
            Status.SCHEDULED: 1,
            Status.QUEUED: 1,
        }
        assert count_waiting(connection, Scope(source="crm", lane="bulk")) == {Status.QUEUED: 1}
        assert count_waiting(connection, Scope(source="crm", channel=Channel.SMS)) == {}
        assert count_waiting(connection, Scope()) == {Status.SCHEDULED: 2, Status.QUEUED: 1}


def test_the_clock_runs_within_a_transaction(store: Store) -> None:
    """A transaction that began early does not count in the past."""
    with store.reading() as connection:
        first = read_clock(connection)
        while read_clock(connection) == first:
            pass
        assert 0 < read_clock(connection) - first < 30
