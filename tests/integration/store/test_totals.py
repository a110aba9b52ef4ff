"""The kept totals follow each change of a row, on both databases."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection, func, select, text, update
from sqlalchemy.event import listen, remove

from notify.ledger import count_record, keep_up
from notify.message import Status
from notify.privacy.retention import Keep, delete_old
from notify.store import Entry, Filter, Store
from notify.store.db.engine import connect
from notify.store.delivery.cancel import cancel_waiting
from notify.store.ledger.slices import find_miscounts
from notify.store.status_rules import RowTransition, Transition
from notify.store.tables import events, notifications, total_changes, totals
from notify.store.totals import LATE, RECENT, fold, hour_of, read_progress
from notify.store.transitions import per_row, transition, transition_each
from tests.support import planting
from tests.support.recording import LATER, LEASE, NOW, accepted, asked, begin, call_for, rejected
from tests.support.totals import counted_totals, kept_totals

DAY = timedelta(days=1)
KEEP = Keep(lanes={}, others=DAY, waiting=DAY, audit=DAY)


def _check(store: Store, **expected: int) -> None:
    kept = kept_totals(store)
    assert kept == counted_totals(store)
    by_status: dict[str, int] = {}
    for group, count in kept.items():
        by_status[group.status] = by_status.get(group.status, 0) + count
    assert by_status == expected


def test_each_way_to_settle_a_notification_counts_it(store: Store) -> None:
    """Claims that end at once, recorded calls, cancelling; open ones are not counted."""
    for plant in (planting.sending, planting.queued, planting.unknown, planting.scheduled):
        plant(store)
    _check(store)
    for plant in (planting.sent, planting.sent, planting.failed):
        plant(store)
    store.claim([Entry(asked(), Status.EXPIRED, reason="late")], now=NOW, lease=LEASE)
    id_ = planting.scheduled(store)
    with store.writing() as connection:
        cancel_waiting(connection, id_, now=NOW)
    _check(store, sent=2, rejected=1, expired=1, cancelled=1)


def test_miscounts_are_those_of_the_checked_hours(store: Store) -> None:
    """The ledger would otherwise correct the totals of hours that it has not compared."""
    planting.sent(store)
    entry = begin(store, now=NOW + timedelta(hours=3))
    store.record([accepted(entry)])
    first = hour_of(NOW)
    with store.writing() as connection:
        assert find_miscounts(connection, range(first, first + 1)) == {}
        assert find_miscounts(connection, range(first, first + 4)) == {}
        connection.execute(update(totals).values(count=5))
        connection.execute(update(total_changes).values(change=5))
        missed = find_miscounts(connection, range(first, first + 1))
    assert {group.hour: counts for group, counts in missed.items()} == {first: (5, 1)}


def test_a_change_between_settled_statuses_and_back_is_counted(store: Store) -> None:
    """A receipt says more; a replay opens a notification again."""
    sent, delivered, failed = (plant(store) for plant in (planting.sent,) * 2 + (planting.failed,))
    columns = notifications.c
    with store.writing() as connection:
        of_one = columns.id == delivered
        transition(
            connection, of_one, Transition(Status.DELIVERED, None), among=[Status.SENT], now=LATER
        )
        both = columns.id.in_([sent, delivered])
        bounced = Transition(Status.BOUNCED, None)
        transition(connection, both, bounced, among=[Status.SENT, Status.DELIVERED], now=LATER)
        again = RowTransition(failed, Status.REJECTED, Transition(Status.QUEUED, None, LATER))
        transition_each(connection, per_row(), [again], now=LATER)
    _check(store, bounced=2)


def test_deleted_notifications_leave_the_totals(store: Store) -> None:
    """So that the sum stays that of the rows."""
    planting.sent(store)
    planting.unknown(store)
    with store.writing() as connection:
        connection.execute(update(events).values(to_publish=False))
    _check(store, sent=1)
    deleted = delete_old(store, KEEP, now=NOW + 2 * DAY, sleep=lambda _: None)
    assert deleted.notifications == 2
    _check(store)


def test_folding_changes_no_total(store: Store) -> None:
    """Readers add the appended changes, so it does not matter when they are folded."""
    for _ in range(3):
        planting.sent(store)
    before = kept_totals(store)
    with store.writing() as connection:
        assert not fold(connection)
        left = connection.execute(select(func.count()).select_from(total_changes)).scalar_one()
    assert left == 0
    planting.sent(store)
    (group,) = before
    assert kept_totals(store) == {group: 4}


def test_an_open_notification_is_marked_unless_its_first_call_is_in_flight(store: Store) -> None:
    """The end of a first call then changes no indexed column."""
    marked = {
        plant: plant(store)
        for plant in (planting.queued, planting.unknown, planting.scheduled, planting.sent)
    }
    first = planting.sending(store)
    query = select(notifications.c.id).where(notifications.c.unsettled.is_(True))
    with store.reading() as connection:
        found: set[object] = set(connection.execute(query).scalars())
    assert found == {id_ for plant, id_ in marked.items() if plant is not planting.sent}
    assert first not in found


def test_a_first_call_that_lasts_is_marked_by_the_sweep(store: Store) -> None:
    """Then the index finds it, and only recent rows are searched besides."""
    lasting = planting.sending(store)
    now = planting.AFTERWARDS + timedelta(minutes=5)
    keep_up(store, now=now)
    with store.reading() as connection:
        assert read_progress(connection).swept_until == now - RECENT
    recent = begin(store, now=now).notification.id
    found = store.find(Filter(status=Status.SENDING))
    assert [each.id for each in found] == [recent, lasting]
    assert store.count(Filter(status=Status.SENDING)) == {Status.SENDING: 2}
    query = select(notifications.c.id).where(notifications.c.unsettled.is_(True))
    with store.reading() as connection:
        assert list(connection.execute(query).scalars()) == [lasting]


@pytest.mark.parametrize(("seconds", "marked"), [(LATE, False), (LATE + 1, True)])
def test_a_first_call_that_is_committed_late_is_marked(
    store: Store, migrated_url: str, seconds: float, marked: bool
) -> None:
    """The sweep may have passed the time of its receipt: no search would find it."""
    times = iter([0.0, seconds])
    late = Store(connect(migrated_url), monotonic=lambda: next(times))
    id_ = begin(late, now=NOW).notification.id
    late.close()
    query = select(notifications.c.id).where(notifications.c.unsettled.is_(True))
    with store.reading() as connection:
        assert list(connection.execute(query).scalars()) == [id_] * marked


def test_counts_of_a_span_are_those_of_its_rows(store: Store) -> None:
    """Whole hours by their totals, the parts of hours at both ends by their rows."""
    times = [NOW + minutes * timedelta(minutes=20) for minutes in range(12)]
    for at in times:
        entry = begin(store, now=at)
        store.record([accepted(entry, ended_at=at)])
    for since in (None, *times[::3]):
        for until in (None, *times[2::4]):
            span = [at for at in times if (not since or at >= since) and (not until or at < until)]
            wanted = Filter(since=since, until=until)
            assert sum(store.count(wanted).values()) == len(span)
            listed = store.find(Filter(since=since, until=until, status=Status.SENT), limit=100)
            assert [each.received_at for each in listed] == span[::-1]


def test_a_status_is_listed_from_the_hours_that_have_it(store: Store) -> None:
    """The newest first, and no more than wanted."""
    failed = []
    for hours in range(6):
        at = NOW + hours * timedelta(hours=3)
        for _ in range(3):
            entry = begin(store, now=at)
            store.record([accepted(entry, ended_at=at)])
        entry = begin(store, now=at)
        store.record([rejected(entry)])
        failed.append(entry.notification.id)
    for limit in (1, 4, 50):
        found = store.find(Filter(status=Status.REJECTED), limit=limit)
        assert [each.id for each in found] == failed[::-1][:limit]


@pytest.mark.parametrize(
    "read",
    [
        lambda store: store.count(Filter()),
        lambda store: store.find(Filter(status=Status.UNKNOWN)),
        lambda store: store.find(Filter(status=Status.SENDING)),
        lambda store: store.find(Filter(status=Status.EXPIRED)),
        lambda store: count_record(store, now=NOW + DAY),
    ],
    ids=["counts", "unknown", "sending", "expired", "status"],
)
def test_no_query_reads_all_notifications(store: Store, read: Callable[[Store], object]) -> None:
    """By the plans of both databases, with a record that is worth an index."""
    _fill(store)
    assert _whole_reads(store, read) == []
    # The plans would show it.
    assert _whole_reads(store, lambda store: store.count(Filter(template="welcome")))


def _fill(store: Store) -> None:
    entries = [call_for(asked()) for _ in range(400)]
    store.claim(entries, now=NOW, lease=LEASE)
    store.record([accepted(entry) for entry in entries])
    planting.unknown(store)
    for cause in ("failed", "unroutable"):
        planting.bury(store, cause=cause)
    keep_up(store, now=NOW + DAY)
    analyse = "ANALYZE" if store._dialect.__name__.endswith("sqlite") else "ANALYZE notifications"
    with store.writing() as connection:
        connection.execute(text(analyse))


def _whole_reads(store: Store, read: Callable[[Store], object]) -> list[str]:
    """Return the statements whose plan reads all notifications."""
    statements: list[tuple[str, Any]] = []

    def note(*event: Any) -> None:
        statements.append(event[2:4])

    listen(store._engine, "before_cursor_execute", note)
    read(store)
    remove(store._engine, "before_cursor_execute", note)
    with store.reading() as connection:
        return [
            statement
            for statement, parameters in statements
            if "notifications" in statement
            and _WHOLE.search(_plan(connection, statement, parameters))
        ]


_WHOLE = re.compile("Seq Scan on notifications|SCAN notifications$", re.MULTILINE)


def _plan(connection: Connection, statement: str, parameters: Any) -> str:
    sqlite = connection.dialect.name == "sqlite"
    explain = "EXPLAIN QUERY PLAN " if sqlite else "EXPLAIN "
    rows = connection.exec_driver_sql(explain + statement, parameters)
    return "\n".join(str(row[-1]) for row in rows)
