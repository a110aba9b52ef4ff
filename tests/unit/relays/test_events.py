"""Events as subscribers get them: what they tell, what they never tell, and under which id."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any
from uuid import UUID

from notify.contract.event import Event, event_schema
from notify.message import Channel, Status
from notify.relays import EventRows
from notify.relays.relay import HOLD
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
        return lease_events(connection, now=NOW + after, lease=HOLD, limit=limit)


def _body(news: PendingEvent) -> dict[str, Any]:
    body: dict[str, Any] = json.loads(EventRows().outgoing(news).body)
    return body


def test_an_event_tells_who_asked_what_became_of_it_and_through_whom(store: Store) -> None:
    """All that a producer needs to know which of its notifications it is."""
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


def test_an_event_holds_no_recipient_and_no_content(store: Store) -> None:
    """Whoever may subscribe must not learn from it who got which words."""
    body = b'{"to": "ann@example.com", "text": "Your code is 4711.", "metadata": {}}'
    store.record([rejected(begin(store, body=body))])
    (news,) = _take(store)
    text = EventRows().outgoing(news).body
    assert b"ann@example.com" not in text
    assert b"4711" not in text
    assert b"21211" in text


def test_the_same_event_keeps_its_id_and_another_has_its_own(store: Store) -> None:
    """A subscriber recognises what is published again."""
    for _ in range(2):
        store.record([accepted(begin(store))])
    first = _take(store)
    again = _take(store, after=HOLD)
    assert [each.event.event_id for each in first] == [each.event.event_id for each in again]
    assert len({each.event.event_id for each in first}) == 2


def test_who_has_events_in_hand_keeps_them_from_others_for_a_while(store: Store) -> None:
    """Then the holder counts as dead; what is published or given back is free at once."""
    for _ in range(4):
        store.record([accepted(begin(store))])
    first, second, third, fourth = _take(store)
    assert _take(store, after=HOLD - timedelta(seconds=1)) == []
    with store.writing() as connection:
        mark_events_published(connection, [first, third])
        release_events(connection, [fourth])
    assert _take(store) == [fourth]
    assert _take(store, after=HOLD) == [second, fourth]


def test_events_are_taken_in_their_order_a_handful_at_a_time(store: Store) -> None:
    """The order per notification must be kept, and memory be bounded."""
    entries = [begin(store) for _ in range(5)]
    store.record([accepted(entry) for entry in entries])
    handfuls = [_take(store, limit=2) for _ in range(4)]
    assert [len(handful) for handful in handfuls] == [2, 2, 1, 0]
    sequences = [each.event.sequence for handful in handfuls for each in handful]
    assert sequences == sorted(sequences)


def test_a_retry_is_no_news(store: Store) -> None:
    """Producers care for how it ends."""
    entry = begin(store)
    wait = rejected(entry)
    store.record([accepted(entry, status=Status.QUEUED, due_at=wait.ended_at)])
    assert _take(store) == []
    with store.reading() as connection:
        (news,) = newest_events(connection, limit=10)
    assert news.event.status is Status.QUEUED


def test_an_end_without_a_call_names_no_provider(store: Store) -> None:
    """Expired before anybody was asked."""
    claim_one(store, Entry(asked(template=None), Status.EXPIRED, reason="too late"))
    (news,) = _take(store)
    told = _body(news)
    assert (told["status"], told["reason"]) == ("expired", "too late")
    assert (told["provider"], told["template"], told["attempts"]) == (None, None, 0)


def test_the_newest_on_record_are_chosen_by_what_is_wanted(store: Store) -> None:
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
