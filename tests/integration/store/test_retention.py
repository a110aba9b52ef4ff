"""Which rows leave the record in time, and which never do; on both databases."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, func, insert, select, update

from notify.deadletters import discard
from notify.ledger.ledger import build_ledger
from notify.message import Outcome, Status
from notify.privacy.retention import Deleted, Keep, count_old, delete_old
from notify.store import Claim, Entry, Store
from notify.store.audit import Actor, write_audit
from notify.store.delivery.claim_known import claim_known
from notify.store.privacy import RetentionCutoff
from notify.store.privacy.old_hours import next_hours
from notify.store.tables import attempts, cap_uses, dead_letters, events, notifications
from tests.support.burying import arrival, body_of, bury, order, read, replayer
from tests.support.recording import (
    LEASE,
    NOW,
    accepted,
    asked,
    begin,
    call_for,
    claim_one,
    put_off,
    rejected,
)

ANN = Actor("ann@ops-1", "INC-7")
DAY = timedelta(days=1)
KEEP = Keep(
    lanes={"critical": 7 * DAY, "bulk": 20 * DAY}, others=30 * DAY, waiting=40 * DAY, audit=90 * DAY
)
MINUTE = timedelta(minutes=1)


def _sent(store: Store, **changes: Any) -> UUID:
    entry = begin(store, **changes)
    store.record([accepted(entry)])
    return entry.notification.id


def _told(store: Store) -> None:
    """Have all events published."""
    with store.writing() as connection:
        connection.execute(update(events).values(to_publish=False))


def _left(store: Store) -> set[UUID]:
    with store.reading() as connection:
        return set(connection.execute(select(notifications.c.id)).scalars())


def _delete(store: Store, *, after: timedelta, batch: int = 2) -> Deleted:
    deleted = delete_old(store, KEEP, now=NOW + after, batch=batch, sleep=lambda _: None)
    assert build_ledger(store, now=NOW + after).balanced
    return deleted


def test_what_is_over_leaves_with_all_that_belongs_to_it(store: Store) -> None:
    """Each lane at its own time; the ledger balances all the way, and other rows stay."""
    critical = [_sent(store) for _ in range(3)]
    bulk, other = _sent(store, lane="bulk"), _sent(store, lane="gone")
    with store.writing() as connection:
        uses = [{"notification_id": id_, "name": "cap", "ends": 0} for id_ in (*critical, bulk)]
        connection.execute(insert(cap_uses), uses)
    _told(store)
    assert _delete(store, after=7 * DAY - MINUTE) == Deleted()
    assert count_old(store, KEEP, now=NOW + 7 * DAY + MINUTE) == Deleted(notifications=3)
    assert _delete(store, after=7 * DAY + MINUTE) == Deleted(3, 3, 3)
    assert _left(store) == {bulk, other}
    with store.reading() as connection:
        for table in (attempts, events):
            assert connection.execute(select(func.count()).select_from(table)).scalar_one() == 2
        assert list(connection.execute(select(cap_uses.c.notification_id)).scalars()) == [bulk]
    _delete(store, after=20 * DAY + MINUTE)
    assert _left(store) == {other}
    _delete(store, after=30 * DAY + MINUTE)
    assert _left(store) == set()


def _scheduled(store: Store) -> None:
    claim_one(store, Entry(asked(), Status.SCHEDULED, due_at=NOW + 300 * DAY))


def _queued(store: Store) -> None:
    store.record([put_off(begin(store))])


def _sending(store: Store) -> None:
    begin(store)


def _untold(store: Store) -> None:
    _sent(store)
    with store.writing() as connection:
        connection.execute(update(events).values(to_publish=True))


def _looked_up(store: Store) -> None:
    entry = begin(store)
    due = {"outcome": Outcome.UNKNOWN, "status": Status.UNKNOWN, "due_at": NOW + 300 * DAY}
    store.record([accepted(entry, **due)])


def _of_a_waiting_letter(store: Store) -> None:
    """A batch of two, one of which failed: a replay of its letter must know the other."""
    body = body_of(uuid4(), to=["ann@example.com", "bob@example.com"])
    for each in read(body):
        entry = call_for(each)
        claim_one(store, entry)
        store.record([accepted(entry) if each.position else rejected(entry)])
    bury(store, arrival(body), now=NOW + 300 * DAY)


@pytest.mark.parametrize(
    "plant", [_scheduled, _queued, _sending, _untold, _looked_up, _of_a_waiting_letter]
)
def test_what_is_not_over_stays_however_old_it_is(
    store: Store, plant: Callable[[Store], None]
) -> None:
    """It waits to be sent, to be told, to be looked up, or to be replayed."""
    plant(store)
    if plant is not _untold:
        _told(store)
    before = _left(store)
    delete_old(store, KEEP, now=NOW + 301 * DAY, sleep=lambda _: None)
    assert _left(store) == before != set()


def test_what_waits_for_a_person_is_kept_for_longer(store: Store) -> None:
    """Then it is deleted too, since data must not stay for ever."""
    entry = begin(store)
    store.record([accepted(entry, outcome=Outcome.UNKNOWN, status=Status.UNKNOWN)])
    bury(store, arrival(b"poison"))
    _told(store)
    assert _delete(store, after=39 * DAY) == Deleted()
    assert _delete(store, after=41 * DAY) == Deleted(1, 1, 1, letters=1, unsettled=1)


def test_settled_letters_leave_as_notifications_do(store: Store) -> None:
    """Counted from their settling; one whose replay is still to be sent stays."""
    (poison,) = bury(store, arrival(b"poison"))
    discard(store, [poison.id], ANN, now=NOW + 3 * DAY)
    _, early, late = bury(store, *(arrival(body_of(uuid4())) for _ in range(2)))
    list(replayer(store).replay(order(store), ANN, replay_id=uuid4()))
    with store.writing() as connection:
        its = dead_letters.c.id == late.id
        later = NOW + 30 * DAY
        connection.execute(update(dead_letters).where(its).values(replay_until=later))
    assert _delete(store, after=9 * DAY).letters == 1
    assert _delete(store, after=11 * DAY).letters == 1
    with store.reading() as connection:
        left = [row.id for row in connection.execute(select(dead_letters.c.id))]
    assert left == [late.id] != [early.id]


def test_the_audit_is_kept_for_longest(store: Store) -> None:
    """In small steps as well."""
    for _ in range(3):
        with store.writing() as connection:
            write_audit(connection, ANN, "cancel", details={}, at=NOW)
    assert _delete(store, after=89 * DAY).audit == 0
    assert _delete(store, after=91 * DAY).audit == 3


def test_with_the_row_its_key_is_forgotten(store: Store) -> None:
    """The same request after that is a new one: docs/guarantees.md says so."""
    entry = begin(store)
    store.record([accepted(entry)])
    _told(store)
    assert claim_one(store, call_for(entry.notification)) is Claim.DUPLICATE
    _delete(store, after=8 * DAY)
    assert claim_one(store, call_for(entry.notification)) is Claim.OWNED


def test_a_row_that_goes_while_its_double_is_examined_is_no_conflict(store: Store) -> None:
    """The double is looked at again, and is new then."""
    entry = call_for(asked())
    with store.writing() as connection:
        answers = claim_known(connection, [entry], {}, now=NOW, lease=LEASE)
    assert answers[entry.notification.identity].claim is Claim.BUSY


def test_a_lane_reads_only_the_hours_that_have_its_notifications(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Rows of a lane that is kept for longer are not walked over again each day."""
    hour, spans = timedelta(hours=1), []
    for lane, hours in (("bulk", range(0, 96, 24)), ("critical", (1, 2, 30))):
        for number in hours:
            entry = begin(store, now=NOW + number * hour, lane=lane)
            store.record([accepted(entry)])
    _told(store)

    def noted(connection: Connection, old: RetentionCutoff, **where: Any) -> Any:
        span = next_hours(connection, old, **where)
        if "critical" in old.lanes and not old.others and span is not None:
            spans.append(span)
        return span

    monkeypatch.setattr("notify.store.privacy.retention.next_hours", noted)
    delete_old(store, KEEP, now=NOW + 10 * DAY, batch=2, sleep=lambda _: None)
    assert len(_left(store)) == 4
    first = NOW.replace(minute=0, second=0, microsecond=0)
    walked = [(begin - first, end - first) for begin, end in spans]
    # After a full batch it continues where that ended.
    assert all(hour <= begin and end <= 31 * hour for begin, end in walked)
    assert sum((end - begin for begin, end in walked), timedelta()) <= 4 * hour
