"""Notifications, claims and outcomes to test the record with."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

from notify.message import Channel, Notification, Outcome, Status
from notify.store import Claim, Claimed, Entry, Record, Store

NOW = datetime(2025, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)
LEASE = timedelta(minutes=1)
LATER = NOW + 2 * LEASE


def asked(**changes: Any) -> Notification:
    """A new notification, unique among tests."""
    id_ = changes.pop("id", None) or uuid4()
    values: dict[str, Any] = {
        "source": "shop",
        "channel": Channel.EMAIL,
        "lane": "critical",
        "to": "ann@example.com",
        "idempotency_key": str(id_),
        "digest": b"d" * 32,
        "body": b"{}",
        "template": "welcome",
    }
    return Notification(id=id_, **(values | changes))


def call_for(notification: Notification, *, attempt_id: UUID | None = None) -> Entry:
    """A claim for one call to a provider."""
    return Entry(notification, Status.SENDING, attempt_id or uuid4(), "sendgrid")


def answer_to(store: Store, entry: Entry, *, now: datetime = NOW) -> Claimed:
    """The record's whole answer to a single claim."""
    (answer,) = store.claim([entry], now=now, lease=LEASE)
    return answer


def claim_one(store: Store, entry: Entry, *, now: datetime = NOW) -> Claim:
    """Whether the record grants the claim of a single notification."""
    return answer_to(store, entry, now=now).claim


def begin(store: Store, *, now: datetime = NOW, **changes: Any) -> Entry:
    """A new notification whose call is open."""
    entry = call_for(asked(**changes))
    assert claim_one(store, entry, now=now) is Claim.OWNED
    return entry


def accepted(entry: Entry, **changes: Any) -> Record:
    """The outcome of a claimed call: the provider accepted it."""
    assert entry.attempt_id is not None
    values: dict[str, Any] = {
        "ended_at": NOW + timedelta(milliseconds=45),
        "outcome": Outcome.ACCEPTED,
        "status": Status.SENT,
        "provider_id": "m-1",
        "http_status": 202,
    }
    return Record(
        notification_id=entry.notification.id, attempt_id=entry.attempt_id, **(values | changes)
    )


def put_off(entry: Entry, **changes: Any) -> Record:
    """The outcome of a claimed call: a temporary failure, due again after a minute."""
    values: dict[str, Any] = {
        "outcome": Outcome.NOT_SENT,
        "status": Status.QUEUED,
        "due_at": NOW + LEASE,
        "provider_id": None,
        "http_status": 503,
        "reason": "the vendor is away",
    }
    return accepted(entry, **(values | changes))


def lost(entry: Entry, answer: Claimed, **changes: Any) -> Record:
    """The outcome of a dead worker's call, as recorded by the worker that finds it."""
    assert answer.claim is Claim.LAPSED
    values: dict[str, Any] = {
        "attempt_id": answer.attempt_id,
        "fence": answer.fence,
        "ended_at": LATER,
        "outcome": Outcome.UNKNOWN,
        "status": Status.UNKNOWN,
        "provider_id": None,
        "http_status": None,
        "reason": "its worker never came back",
    }
    return replace(accepted(entry), **(values | changes))


def rejected(entry: Entry) -> Record:
    """The outcome of a claimed call: the provider rejects it."""
    return accepted(
        entry,
        outcome=Outcome.NOT_SENT,
        status=Status.REJECTED,
        provider_id=None,
        http_status=400,
        code="21211",
        reason="the vendor refused the recipient",
    )
