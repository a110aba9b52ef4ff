"""The relays of one worker process, each in its thread."""

from __future__ import annotations

from functools import partial

from notify.periodic import PeriodicThread
from notify.publisher import Publisher
from notify.relays import (
    DueRows,
    EventRows,
    RefusedRows,
    Relay,
    ReportRows,
    SetBackRepair,
    relay_and_repair,
)
from notify.store import Store

PERIOD = 0.5
"""Seconds between two looks at the record while no rows wait to be published."""


def due_relay(store: Store, publisher: Publisher) -> PeriodicThread:
    """Wire the relay of due notifications."""
    step = partial(relay_and_repair, Relay(DueRows(), store, publisher), SetBackRepair(store))
    return PeriodicThread("relay", step, period=PERIOD)


def event_relay(store: Store, publisher: Publisher) -> PeriodicThread:
    """Wire the relay of status events, which publishes once more when the worker stops."""
    step = Relay(EventRows(), store, publisher).step
    return PeriodicThread("event relay", step, period=PERIOD, once_more=True)


def refused_relay(store: Store, publisher: Publisher) -> PeriodicThread:
    """Wire the relay of refused messages' events, which publishes once more when it stops."""
    step = Relay(RefusedRows(), store, publisher).step
    return PeriodicThread("refused relay", step, period=PERIOD, once_more=True)


def report_relay(store: Store, publisher: Publisher) -> PeriodicThread:
    """Wire the relay of replayed receipts and reports."""
    step = Relay(ReportRows(), store, publisher).step
    return PeriodicThread("report relay", step, period=PERIOD)
