"""The relays of one worker process, each in its thread."""

from __future__ import annotations

from functools import partial

from notify.periodic import PeriodicThread
from notify.publisher import Publisher
from notify.relays import (
    Announcer,
    DueRows,
    OwnEvents,
    RefusedRows,
    Relay,
    ReportRows,
    SetBackRepair,
    relay_and_repair,
)
from notify.store import Store

PERIOD = 0.5
"""Seconds between two readings of the record after rows were found."""
LONGEST = 2.0
"""Seconds up to which that doubles while no rows wait."""


def due_relay(store: Store, publisher: Publisher) -> PeriodicThread:
    """Wire the relay of due notifications."""
    step = partial(relay_and_repair, Relay(DueRows(), store, publisher), SetBackRepair(store))
    return PeriodicThread("relay", step, period=PERIOD, longest=LONGEST)


def event_relay(
    store: Store, publisher: Publisher, own_events: OwnEvents | None = None
) -> PeriodicThread:
    """Wire the announcer of status events, which publishes all that are left at a stop."""
    announcer = Announcer(own_events or OwnEvents(), store, publisher)
    return PeriodicThread("event relay", announcer.step, period=PERIOD, last=announcer.finish)


def refused_relay(store: Store, publisher: Publisher) -> PeriodicThread:
    """Wire the relay of refused messages' events, which publishes once more when it stops."""
    step = Relay(RefusedRows(), store, publisher).step
    return PeriodicThread("refused relay", step, period=PERIOD, longest=LONGEST, last=step)


def report_relay(store: Store, publisher: Publisher) -> PeriodicThread:
    """Wire the relay of replayed receipts and reports."""
    step = Relay(ReportRows(), store, publisher).step
    return PeriodicThread("report relay", step, period=PERIOD, longest=LONGEST)
