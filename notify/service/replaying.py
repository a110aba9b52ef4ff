"""What plans and performs replays of dead letters, wired."""

from __future__ import annotations

from notify.deadletters import Rehearsal, Replayer
from notify.message import Channel
from notify.service import contract_limits, open_templates
from notify.service.flow import countries
from notify.settings import Settings
from notify.store import Store


def open_replayer(settings: Settings, store: Store) -> Replayer:
    """
    Make what plans and performs replays in a store.

    Raises:
        ConfigError: The templates cannot be read.
    """
    allowed = countries(settings) if Channel.SMS in settings.channels else None
    rehearsal = Rehearsal(open_templates(settings), allowed)
    limits = contract_limits(settings)
    return Replayer(store, limits=limits, lanes=settings.lanes, rehearsal=rehearsal)
