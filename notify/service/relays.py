"""The relays of one worker process, each in its thread."""

from __future__ import annotations

from functools import partial

from notify.periodic import PeriodicThread
from notify.relays import (
    BATCH_SIZE,
    DueRows,
    EventRows,
    RefusedRows,
    Relay,
    SetBackRepair,
    relay_and_repair,
)
from notify.service.broker import open_publisher
from notify.service.record import open_store
from notify.settings import Settings

PERIOD = 0.5
"""Seconds between two looks at the record while no rows wait to be published."""


def due_relay(settings: Settings) -> PeriodicThread:
    """Wire the relay of due notifications."""
    store = open_store(settings)
    relay = Relay(DueRows(), store, open_publisher(settings))
    step = partial(relay_and_repair, relay, SetBackRepair(store))
    return PeriodicThread("relay", step, period=PERIOD)


def event_relay(settings: Settings) -> PeriodicThread:
    """Wire the relay of status events, which publishes once more when the worker stops."""
    # A whole batch in flight: with a smaller window, its rest would be published one by one.
    relay = Relay(EventRows(), open_store(settings), open_publisher(settings, window=BATCH_SIZE))
    return PeriodicThread("event relay", relay.step, period=PERIOD, once_more=True)


def refused_relay(settings: Settings) -> PeriodicThread:
    """Wire the relay of refused messages' events, which publishes once more when it stops."""
    relay = Relay(RefusedRows(), open_store(settings), open_publisher(settings))
    return PeriodicThread("refused relay", relay.step, period=PERIOD, once_more=True)
