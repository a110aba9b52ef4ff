"""The ledger checks what is new or has changed, and remembers the rest; on both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, event, insert, select, text, true, update

from notify.ledger.ledger import Ledger, build_ledger
from notify.message import Status
from notify.store import Filter, Store
from notify.store.ledger import Fault, find_contradictions
from notify.store.status_rules import Transition
from notify.store.tables import attempts, checks, events, notifications, total_changes, totals
from notify.store.totals import Progress, read_progress, write_progress
from notify.store.transitions import transition
from tests.support import planting
from tests.support.recording import NOW
from tests.support.totals import counted_totals, kept_totals

DAY = timedelta(days=1)
LATER = NOW + DAY


def _ledger(store: Store, *, days: int = 1, full: bool = False) -> Ledger:
    return build_ledger(store, now=NOW + days * DAY, full=full)


def _change(store: Store, id_: UUID, **values: object) -> None:
    with store.writing() as connection:
        connection.execute(update(notifications).where(notifications.c.id == id_).values(**values))


def test_what_was_checked_is_read_again_only_if_it_changed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An edit by hand leaves no event: it is found in turn, or by a full check."""
    monkeypatch.setattr("notify.ledger.checking.CHECKED_AGAIN", 0)
    id_ = planting.failed(store)
    assert _ledger(store).balanced
    _change(store, id_, attempts=7)
    assert _ledger(store, days=2).balanced
    assert set(_ledger(store, days=2, full=True).faults) == {Fault.MISCOUNTED}


def test_a_checked_notification_that_changes_is_checked_again(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its new event names it."""
    monkeypatch.setattr("notify.ledger.checking.CHECKED_AGAIN", 0)
    id_ = planting.sent(store)
    assert _ledger(store).balanced
    with store.writing() as connection:
        bounced = Transition(Status.BOUNCED, None)
        of_id = notifications.c.id == id_
        transition(connection, of_id, bounced, among=[Status.SENT], now=LATER)
    _change(store, id_, attempts=7)
    found = _ledger(store, days=2).faults
    assert {kind: each.ids for kind, each in found.items()} == {Fault.MISCOUNTED: [id_]}


def test_an_open_notification_is_checked_each_time(store: Store) -> None:
    """However long ago it was received."""
    id_ = planting.scheduled(store)
    assert _ledger(store).balanced
    _change(store, id_, due_at=None)
    assert set(_ledger(store, days=2).faults) == {Fault.NEVER_DUE}


def test_a_contradiction_is_reported_until_it_is_gone(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not only on the day on which it was new."""
    monkeypatch.setattr("notify.ledger.checking.CHECKED_AGAIN", 0)
    id_ = planting.failed(store)
    _change(store, id_, attempts=7)
    for day in (1, 2, 3):
        assert set(_ledger(store, days=day).faults) == {Fault.MISCOUNTED}
    _change(store, id_, attempts=1)
    assert _ledger(store, days=4).balanced


def test_an_orphan_is_reported_until_it_is_gone(store: Store) -> None:
    """Its notification does not exist, so no slice of notifications has it."""
    id_ = planting.FAULTS["a call of nothing"][1](store)
    for day in (1, 2):
        assert _ledger(store, days=day).faults[Fault.CALL_WITHOUT_ROW].ids == [id_]
    with store.writing() as connection:
        connection.execute(delete(attempts).where(attempts.c.notification_id == id_))
    assert Fault.CALL_WITHOUT_ROW not in _ledger(store, days=3).faults


def test_a_notification_that_vanished_with_all_its_rows_is_missed(store: Store) -> None:
    """Its total is still kept; the total is corrected, so it is reported once."""
    planting.sent(store)
    gone = planting.sent(store)
    with store.writing() as connection:
        for table in (attempts, events):
            connection.execute(delete(table).where(table.c.notification_id == gone))
        connection.execute(delete(notifications).where(notifications.c.id == gone))
    ledger = _ledger(store)
    (miscount,) = ledger.miscounts
    assert (miscount.kept, miscount.counted, ledger.accepted) == (2, 1, 1)
    assert "1 on record, 2 kept" in str(miscount)
    assert not ledger.balanced
    assert kept_totals(store) == counted_totals(store)
    assert _ledger(store, days=2).balanced


def test_the_totals_of_an_older_version_are_counted_by_the_first_check(store: Store) -> None:
    """Until then rows are counted, so every number is right before and after."""
    for plant in (planting.sent, planting.sent, planting.failed, planting.queued):
        plant(store)
    planting.sending(store)
    with store.writing() as connection:
        connection.execute(delete(totals))
        connection.execute(delete(total_changes))
        connection.execute(update(notifications).values(unsettled=None))
        write_progress(connection, Progress(totals_ready=False))
    counts = store.count(Filter())
    listed = [each.id for each in store.find(Filter(status=Status.QUEUED))]
    assert counts == {Status.SENT: 2, Status.REJECTED: 1, Status.QUEUED: 1, Status.SENDING: 1}
    ledger = _ledger(store)
    assert (ledger.accepted, ledger.miscounts, ledger.balanced) == (5, [], True)
    with store.reading() as connection:
        assert read_progress(connection).totals_ready
        marked = select(notifications.c.status).where(notifications.c.unsettled.is_(True))
        assert set(connection.execute(marked).scalars()) == {Status.QUEUED, Status.SENDING}
    assert kept_totals(store) == counted_totals(store)
    assert store.count(Filter()) == counts
    assert [each.id for each in store.find(Filter(status=Status.QUEUED))] == listed


def test_a_migrated_record_with_rows_begins_without_totals(store: Store) -> None:
    """The row that says so is the migration's; an empty record begins complete."""
    with store.writing() as connection:
        assert read_progress(connection) == Progress()
        connection.execute(delete(checks))
        assert read_progress(connection) == Progress()
        connection.execute(insert(checks).values(id=1, totals_ready=False))
        assert not read_progress(connection).totals_ready


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
def test_the_last_event_is_found_by_its_notification(store: Store) -> None:
    """Also if there were no rows when PostgreSQL gathered its statistics; ids would read all."""
    plan = ""
    with store.writing() as connection:
        connection.execute(text("ANALYZE notifications, attempts, events"))
        connection.execute(_EVENTS)

        def explain(*args: Any) -> None:
            nonlocal plan
            lines = connection.exec_driver_sql(f"EXPLAIN {args[2]}", args[3])
            plan = "\n".join(str(line[0]) for line in lines)

        event.listen(connection, "before_cursor_execute", explain, once=True)
        list(find_contradictions(connection, true(), long_ago=NOW))
    assert "Index Cond: (notification_id = notifications.id)" in plan
    assert "pk_events" not in plan


_EVENTS = text("""
    INSERT INTO events (notification_id, at, status, to_publish)
    SELECT CAST(md5(n::text) AS uuid), now(), 'sent', false FROM generate_series(1, 20000) AS n
""")
