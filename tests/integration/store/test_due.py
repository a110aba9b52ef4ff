"""Waiting notifications that become due: retries, scheduled sends; on both databases."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Row, select, update

from notify.message import Notification, Outcome, Status
from notify.store import Claim, Claimed, Entry, StatusChange, Store, Story
from notify.store.delivery.cancel import REASON, Cancelled, cancel_waiting
from notify.store.relays.due import Due, lease_due, mark_due_published
from notify.store.tables import notifications
from tests.support.migrated import migrated
from tests.support.patience import PATIENCE
from tests.support.recording import (
    LATER,
    LEASE,
    NOW,
    accepted,
    answer_to,
    asked,
    begin,
    call_for,
    claim_one,
    put_off,
)

WAITING = (Status.SCHEDULED, Status.QUEUED)
SECOND = timedelta(seconds=1)
DUE = NOW + LEASE


def _story(store: Store, notification: Notification) -> Story:
    story = store.get(notification.id)
    assert story is not None
    return story


def _waiting(store: Store) -> Notification:
    """One whose first call failed, due again at `DUE`."""
    entry = begin(store)
    store.record([put_off(entry)])
    return entry.notification


def _scheduled(store: Store, **changes: object) -> Notification:
    """One that is to be sent at `DUE`."""
    notification = asked(send_at=DUE, **changes)
    entry = Entry(notification, Status.SCHEDULED, due_at=DUE)
    assert claim_one(store, entry) is Claim.OWNED
    return notification


def _take(store: Store, *, now: datetime = LATER, limit: int = 100) -> list[Due]:
    with store.writing() as connection:
        return lease_due(connection, WAITING, now=now, lease=LEASE, limit=limit)


def _note(store: Store, rows: list[Due]) -> None:
    with store.writing() as connection:
        mark_due_published(connection, rows, now=LATER)


def _row(store: Store, notification: Notification) -> Row[object]:
    with store.reading() as connection:
        query = select(notifications).where(notifications.c.id == notification.id)
        return connection.execute(query).one()


def test_a_retry_that_is_due_is_taken_up_under_a_higher_fence(store: Store) -> None:
    """The second call is numbered, and what is known of the first comes with the answer."""
    notification = _waiting(store)
    again = call_for(notification)
    assert answer_to(store, again, now=DUE) == Claimed(Claim.OWNED, 2, 1, NOW)
    story = _story(store, notification)
    assert (story.status, story.summary.lease_until) == (Status.SENDING, DUE + LEASE)
    assert [attempt.number for attempt in story.attempts] == [1, 2]
    assert [attempt.outcome for attempt in story.attempts] == [Outcome.NOT_SENT, None]
    assert store.record([accepted(again, fence=2, spent=2)]) == set()
    assert _row(store, notification).spent == 2


def test_the_same_call_asked_for_again_is_recognised(store: Store) -> None:
    """After a commit whose answer was lost: still owned, nothing written twice."""
    fresh = begin(store)
    assert answer_to(store, fresh, now=NOW + SECOND) == Claimed(Claim.OWNED, 1, 0, NOW)
    again = call_for(_waiting(store))
    first = answer_to(store, again, now=LATER)
    before = _story(store, again.notification)
    assert answer_to(store, again, now=LATER) == first == Claimed(Claim.OWNED, 2, 1, NOW)
    assert _story(store, again.notification) == before
    assert claim_one(store, call_for(again.notification), now=LATER) is Claim.BUSY


def test_a_copy_of_what_waits_for_its_time_is_a_duplicate(store: Store) -> None:
    """The record keeps the time: the message need not wait in a queue."""
    for notification in (_waiting(store), _scheduled(store)):
        before = _row(store, notification)
        assert claim_one(store, call_for(notification), now=DUE - SECOND) is Claim.DUPLICATE
        assert _row(store, notification) == before


def test_a_copy_that_comes_when_it_is_due_takes_it_up(store: Store) -> None:
    """Whatever the origin of the message, the lane's deadline starts with its first call."""
    notification = _scheduled(store)
    assert answer_to(store, call_for(notification), now=DUE) == Claimed(Claim.OWNED, 2, 0, None)
    assert _take(store) == []


