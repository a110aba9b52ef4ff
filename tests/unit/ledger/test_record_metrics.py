"""The metrics of the whole record."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import update

from notify.ledger.record_metrics import RecordMetrics
from notify.store import Store
from notify.store.tables import notifications
from notify.telemetry.metrics import Metrics
from tests.support import planting
from tests.support.recording import LEASE


def _told(metrics: Metrics) -> set[str]:
    return set(metrics.text().decode().splitlines())


def test_it_counts_what_is_on_record_and_tells_what_is_late(store: Store) -> None:
    """By terms and lanes; the relay's lag is the age of what it should have taken first."""
    for plant in (planting.sent, planting.sent, planting.unknown, planting.queued):
        plant(store)
    metrics, now = Metrics(), planting.AFTERWARDS + LEASE + timedelta(seconds=90)
    metrics_of_record = RecordMetrics(store, metrics, clock=lambda: now)
    assert not [line for line in _told(metrics) if line.startswith("notify_record")]
    metrics_of_record.refresh()
    told = _told(metrics)
    lane = 'channel="email",lane="critical"'
    assert f'notify_record_notifications{{{lane},term="sent"}} 2.0' in told
    assert f'notify_record_notifications{{{lane},term="unknown"}} 1.0' in told
    assert f'notify_record_notifications{{{lane},term="in_flight"}} 1.0' in told
    assert f'notify_record_notifications{{{lane},term="failed"}} 0.0' in told
    assert 'notify_late{work="relay"} 1.0' in told
    assert 'notify_late_oldest_seconds{work="relay"} 90.0' in told
    assert 'notify_late{work="events"} 3.0' in told
    assert 'notify_dead_letters_waiting{cause="failed"} 0.0' in told
    assert "notify_ledger_difference 0.0" in told


def test_what_is_in_no_term_is_told_as_the_difference(store: Store) -> None:
    """An operator must be alerted."""
    id_ = planting.queued(store)
    with store.writing() as connection:
        mine = notifications.c.id == id_
        connection.execute(update(notifications).where(mine).values(status="vanished"))
    metrics = Metrics()
    RecordMetrics(store, metrics, clock=lambda: planting.AFTERWARDS).refresh()
    assert "notify_ledger_difference 1.0" in _told(metrics)


def test_it_counts_through_no_more_often_than_a_twentieth_of_the_time(store: Store) -> None:
    """Late work is read each time nevertheless."""
    ticks = iter([0.0, 10.0, 50.0, 201.0, 201.0])
    metrics = Metrics()
    metrics_of_record = RecordMetrics(
        store, metrics, clock=lambda: planting.AFTERWARDS, monotonic=lambda: next(ticks)
    )
    counted = []
    for _ in range(3):
        planting.sent(store)
        metrics_of_record.refresh()
        lines = [line for line in _told(metrics) if 'term="sent"' in line]
        counted.append(sum(float(line.rpartition(" ")[2]) for line in lines))
    assert counted == [1.0, 1.0, 3.0]
