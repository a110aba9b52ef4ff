"""Dead letters: archived as they came, judged by the record, replayed or discarded by operators."""

from __future__ import annotations

from notify.deadletters.archive import Archive
from notify.deadletters.discard import discard
from notify.deadletters.eligibility import Eligibility
from notify.deadletters.plan import ReplayPlan
from notify.deadletters.rehearsal import Rehearsal
from notify.deadletters.replay import Replayer, ReplayStep
from notify.deadletters.replay_request import ReplayRequest
from notify.store.deadletters import Edit

__all__ = [
    "Archive",
    "Edit",
    "Eligibility",
    "Rehearsal",
    "ReplayPlan",
    "ReplayRequest",
    "ReplayStep",
    "Replayer",
    "discard",
]
