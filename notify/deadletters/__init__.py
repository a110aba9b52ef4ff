"""Dead letters: archived as they came, judged by the record, replayed or discarded by operators."""

from __future__ import annotations

from notify.deadletters.archive import Archive
from notify.deadletters.discard import discard
from notify.deadletters.judgement import Prospect
from notify.deadletters.order import Order
from notify.deadletters.plan import Plan
from notify.deadletters.refused_publisher import RefusedEvents
from notify.deadletters.rehearsal import Rehearsal
from notify.deadletters.replay import Replayer, Step
from notify.store.deadletters import Mending

__all__ = [
    "Archive",
    "Mending",
    "Order",
    "Plan",
    "Prospect",
    "RefusedEvents",
    "Rehearsal",
    "Replayer",
    "Step",
    "discard",
]
