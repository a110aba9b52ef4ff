"""Wiring what tells sources of refused messages."""

from __future__ import annotations

from notify.deadletters import RefusedEvents
from notify.service import open_publisher, open_store
from notify.settings import Settings


def open_refused_events(settings: Settings) -> RefusedEvents:
    """Wire it: a store of its own, and a publisher to those who subscribe."""
    return RefusedEvents(open_store(settings), open_publisher(settings))