def test_an_end_without_a_call_of_what_waited_is_an_event(store: Store) -> None:
    """It expired before its next attempt."""
    notification = _waiting(store)
    end = Entry(notification, Status.EXPIRED, reason="late")
    assert claim_one(store, end, now=DUE) is Claim.OWNED
    story = _story(store, notification)
    assert (story.status, story.summary.reason) == (Status.EXPIRED, "late")
    assert [event.status for event in story.events] == [Status.QUEUED, Status.EXPIRED]
    assert _row(store, notification).due_at is None


def test_what_is_due_is_taken_oldest_first_and_once(store: Store) -> None:
    """A second relay gets nothing while the first holds it; after the hold it gets all."""
    wanted = [_waiting(store), _scheduled(store)]
    assert _take(store, now=DUE - SECOND) == []
    first = _take(store, limit=1)
    second = _take(store)
    assert {row.id for row in first + second} == {each.id for each in wanted}
    assert _take(store, now=LATER + LEASE - SECOND) == []
    assert len(_take(store, now=LATER + LEASE)) == 2


def test_what_was_published_is_left_to_the_broker(store: Store) -> None:
    """Queued, without a time, until a worker takes it up."""
    notification = _scheduled(store)
    _note(store, _take(store))
    row = _row(store, notification)
    assert (row.status, row.due_at, row.relay_until) == ("queued", None, None)
    assert _take(store, now=LATER + 9 * LEASE) == []
    assert claim_one(store, call_for(notification), now=LATER) is Claim.OWNED


def test_a_note_that_comes_late_changes_nothing(store: Store) -> None:
    """A worker was quicker, and has even put it off again."""
    notification = _waiting(store)
    rows = _take(store)
    again = call_for(notification)
    assert claim_one(store, again, now=LATER) is Claim.OWNED
    store.record([put_off(again, fence=2, due_at=LATER + LEASE)])
    before = _row(store, notification)
    _note(store, rows)
    assert _row(store, notification) == before


def test_what_was_published_is_noted_of_rows_that_wait_only(store: Store) -> None:
    """One whose call was lost in between stays unknown, even if its look-up is leased as long."""
    notification, other = _waiting(store), _waiting(store)
    rows = _take(store)
    again = call_for(notification)
    assert claim_one(store, again, now=LATER) is Claim.OWNED
    unknown = {"outcome": Outcome.UNKNOWN, "status": Status.UNKNOWN, "due_at": LATER}
    store.record([put_off(again, fence=2, **unknown)])
    with store.writing() as connection:
        held = update(notifications).where(notifications.c.id == notification.id)
        connection.execute(held.values(relay_until=rows[0].leased_until))
    before = _row(store, notification)
    _note(store, rows)
    assert _row(store, notification) == before
    assert _row(store, other).due_at is None


@pytest.mark.parametrize("noted", [True, False])
def test_a_worker_whose_clock_is_behind_loses_nothing(store: Store, *, noted: bool) -> None:
    """It is due by the relay's clock: a retry is delivered, a scheduled one waits."""
    retry, scheduled = _waiting(store), _scheduled(store)
    rows = _take(store)
    if noted:
        _note(store, rows)
    behind = DUE - 9 * SECOND
    assert claim_one(store, call_for(retry), now=behind) is Claim.OWNED
    entry = Entry(scheduled, Status.SCHEDULED, due_at=DUE)
    assert claim_one(store, entry, now=behind) is Claim.BUSY
    assert claim_one(store, call_for(scheduled), now=DUE) is Claim.OWNED


