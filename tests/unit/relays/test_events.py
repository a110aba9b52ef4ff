"""Events as subscribers receive them: their content, and their ids."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from notify.contract.event import Event, event_schema
from notify.message import Channel, Status
from notify.relays import EventRows
from notify.relays.relay import RELAY_LEASE
from notify.store import Entry, Store
from notify.store.relays.events import (
    PendingEvent,
    lease_events,
    mark_events_published,
    newest_events,
    release_events,
)
from notify.topology import EVENTS
from tests.support.recording import NOW, accepted, asked, begin, claim_one, rejected

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def _take(store: Store, *, after: timedelta = timedelta(0), limit: int = 10) -> list[PendingEvent]:
    with store.writing() as connection:
        return lease_events(connection, now=NOW + after, lease=RELAY_LEASE, limit=limit)


def _body(news: PendingEvent) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(EventRows().outgoing(news).body)
    return body


def test_an_event_names_the_request_its_outcome_and_its_provider(store: Store) -> None:
    """Everything by which a producer recognises its notification."""
    body = b'{"to": "ann@example.com", "metadata": {"order": "17"}}'
    entry = begin(store, body=body, idempotency_key="order-17", traceparent=TRACE)
    store.record([accepted(entry)])
    (news,) = _take(store)
    told = _body(news)
    asked_for = entry.notification
    assert {name: told[name] for name in ("id", "idempotency_key", "metadata", "status")} == {
        "id": str(asked_for.id),
        "idempotency_key": "order-17",
        "metadata": {"order": "17"},
        "status": "sent",
    }
    assert (told["provider"], told["provider_id"], told["attempts"]) == ("sendgrid", "m-1", 1)
    assert told["at"] == "2025-01-02T03:04:05.723901Z"
    message = EventRows().outgoing(news)
    assert (message.exchange, message.routing_key) == (EVENTS, "email.sent.shop")
    assert message.headers == {"traceparent": TRACE}
    assert message.message_id == told["event_id"]
    assert not message.mandatory


def test_an_event_contains_no_recipient_and_no_content(store: Store) -> None:
    """A subscriber must not learn from it which person got which text."""
    body = b'{"to": "ann@example.com", "text": "Your code is 4711.", "metadata": {}}'
    store.record([rejected(begin(store, body=body))])
    (news,) = _take(store)
    text = EventRows().outgoing(news).body
    assert b"ann@example.com" not in text
    assert b"4711" not in text
    assert b"21211" in text


def test_the_same_event_keeps_its_id_and_another_has_its_own(store: Store) -> None:
    """A subscriber recognises an event that is published again."""
    for _ in range(2):
        store.record([accepted(begin(store))])
    first = _take(store)
    again = _take(store, after=RELAY_LEASE)
    assert [each.event.event_id for each in first] == [each.event.event_id for each in again]
    assert len({each.event.event_id for each in first}) == 2


def test_leased_events_are_not_leased_again_for_a_while(store: Store) -> None:
    """Then their relay counts as dead; published and released events are free at once."""
    for _ in range(4):
        store.record([accepted(begin(store))])
    first, second, third, fourth = _take(store)
    assert _take(store, after=RELAY_LEASE - timedelta(seconds=1)) == []
    with store.writing() as connection:
        mark_events_published(connection, [first, third])
        release_events(connection, [fourth])
    assert _take(store) == [fourth]
    assert _take(store, after=RELAY_LEASE) == [second, fourth]


def test_events_are_leased_in_order_a_batch_at_a_time(store: Store) -> None:
    """The order of each notification is kept, and memory is bounded."""
    entries = [begin(store) for _ in range(5)]
    store.record([accepted(entry) for entry in entries])
    batches = [_take(store, limit=2) for _ in range(4)]
    assert [len(batch) for batch in batches] == [2, 2, 1, 0]
    sequences = [each.event.sequence for batch in batches for each in batch]
    assert sequences == sorted(sequences)


def test_a_retry_is_not_published(store: Store) -> None:
    """Producers need the outcome."""
    entry = begin(store)
    wait = rejected(entry)
    store.record([accepted(entry, status=Status.QUEUED, due_at=wait.ended_at)])
    assert _take(store) == []
    with store.reading() as connection:
        (news,) = newest_events(connection, limit=10)
    assert news.event.status is Status.QUEUED


def test_an_outcome_without_a_call_names_no_provider(store: Store) -> None:
    """It expired before any provider was called."""
    claim_one(store, Entry(asked(template=None), Status.EXPIRED, reason="too late"))
    (news,) = _take(store)
    told = _body(news)
    assert (told["status"], told["reason"]) == ("expired", "too late")
    assert (told["provider"], told["template"], told["attempts"]) == (None, None, 0)


def test_the_newest_events_are_filtered(store: Store) -> None:
    """By channel, status, source and time; the newest, the oldest of them first."""
    store.record([accepted(begin(store, channel=Channel.SMS))])
    store.record([rejected(begin(store, source="bank"))])
    last = begin(store)
    store.record([accepted(last, ended_at=NOW + timedelta(hours=1))])

    def found(*, limit: int = 10, **wanted: Any) -> list[Status]:
        with store.reading() as connection:
            return [each.event.status for each in newest_events(connection, limit=limit, **wanted)]

    assert found() == [Status.SENT, Status.REJECTED, Status.SENT]
    assert found(limit=2) == [Status.REJECTED, Status.SENT]
    assert found(channel=Channel.SMS) == [Status.SENT]
    assert found(source="bank") == [Status.REJECTED]
    assert found(status=Status.REJECTED) == [Status.REJECTED]
    assert found(since=NOW + timedelta(minutes=1)) == [Status.SENT]


def test_the_schema_describes_every_field_and_needs_all_of_them() -> None:
    """Subscribers in other languages build their types from it."""
    schema = event_schema()
    assert set(schema["required"]) | {"v"} == set(Event.model_fields)
    assert all("description" in one for one in schema["properties"].values())


def test_a_subscriber_in_python_reads_an_event_as_it_was_written(store: Store) -> None:
    """With the model, and with fields that a later version may add."""
    store.record([accepted(begin(store))])
    (news,) = _take(store)
    text = EventRows().outgoing(news).body
    assert Event.model_validate_json(text) == news.event
    more = {**json.loads(text), "from_the_future": 1}
    assert Event.model_validate(more).id == UUID(json.loads(text)["id"])
