"""Hosts whose clocks are wrong, on both databases: the record goes by its own."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime, timedelta
from queue import SimpleQueue
from typing import ClassVar, NamedTuple
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from notify.arrival import Arrival, Decision
from notify.contract import Incoming
from notify.delivery import Delivery
from notify.flow import Flow
from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel, Receipt, Rendered, Status, Unknown
from notify.privacy.retention import Keep, delete_old
from notify.store import Filter, Store, listing
from notify.store.db.clock import read_clock
from notify.store.db.engine import connect
from notify.store.relays.events import newest_events
from notify.store.tables import events, notifications
from providers.memory import Memory
from tests.support.delivering import delivery_on, policy_for
from tests.support.flowing import flow_on
from tests.support.recording import LEASE, accepted, begin

HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)


def _host(by: timedelta, url: str) -> Store:
    """Open the record on a host whose clock is off."""
    return Store(connect(url), host=lambda: time.time() + by.total_seconds())


class Slow(Memory):
    """Keeps each call open until it may end."""

    channel: ClassVar[Channel] = Channel.EMAIL

    def __new__(cls, **_: object) -> Slow:
        return object.__new__(cls)

    def __init__(self) -> None:
        super().__init__()
        self.called = threading.Event()
        self.free = threading.Event()

    def send(self, message: Rendered, /) -> Receipt:
        """Send when asked to."""
        self.called.set()
        assert self.free.wait(timeout=30)
        return super().send(message)


class Host(NamedTuple):
    """One worker's delivery, and what it shares with others as it knows it."""

    delivery: Delivery
    store: Store
    flow: Flow


@contextmanager
def _worker(url: str, *providers: Memory, off_by: timedelta) -> Iterator[Host]:
    store = _host(off_by, url)
    lines = [ConfiguredProvider(f"memory-{number}", each) for number, each in enumerate(providers)]
    gateway = Gateway(Channel.EMAIL, lines)
    flow = flow_on(store, providers=[line.name for line in lines])
    policy = policy_for(gateway, ["normal"], attempts=9, unknown=Unknown.RESEND)
    delivery = delivery_on(store, gateway, flow=flow, policy=policy)
    delivery.start()
    try:
        yield Host(delivery, store, flow)
    finally:
        delivery.stop(timeout=10)
        store.close()


def _arrivals(ids: list[str], decided: SimpleQueue[Decision]) -> list[Arrival]:
    asked = ({"id": each, "to": "ada@example.com", "subject": "Hi", "text": "Hi."} for each in ids)
    return [
        Arrival(
            Incoming(
                json.dumps(each).encode(), "email.normal.shop", content_type="application/json"
            ),
            decided.put,
        )
        for each in asked
    ]


@pytest.mark.parametrize("off_by", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_what_comes_twice_is_sent_once_whatever_the_hosts_clocks(
    migrated_url: str, off_by: timedelta
) -> None:
    """A host an hour ahead took a call that was under way for one that was lost, and resent it."""
    slow, quick = Slow(), Memory()
    ids = [str(uuid4()) for _ in range(3)]
    decided: SimpleQueue[Decision] = SimpleQueue()
    with (
        _worker(migrated_url, slow, off_by=timedelta()) as here,
        _worker(migrated_url, quick, off_by=off_by) as there,
    ):
        here.delivery.deliver(_arrivals(ids, decided))
        assert slow.called.wait(timeout=30)
        there.delivery.deliver(_arrivals(ids, decided))
        for _ in ids:
            decided.get(timeout=30)
        slow.free.set()
        for _ in ids:
            decided.get(timeout=30)
    assert (len(slow.sent), len(quick.sent)) == (3, 0)
    with closing(Store.open(migrated_url)) as store, store.reading() as connection:
        rows = connection.execute(
            notifications.select().where(notifications.c.id.in_(map(UUID, ids)))
        ).all()
    assert {(row.status, row.attempts, row.possible_duplicate) for row in rows} == {
        ("sent", 1, False)
    }


@pytest.mark.parametrize("off_by", [HOUR, -HOUR], ids=["ahead", "behind"])
def test_a_claim_lasts_a_lease_by_the_databases_clock(migrated_url: str, off_by: timedelta) -> None:
    """A worker that is killed on a host an hour ahead must not keep its messages for an hour."""
    slow = Slow()
    ids = [str(uuid4())]
    decided: SimpleQueue[Decision] = SimpleQueue()
    with _worker(migrated_url, slow, off_by=off_by) as killed:
        killed.delivery.deliver(_arrivals(ids, decided))
        assert slow.called.wait(timeout=30)
        with closing(Store.open(migrated_url)) as store, store.reading() as connection:
            (row,) = connection.execute(
                notifications.select().where(notifications.c.id.in_(map(UUID, ids)))
            ).all()
            now = datetime.fromtimestamp(read_clock(connection), UTC)
        slow.free.set()
    assert row.received_at <= now + SECOND
    assert row.lease_until <= now + LEASE + SECOND
    assert now < row.lease_until + HOUR / 2


def test_retention_goes_by_the_databases_clock(store: Store, migrated_url: str) -> None:
    """`notify maintenance` on a host 30 days ahead deleted all that had just ended."""
    entry = begin(store, now=store.clock())
    store.record([accepted(entry, ended_at=store.clock())])
    with store.writing() as connection:
        connection.execute(update(events).values(to_publish=False))
    keep = Keep(lanes={"critical": DAY}, others=DAY, waiting=DAY, audit=DAY)
    with closing(_host(30 * DAY, migrated_url)) as ahead:
        assert delete_old(ahead, keep, now=ahead.clock()).notifications == 0
        assert delete_old(ahead, keep, now=ahead.clock() + 2 * DAY).notifications == 1


def test_how_long_ago_is_counted_by_the_databases_clock(store: Store) -> None:
    """`notify dead discard --until 7d` on a host a week ahead would choose today's letters."""
    now = store.clock()
    begin(store, now=now - 2 * HOUR)
    entry = begin(store, now=now)
    store.record([accepted(entry, ended_at=now)])

    assert len(store.find(Filter(since=HOUR))) == 1
    assert len(store.find(Filter(since=3 * HOUR))) == 2
    assert len(store.find(Filter(until=HOUR))) == 1
    assert store.count(Filter(since=HOUR)) == {Status.SENT: 1}
    with store.reading() as connection:
        assert len(newest_events(connection, since=HOUR, limit=5)) == 1
        assert len(list(listing.find(connection, Filter(until=3 * HOUR), limit=5))) == 0