def test_cancelling_takes_what_waits_and_leaves_the_rest(store: Store) -> None:
    """Scheduled, deferred, published: cancelled. Claimed or ended: not."""
    waiting = [_waiting(store), _scheduled(store), _scheduled(store)]
    _note(store, _take(store, limit=1))
    ended = begin(store)
    store.record([accepted(ended)])
    for each in waiting:
        with store.writing() as connection:
            assert cancel_waiting(connection, each.id, now=LATER) == Cancelled([each.id], {})
        story = _story(store, each)
        assert (story.status, story.summary.reason) == (Status.CANCELLED, REASON)
        assert story.events[-1] == StatusChange(LATER, Status.CANCELLED, REASON)
        assert claim_one(store, call_for(each), now=LATER) is Claim.DUPLICATE
    for entry, status in ((begin(store), Status.SENDING), (ended, Status.SENT)):
        id_ = entry.notification.id
        with store.writing() as connection:
            assert cancel_waiting(connection, id_, now=LATER) == Cancelled([], {id_: status})
    assert _take(store, now=LATER + 9 * LEASE) == []


def test_cancelling_a_batch_cancels_its_members_in_order(store: Store) -> None:
    """Those that a worker has, or had, are told with their status."""
    batch, other = uuid4(), _scheduled(store)
    people = [_scheduled(store, batch_id=batch, position=3 - number) for number in range(4)]
    taken = call_for(people[1])
    assert claim_one(store, taken, now=DUE) is Claim.OWNED
    with store.writing() as connection:
        done = cancel_waiting(connection, batch, now=LATER)
        assert cancel_waiting(connection, uuid4(), now=LATER) == Cancelled([], {})
    assert done == Cancelled(
        [people[3].id, people[2].id, people[0].id], {people[1].id: Status.SENDING}
    )
    assert _story(store, other).status is Status.SCHEDULED


def test_a_worker_and_an_operator_at_once_leave_one_decision(store: Store) -> None:
    """Either it is cancelled and not called, or called and not cancelled."""
    waiting = [_scheduled(store) for _ in range(40)]
    barrier = Barrier(2)

    def take_up() -> set[UUID]:
        barrier.wait(PATIENCE)
        answers = {each.id: claim_one(store, call_for(each), now=LATER) for each in waiting}
        return {id_ for id_, answer in answers.items() if answer is Claim.OWNED}

    def take_back() -> set[UUID]:
        barrier.wait(PATIENCE)
        done: set[UUID] = set()
        for each in reversed(waiting):
            with store.writing() as connection:
                done.update(cancel_waiting(connection, each.id, now=LATER).ids)
        return done

    with ThreadPoolExecutor(2) as pool:
        works = [pool.submit(take_up), pool.submit(take_back)]
        taken, cancelled = (work.result(PATIENCE) for work in works)
    assert taken | cancelled == {each.id for each in waiting}
    assert taken & cancelled == set()


@pytest.mark.parametrize("zone", ["UTC", "Europe/Berlin"])
def test_the_hour_that_occurs_twice_is_two_hours(
    store_url: str, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    """Neither the machine's zone nor the database session's moves what is due in that night."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    if store_url.startswith("postgresql"):
        store_url += f"?options=-c%20timezone%3D{zone}"
    store = migrated(store_url)
    # 02:30 in Berlin on the 25th of October 2026: first in summer time, an hour later in winter.
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    for instant in (first, second):
        due_at = instant.astimezone(ZoneInfo("Europe/Berlin"))
        entry = Entry(asked(), Status.SCHEDULED, due_at=due_at)
        assert claim_one(store, entry, now=first - LEASE) is Claim.OWNED
    assert _take(store, now=first - SECOND) == []
    assert len(_take(store, now=first)) == 1
    assert _take(store, now=first + timedelta(seconds=59)) == []
    _note(store, _take(store, now=second - SECOND))
    assert len(_take(store, now=second)) == 1
    store.close()
    monkeypatch.undo()
    time.tzset()
