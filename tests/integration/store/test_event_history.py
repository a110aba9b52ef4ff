"""Events read later: in order, of one source, and none lost to a transaction that ends late."""

from __future__ import annotations

import threading
from datetime import timedelta
from typing import Any

import pytest

from notify.message import Status
from notify.status.events import EventHistory
from notify.store import Store
from notify.store.relays import history
from notify.store.status_rules import Transition
from notify.store.tables import notifications
from notify.store.transitions import transition
from tests.support.recording import NOW, accepted, begin


def _sent(store: Store, **changes: Any) -> str:
    entry = begin(store, **changes)
    store.record([accepted(entry)])
    return str(entry.notification.id)


def test_a_source_reads_its_own_events_in_order(store: Store) -> None:
    """Page by page, each once; another source's are examined and not returned."""
    mine = []
    for _ in range(5):
        mine.append(_sent(store))
        _sent(store, source="crm")
    read = EventHistory(store)
    first = read.page("shop", after=0, limit=3)
    assert [str(each.id) for each in first.events] == mine[:3]
    assert not first.complete
    rest = read.page("shop", after=first.after, limit=10)
    assert [str(each.id) for each in rest.events] == mine[3:]
    assert rest.complete
    assert read.page("shop", after=rest.after, limit=10).events == []
    assert [each.status for each in rest.events] == [Status.SENT] * 2


def test_a_page_examines_a_bounded_number(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A source with one event among a million gets there in several pages."""
    for _ in range(6):
        _sent(store, source="crm")
    mine = _sent(store)
    monkeypatch.setattr(history, "STEP", 2)
    monkeypatch.setattr(history, "MOST", 4)
    read = EventHistory(store)
    first = read.page("shop", after=0, limit=10)
    assert (first.events, first.complete) == ([], False)
    second = read.page("shop", after=first.after, limit=10)
    assert [str(each.id) for each in second.events] == [mine]
    assert second.complete


def test_events_since_a_time(store: Store) -> None:
    """By a binary search: the record has no index of times."""
    for hours in range(20):
        entry = begin(store, now=NOW + timedelta(hours=hours))
        store.record([accepted(entry, ended_at=NOW + timedelta(hours=hours))])
    read = EventHistory(store)
    place = read.place_of(NOW + timedelta(hours=15))
    page = read.page("shop", after=place, limit=100)
    assert [each.at for each in page.events] == [NOW + timedelta(hours=n) for n in range(15, 20)]
    assert read.place_of(NOW - timedelta(days=1)) == 0
    assert read.page("shop", after=read.place_of(NOW + timedelta(days=9)), limit=9).events == []


def test_no_event_is_lost_to_a_transaction_that_ends_late(store: Store) -> None:
    """Its smaller number appears after a larger one: until then, nothing after it is read."""
    waiting = begin(store).notification.id
    if store._engine.dialect.name == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    read = EventHistory(store)
    begun, end = threading.Event(), threading.Event()

    def late() -> None:
        with store.writing() as connection:
            which = notifications.c.id == waiting
            change = Transition(Status.UNKNOWN, "a test")
            transition(connection, which, change, among=[Status.SENDING], now=NOW)
            begun.set()
            end.wait(30)

    thread = threading.Thread(target=late)
    thread.start()
    begun.wait(30)
    after = _sent(store)
    assert read.settled() is None
    assert read.page("shop", after=0, limit=10).events == []
    end.set()
    thread.join(30)
    page = read.page("shop", after=0, limit=10)
    assert [str(each.id) for each in page.events] == [str(waiting), after]
    newest = page.events[-1].sequence
    assert read.newest_by_source(after=0, until=newest) == {"shop": newest}
