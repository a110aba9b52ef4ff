"""Events announced from memory: the same as from the record, and published whatever dies."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any

import amqp
import pytest

from notify.delivery.first_event import first_event
from notify.errors import PublishError, StoreError
from notify.message import Outcome, Status
from notify.publisher import Outgoing, Publisher
from notify.relays import Announcer, OwnEvents
from notify.relays.relay import RELAY_LEASE
from notify.store import Entry, Record, Store
from notify.store.relays import PendingEvent, lease_events
from notify.topology import EVENTS
from tests.support.patience import PATIENCE
from tests.support.recording import NOW, accepted, begin

LEASED = OwnEvents.lease
OVER = NOW + 2 * LEASED


def _recorded(store: Store, entry: Entry, record: Record) -> PendingEvent:
    """Record a call's end as a worker that announces it; return the event."""
    record = replace(record, announced_until=record.ended_at + LEASED)
    events = store.record_ends([record])
    return first_event(entry, record, events[record.notification_id])


def _on_record(store: Store, *, now: datetime) -> list[PendingEvent]:
    with store.writing() as connection:
        return lease_events(connection, now=now, lease=RELAY_LEASE, limit=10)


def _received(channel: amqp.Channel, queue: str) -> list[str]:
    found = iter(lambda: channel.basic_get(queue, no_ack=True), None)
    return [message.properties["message_id"] for message in found]


@pytest.fixture
def queue(channel: amqp.Channel) -> str:
    """A queue of all events."""
    name: str = channel.queue_declare("", exclusive=True).queue
    channel.queue_bind(name, EVENTS, "#")
    return name


@pytest.fixture
def publisher(broker_url: str) -> Iterator[Publisher]:
    """A publisher of this test."""
    with Publisher(broker_url, timeout=PATIENCE) as publisher:
        yield publisher


@pytest.mark.parametrize(
    ("asked", "ended"),
    [
        ({"metadata": {"order": "17"}, "body": b'{"metadata":{"order":"17"}}'}, {}),
        ({"template": "welcome", "traceparent": f"00-{'a' * 32}-{'b' * 16}-01"}, {}),
        ({}, {"status": Status.REJECTED, "outcome": Outcome.NOT_SENT, "code": "550"}),
        ({}, {"status": Status.UNKNOWN, "outcome": Outcome.UNKNOWN, "reason": "lost"}),
    ],
)
def test_an_event_from_memory_is_the_one_on_record(
    store: Store, asked: dict[str, Any], ended: dict[str, Any]
) -> None:
    """Field by field, since either may be published, under one id."""
    entry = begin(store, **asked)
    event = _recorded(store, entry, accepted(entry, **ended))
    assert _on_record(store, now=OVER) == [event]


def test_an_own_event_is_published_once_and_marked(
    store: Store, publisher: Publisher, channel: amqp.Channel, queue: str
) -> None:
    """No other worker has anything left to publish, even when the lease is over."""
    own = OwnEvents()
    entry = begin(store)
    event = _recorded(store, entry, accepted(entry))
    assert _on_record(store, now=NOW) == []
    own.put(event)
    Announcer(own, store, publisher, clock=lambda: NOW).step()
    assert _received(channel, queue) == [str(event.event.event_id)]
    assert _on_record(store, now=NOW + RELAY_LEASE) == []


def test_what_a_dead_worker_has_not_published_is_published_by_another(
    store: Store, publisher: Publisher, channel: amqp.Channel, queue: str
) -> None:
    """When the lease is over, which is sooner than a relay's."""
    entry = begin(store)
    event = _recorded(store, entry, accepted(entry))
    Announcer(OwnEvents(), store, publisher, clock=lambda: NOW).finish()
    assert _received(channel, queue) == []
    Announcer(OwnEvents(), store, publisher, clock=lambda: OVER).finish()
    assert _received(channel, queue) == [str(event.event.event_id)]


def test_a_worker_that_dies_between_announcing_and_marking_repeats_the_event(
    store: Store,
    publisher: Publisher,
    channel: amqp.Channel,
    queue: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Under the same id, by which a subscriber knows the two as one."""
    own = OwnEvents()
    entry = begin(store)
    event = _recorded(store, entry, accepted(entry))
    own.put(event)

    def away(*_: object) -> None:
        raise StoreError("away")

    with monkeypatch.context() as patch:
        patch.setattr("notify.relays.announcer.mark_events_published", away)
        with pytest.raises(StoreError):
            Announcer(own, store, publisher, clock=lambda: NOW).step()
    Announcer(OwnEvents(), store, publisher, clock=lambda: OVER).finish()
    assert _received(channel, queue) == [str(event.event.event_id)] * 2


def test_an_event_that_the_broker_did_not_confirm_is_left_to_all(store: Store) -> None:
    """At once: this worker's broker may be the one that is away."""
    own = OwnEvents()
    entry = begin(store)
    event = _recorded(store, entry, accepted(entry))
    own.put(event)
    with (
        Publisher("pyamqp://guest:guest@127.0.0.1:1//", timeout=0.1) as away,
        pytest.raises(PublishError),
    ):
        Announcer(own, store, away, clock=lambda: NOW).step()
    assert _on_record(store, now=NOW) == [event]


def test_own_events_are_bounded_and_never_outlive_their_lease(store: Store) -> None:
    """Neither a broker that is away nor a slow worker may grow the memory or publish late."""
    own = OwnEvents(most=1)
    assert own.lease_end(NOW) == NOW + LEASED
    entry = begin(store)
    own.put(_recorded(store, entry, accepted(entry)))
    assert own.lease_end(NOW) is None
    assert own.take(most=10, now=OVER) == []
    assert own.lease_end(NOW) is not None


class Busy(Publisher):
    """A publisher that needs 0.3 s for a batch, in which another own event is recorded."""

    def __init__(self, own: OwnEvents, following: Iterable[PendingEvent]) -> None:
        super().__init__("pyamqp://guest:guest@127.0.0.1:1//")
        self.published: list[str] = []
        self.now = 0.0
        self._own = own
        self._following = iter(following)

    def publish_many(self, messages: Iterable[Outgoing]) -> Iterator[PublishError | None]:
        """Confirm all of them."""
        for message in messages:
            self.published.append(message.message_id)
            yield None
        self.now += 0.3
        for event in itertools.islice(self._following, 1):
            self._own.put(event)


def test_events_of_others_do_not_wait_until_a_worker_has_none_of_its_own(store: Store) -> None:
    """A worker at full speed has some for as long as its backlog lasts."""
    entry, own = begin(store), OwnEvents()
    store.record([accepted(entry)])
    (other,) = _on_record(store, now=NOW - RELAY_LEASE)
    busy = Busy(own, (first_event(entry, accepted(entry), 10**6 + n) for n in range(100)))
    own.put(first_event(entry, accepted(entry), 10**5))
    announcer = Announcer(own, store, busy, clock=lambda: NOW, monotonic=lambda: busy.now)

    assert announcer.step()

    assert busy.published[-1] == str(other.event.event_id)
    assert len(busy.published) <= 3
    announcer.finish()
    assert len(busy.published) == 102
