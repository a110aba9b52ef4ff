"""The relay on a real record, and without a broker or a record."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select
from structlog.testing import capture_logs

from notify.errors import PublishError, StoreError
from notify.message import Channel, Status
from notify.periodic import PeriodicThread
from notify.publisher import Publisher
from notify.relays import DueRows, Relay, SetBackRepair, relay_and_repair
from notify.relays.due import RETRY
from notify.relays.relay import RELAY_LEASE
from notify.store import Claim, Entry, Store
from notify.store.relays.due import lease_due
from notify.store.tables import notifications
from tests.support.recording import LATER, NOW, asked, begin, call_for, claim_one, put_off
from tests.support.rig import until
from tests.support.sealing import KEYRING

STEP = timedelta(hours=1)
NOBODY_LISTENS = "pyamqp://guest:guest@127.0.0.1:1//"


def _scheduled(store: Store, **changes: Any) -> Entry:
    entry = Entry(asked(**changes), Status.SCHEDULED, due_at=NOW)
    assert claim_one(store, entry) is Claim.OWNED
    return entry


def _due(store: Store, *, now: datetime) -> int:
    """Count the rows that another relay would lease."""
    with store.writing() as connection:
        return len(lease_due(connection, [Status.SCHEDULED], now=now, lease=timedelta(), limit=10))


def _thread(store: Store, publisher: Publisher) -> PeriodicThread:
    """Wire a relay as a worker does."""
    relay = Relay(DueRows(), store, publisher, clock=lambda: LATER)
    step = partial(relay_and_repair, relay, SetBackRepair(store, clock=lambda: LATER))
    return PeriodicThread("relay", step, period=0.5)


def test_a_row_becomes_the_request_that_it_was(store: Store) -> None:
    """Its body, key and id; not through the exchange that operators tap, and with its trace."""
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    asked_ = _scheduled(store, body=b'{"v":1}', lane="bulk", traceparent=trace).notification
    with store.writing() as connection:
        (row,) = lease_due(connection, [Status.SCHEDULED], now=LATER, lease=RELAY_LEASE, limit=10)
    message = DueRows().outgoing(row)
    assert (message.body, message.message_id) == (b'{"v":1}', str(asked_.id))
    assert (message.exchange, message.routing_key) == ("notify.work", "email.bulk.shop")
    assert message.headers == {"traceparent": trace}
    assert row.channel is Channel.EMAIL


def test_without_a_broker_due_rows_stay_due(store: Store) -> None:
    """Left out for a moment, to avoid a hot loop; then any relay may try again."""
    entry = _scheduled(store)
    with Publisher(NOBODY_LISTENS, timeout=0.1) as publisher:
        relay = Relay(DueRows(), store, publisher, clock=lambda: LATER)
        with pytest.raises(PublishError):
            relay.publish()
    story = store.get(entry.notification.id)
    assert story is not None
    assert (story.status, story.summary.due_at) == (Status.SCHEDULED, NOW)
    assert _due(store, now=LATER + RETRY - timedelta(seconds=1)) == 0
    assert _due(store, now=LATER + RETRY) == 1


def test_a_copy_is_claimed_after_a_publish_without_confirm(store: Store) -> None:
    """The message may be in the queue, though its confirm was lost: it is not a duplicate."""
    entry = _scheduled(store)
    with Publisher(NOBODY_LISTENS, timeout=0.1) as publisher, pytest.raises(PublishError):
        Relay(DueRows(), store, publisher, clock=lambda: LATER).publish()
    behind = NOW - timedelta(seconds=1)
    assert claim_one(store, call_for(entry.notification), now=behind) is Claim.OWNED


def test_a_repair_that_fails_does_not_stop_the_relay(store: Store) -> None:
    """Otherwise one failing statement, after the clock was set back, would stop all retries."""
    _scheduled(store)
    with store.writing() as connection:
        connection.exec_driver_sql("DROP TABLE dead_letters")

    def tried() -> bool:
        with store.reading() as connection:
            relay_until: datetime | None = connection.execute(
                select(notifications.c.relay_until)
            ).scalar_one()
        return bool(relay_until == LATER + RETRY)

    with Publisher(NOBODY_LISTENS, timeout=0.1) as publisher:
        relay = _thread(store, publisher)
        relay.start()
        until(tried)
        relay.stop(timeout=5)


def test_without_a_broker_the_repair_runs(store: Store) -> None:
    """A single full queue makes every publish fail."""
    entry = begin(store, now=LATER + STEP)
    due = LATER + STEP + RETRY
    store.record([put_off(entry, ended_at=LATER + STEP, due_at=due)])
    _scheduled(store)

    def righted() -> bool:
        with store.reading() as connection:
            mine = notifications.c.id == entry.notification.id
            due_at: datetime | None = connection.execute(
                select(notifications.c.due_at).where(mine)
            ).scalar_one()
        return bool(due_at == LATER + RETRY)

    with Publisher(NOBODY_LISTENS, timeout=0.1) as publisher:
        relay = _thread(store, publisher)
        relay.start()
        until(righted)
        relay.stop(timeout=5)


def test_without_a_record_it_raises_a_store_error(tmp_path: Path) -> None:
    """Its thread logs the error and waits."""
    store = Store.open(f"sqlite:///{tmp_path}/none/notify.db")
    with Publisher(NOBODY_LISTENS, timeout=0.1) as publisher, pytest.raises(StoreError):
        Relay(DueRows(), store, publisher).publish()
    store.close()


def test_nothing_due_connects_to_no_broker(store: Store) -> None:
    """An idle relay costs the broker nothing."""
    entry = Entry(asked(), Status.SCHEDULED, due_at=LATER)
    assert claim_one(store, entry) is Claim.OWNED
    with Publisher(NOBODY_LISTENS, timeout=0.1) as publisher:
        assert Relay(DueRows(), store, publisher, clock=lambda: NOW).publish() == 0


def test_a_row_that_no_key_here_opens_stays_leased(tmp_path: Path) -> None:
    """It is logged, not published, and tried again when the lease ends."""
    url = f"sqlite:///{tmp_path}/sealed.db"
    store, sealing = Store.open(url), Store.open(url, keyring=KEYRING)
    store.migrate()
    _scheduled(sealing)
    with Publisher(NOBODY_LISTENS, timeout=0.1) as publisher, capture_logs() as logs:
        assert Relay(DueRows(), store, publisher, clock=lambda: LATER).publish() == 1
    assert [(line["event"], line["sealed_with"], line["count"]) for line in logs] == [
        ("notify.sealed", "k1", 1)
    ]
    assert _due(store, now=LATER + RELAY_LEASE - timedelta(seconds=1)) == 0
    assert _due(store, now=LATER + RELAY_LEASE) == 1
    store.close()
    sealing.close()
