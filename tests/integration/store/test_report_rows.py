"""Dead letters of reports, leased to be published again, on both databases."""

from __future__ import annotations

from datetime import timedelta

from notify.relays import ReportRows
from notify.relays.relay import RELAY_LEASE
from notify.store import Store
from notify.store.relays import ReplayedReport, publish_again
from notify.topology import RECEIPTS
from tests.support.burying import arrival, buried, bury
from tests.support.recording import NOW

SECOND = timedelta(seconds=1)


def _replayed(store: Store, number: int) -> list[int]:
    bury(store, *(arrival(b"%d" % each) for each in range(number)))
    letters = [letter.id for letter in buried(store)]
    with store.writing() as connection:
        publish_again(connection, dict.fromkeys(letters, RECEIPTS))
    return sorted(letters)


def _lease(store: Store, *, after: timedelta = timedelta(0)) -> list[ReplayedReport]:
    with store.writing() as connection:
        return [*ReportRows().lease(connection, now=NOW + after)]


def test_a_leased_report_is_not_leased_again_until_it_is_released_or_the_lease_ends(
    store: Store,
) -> None:
    """A report that the broker did not confirm is free at once; a dead relay's after its lease."""
    letters = _replayed(store, 3)
    first, second, third = _lease(store)
    assert [each.letter for each in (first, second, third)] == letters
    assert _lease(store, after=RELAY_LEASE - SECOND) == []
    with store.writing() as connection:
        ReportRows().mark(connection, [first], now=NOW)
        ReportRows().release(connection, [third], now=NOW)
    assert _lease(store) == [third]
    assert _lease(store, after=RELAY_LEASE + SECOND) == [second, third]
