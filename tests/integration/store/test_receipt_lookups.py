"""Look-ups of sent messages without a receipt, at Twilio's stand-in, on each kind of database."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel, Rendered, Status
from notify.receipt import DeliveryReceipt, ReceiptEvent
from notify.receipts.application_metrics import ApplicationMetrics
from notify.receipts.applier import ReceiptApplier
from notify.receipts.tracker import ReceiptTracker
from notify.sandbox import Sandbox
from notify.store import Entry, Store
from notify.store.tables import events, receipts
from notify.telemetry.metrics import Metrics
from providers.twilio import Twilio
from tests.support.recording import NOW, accepted, asked, call_for
from tests.support.reporting import CHANNELS, apply, receipt, status_of

HALF_AN_HOUR = timedelta(minutes=30)
DELIVERED, DEAD = "+15005550010", "+15005553405"


class Clock:
    """A time that the test sets; sleeping is not counted."""

    def __init__(self) -> None:
        self.now = NOW
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The time of the record."""
    return Clock()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """Twilio's stand-in."""
    with Sandbox.start(port=0) as sandbox:
        yield sandbox


@pytest.fixture
def twilio(sandbox: Sandbox) -> Iterator[Twilio]:
    """A provider of the stand-in."""
    provider = Twilio(
        account_sid="AC1", auth_token="k", sender="+15005550006", base_url=sandbox.url
    )
    with closing(provider):
        yield provider


def tracker(store: Store, provider: Twilio, clock: Clock) -> ReceiptTracker:
    """The tracker of one process."""
    tracker = ReceiptTracker(
        store,
        Gateway(Channel.SMS, [ConfiguredProvider("twilio", provider)]),
        ReceiptApplier(CHANNELS),
        metrics=ApplicationMetrics(Metrics(), providers=[]),
        after=HALF_AN_HOUR,
        rate=5,
        clock=clock,
        sleep=clock.slept.append,
    )
    tracker.step()
    return tracker


def sent(store: Store, provider: Twilio, clock: Clock, *, to: str = DELIVERED) -> Entry:
    """An SMS that the stand-in has."""
    entry = replace(call_for(asked(channel=Channel.SMS, to=to)), provider="twilio")
    assert entry.attempt_id is not None
    message = Rendered(entry.notification.id, entry.attempt_id, to, text="Hello")
    answer = provider.send(message)
    store.claim([entry], now=clock(), lease=timedelta(minutes=1))
    store.record([accepted(entry, ended_at=clock(), provider_id=answer.provider_id)])
    return entry


def test_what_has_no_receipt_is_looked_up_in_time(
    store: Store, twilio: Twilio, clock: Clock
) -> None:
    """Not before its age; the answer is a receipt like any other."""
    tracking = tracker(store, twilio, clock)
    entry = sent(store, twilio, clock)
    clock.now += HALF_AN_HOUR - timedelta(seconds=1)
    tracking.step()
    assert status_of(store, entry) is Status.SENT
    clock.now += timedelta(seconds=1)
    tracking.step()
    assert status_of(store, entry) is Status.DELIVERED
    with store.reading() as connection:
        (row,) = connection.execute(select(receipts))
    assert (row.provider, row.event, row.word) == ("twilio", "delivered", "delivered")
    assert row.attempt_id == entry.attempt_id


def test_what_was_reported_is_not_looked_up(
    store: Store, twilio: Twilio, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither after a callback, nor twice at one age."""
    tracking = tracker(store, twilio, clock)
    reported = sent(store, twilio, clock)
    apply(store, receipt(reported, ReceiptEvent.DELIVERED, provider="twilio"))
    gone = [sent(store, twilio, clock) for _ in range(3)]
    asked_for: list[str] = []

    def track(provider_id: str, /) -> list[DeliveryReceipt]:
        asked_for.append(provider_id)
        return []

    monkeypatch.setattr(twilio, "track", track)
    clock.now += HALF_AN_HOUR + timedelta(seconds=10)
    for _ in range(3):
        tracking.step()
    assert len(asked_for) == len(set(asked_for)) == len(gone)
    assert clock.slept == [0.2, 0.2]
    clock.now += timedelta(hours=2)
    tracking.step()
    assert len(asked_for) == 2 * len(gone)


def test_while_the_vendor_is_away_nothing_is_skipped(
    store: Store, sandbox: Sandbox, clock: Clock
) -> None:
    """The cursor waits; after its lease, any process continues."""
    twilio = Twilio(account_sid="AC1", auth_token="k", sender="+15005550006", base_url=sandbox.url)
    away = Twilio(
        account_sid="AC1", auth_token="bad-key", sender="+15005550006", base_url=sandbox.url
    )
    tracking = tracker(store, away, clock)
    entry = sent(store, twilio, clock)
    clock.now += HALF_AN_HOUR
    tracking.step()
    assert status_of(store, entry) is Status.SENT
    other = tracker(store, twilio, clock)
    other.step()
    assert status_of(store, entry) is Status.SENT
    clock.now += timedelta(seconds=61)
    other.step()
    assert status_of(store, entry) is Status.DELIVERED
    away.close()
    twilio.close()


def test_a_message_that_the_vendor_lost_is_passed_over(
    store: Store, twilio: Twilio, clock: Clock
) -> None:
    """The next one is looked up all the same."""
    tracking = tracker(store, twilio, clock)
    entry = replace(call_for(asked(channel=Channel.SMS, to=DELIVERED)), provider="twilio")
    store.claim([entry], now=clock(), lease=timedelta(minutes=1))
    store.record([accepted(entry, ended_at=clock(), provider_id=f"SM{uuid4().hex}")])
    last = sent(store, twilio, clock)
    clock.now += HALF_AN_HOUR
    tracking.step()
    assert status_of(store, entry) is Status.SENT
    assert status_of(store, last) is Status.DELIVERED


def test_an_event_that_is_younger_than_those_after_it_is_not_skipped(
    store: Store, twilio: Twilio, clock: Clock
) -> None:
    """Ids are in the order of the inserts, times in that of the outcomes; it waits for both."""
    tracking = tracker(store, twilio, clock)
    younger, older = [sent(store, twilio, clock) for _ in range(2)]
    with store.writing() as connection:
        first = events.c.notification_id == younger.notification.id
        connection.execute(update(events).where(first).values(at=NOW + timedelta(minutes=10)))
    for _ in range(2):
        clock.now += HALF_AN_HOUR
        tracking.step()
    assert status_of(store, older) is Status.DELIVERED
    assert status_of(store, younger) is Status.DELIVERED


def test_events_that_are_gone_do_not_stop_it(store: Store, twilio: Twilio, clock: Clock) -> None:
    """Retention deletes the event at which a cursor is."""
    tracking = tracker(store, twilio, clock)
    entries = [sent(store, twilio, clock) for _ in range(2)]
    with store.writing() as connection:
        first = events.c.notification_id == entries[0].notification.id
        connection.execute(update(events).where(first).values(to_publish=False))
        connection.execute(events.delete().where(first))
    clock.now += HALF_AN_HOUR
    tracking.step()
    assert [status_of(store, each) for each in entries] == [Status.SENT, Status.DELIVERED]
