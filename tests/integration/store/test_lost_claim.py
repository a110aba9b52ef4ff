"""A call is under way while the record loses the claim of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import replace
from queue import SimpleQueue
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import delete, event
from structlog.testing import capture_logs

from notify import contract
from notify.arrival import Again, Decision, Done
from notify.errors import StoreError
from notify.message import Outcome, Status
from notify.store import Entry, Store, Story
from notify.store.flow import holds as held
from notify.store.tables import attempts, notifications
from providers.memory import Memory
from tests.integration.store.test_clock import SECOND, Host, Slow, _arrivals, _worker
from tests.integration.store.test_position import Copy
from tests.support.migrated import migrated
from tests.support.recording import begin
from tests.support.rig import until

NOTHING = 0 * SECOND


def test_its_outcome_is_recorded_and_it_is_not_sent_twice(store_url: str) -> None:
    """The worker took its message for new, and 17 were sent a second time, unmarked."""
    migrated(store_url).close()
    slow, ids = Slow(), [str(uuid4())]
    decided: SimpleQueue[Decision] = SimpleQueue()
    with _worker(store_url, slow, off_by=NOTHING) as host:
        delivery, store, holds = host.delivery, host.store, host.flow.holds
        holds.refresh()
        store.close()
        copy = Copy(store_url)
        delivery.deliver(_arrivals(ids, decided))
        assert slow.called.wait(timeout=30)
        copy.put_back()
        for _ in range(3):
            with suppress(StoreError):
                holds.refresh()
        assert holds.record_behind
        slow.free.set()
        assert decided.get(timeout=30) == Done()
    assert len(slow.sent) == 1
    with closing(Store.open(store_url)) as after:
        story = after.get(UUID(ids[0]))
        assert story is not None
        assert (story.status, story.summary.possible_duplicate) == (Status.SENT, False)
        assert [each.outcome for each in story.attempts] == [Outcome.ACCEPTED]
        with after.reading() as connection:
            assert [hold.actor for hold in held.current(connection)[0]] == ["notify"]


def _lose(store: Store) -> None:
    """Delete what the shop asked for, by connections that outlive it."""
    shops = notifications.c.source == "shop"
    with store.writing() as connection:
        ours = notifications.select().with_only_columns(notifications.c.id).where(shops)
        connection.execute(delete(attempts).where(attempts.c.notification_id.in_(ours)))
        connection.execute(delete(notifications).where(shops))


@contextmanager
def _at_each_look(store: Store, then: Any) -> Iterator[None]:
    """Call this whenever a recorder looks for a call whose claim may be lost."""

    def executed(*arguments: Any) -> None:
        if "SELECT attempts.notification_id" in arguments[2]:
            then()

    event.listen(store._engine, "before_cursor_execute", executed)
    try:
        yield
    finally:
        event.remove(store._engine, "before_cursor_execute", executed)


def _only(url: str, id_: str) -> Story:
    with closing(Store.open(url)) as after:
        (story,) = after.known_as(UUID(id_), source="shop")
        return story


def test_its_outcome_waits_until_it_can_be_claimed_again(migrated_url: str) -> None:
    """Before the hold was known nothing could be claimed, so it was looked at as new and resent."""
    slow, ids = Slow(), [str(uuid4())]
    decided: SimpleQueue[Decision] = SimpleQueue()
    looks = threading.Event()
    with _worker(migrated_url, slow, off_by=NOTHING) as host:
        delivery, store, holds = host.delivery, host.store, host.flow.holds
        holds.refresh()
        delivery.deliver(_arrivals(ids, decided))
        assert slow.called.wait(timeout=30)
        _lose(store)
        with _at_each_look(store, looks.set), capture_logs() as logs:
            slow.free.set()
            assert looks.wait(timeout=30)
            # A call that was missing at that read could not be claimed.
            until(lambda: any(each["event"] == "notify.store_away" for each in logs))
            holds.refresh()
            assert decided.get(timeout=30) == Done()
        with store.writing() as connection:
            held.lift(connection, [hold.id for hold in held.current(connection)[0]])
    assert len(slow.sent) == 1
    story = _only(migrated_url, ids[0])
    assert (story.status, story.summary.possible_duplicate) == (Status.SENT, False)


def _lost_during_the_call(host: Host, slow: Slow, id_: str) -> Decision:
    """Deliver it, and lose its row while the call is under way."""
    decided: SimpleQueue[Decision] = SimpleQueue()
    host.delivery.deliver(_arrivals([id_], decided))
    assert slow.called.wait(timeout=30)
    _lose(host.store)
    # As if the hold had been placed and released.
    host.store.position.accept()
    slow.free.set()
    return decided.get(timeout=30)


@pytest.mark.parametrize("handed_over", [False, True])
def test_a_row_with_an_id_of_its_own_is_claimed_again(migrated_url: str, handed_over: bool) -> None:
    """The outcome was written under the id of the row that was lost, so never."""
    slow, id_ = Slow(), str(uuid4())
    away = Memory(script={"ada@example.com": ["transient"]})
    providers = [away, slow] if handed_over else [slow]
    with _worker(migrated_url, *providers, off_by=NOTHING) as host:
        begin(host.store, id=UUID(id_), source="crm")
        assert _lost_during_the_call(host, slow, id_) == Done()
    assert len(slow.sent) == 1
    story = _only(migrated_url, id_)
    assert (story.status, story.summary.possible_duplicate) == (Status.SENT, False)
    assert [each.outcome for each in story.attempts] == [Outcome.ACCEPTED]
    assert story.summary.id != UUID(id_)


def test_what_was_known_by_its_key_is_claimed_again(migrated_url: str) -> None:
    """It came with another id than its row had, and comes back under its own."""
    slow, first, second = Slow(), str(uuid4()), str(uuid4())
    (arrival,) = _arrivals([second], SimpleQueue())
    (asked,) = contract.decode(arrival.incoming, contract.Limits(max_recipients=1))
    with _worker(migrated_url, slow, off_by=NOTHING) as host:
        store = host.store
        now = store.clock()
        earlier = replace(asked, id=UUID(first))
        store.claim([Entry(earlier, Status.QUEUED, due_at=now)], now=now, lease=SECOND)
        assert _lost_during_the_call(host, slow, second) == Done()
    assert len(slow.sent) == 1
    story = _only(migrated_url, second)
    assert (story.status, story.summary.id) == (Status.SENT, UUID(second))


def test_a_fault_in_claiming_again_ends_no_recorder(migrated_url: str) -> None:
    """Its thread ended, and nothing that this worker sent was recorded any more."""

    def fail() -> None:
        raise RuntimeError("a fault of ours")

    slow, after = Slow(), str(uuid4())
    decided: SimpleQueue[Decision] = SimpleQueue()
    with _worker(migrated_url, slow, off_by=NOTHING) as host:
        with _at_each_look(host.store, fail):
            assert isinstance(_lost_during_the_call(host, slow, str(uuid4())), Again)
        host.delivery.deliver(_arrivals([after], decided))
        assert decided.get(timeout=30) == Done()
    assert _only(migrated_url, after).status is Status.SENT
