"""The relays of one worker process."""

from __future__ import annotations

from notify.deadletters import RefusedEvents
from notify.relays import BATCH_SIZE, EventRelay, Relay
from notify.service.broker import open_publisher
from notify.service.record import open_store
from notify.settings import Settings


def open_relay(settings: Settings) -> Relay:
    """Wire a relay: a store of its own, and a publisher to the worker queues."""
    return Relay(open_store(settings), open_publisher(settings))


def open_announcer(settings: Settings) -> EventRelay:
    """Wire an announcer: a store of its own, and a publisher to those who subscribe."""
    # A whole handful in flight: with less room, the rest would trickle out one by one.
    return EventRelay(open_store(settings), open_publisher(settings, window=BATCH_SIZE))


def open_refused_events(settings: Settings) -> RefusedEvents:
    """Wire it: a store of its own, and a publisher to those who subscribe."""
    return RefusedEvents(open_store(settings), open_publisher(settings))
