"""The kept totals follow each change of a row, on both databases."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import func, select, update

from notify.message import Status
from notify.privacy.retention import Keep, delete_old
from notify.store import Entry, Store
from notify.store.delivery.cancel import cancel_waiting
from notify.store.status_rules import RowTransition, Transition
from notify.store.tables import events, notifications, total_changes
from notify.store.totals import fold
from notify.store.transitions import per_row, transition, transition_each
from tests.support import planting
from tests.support.recording import LATER, LEASE, NOW, asked
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
