"""
Dead letters: archived as they came, replayed or discarded by operators.

Here: the archive of the dead queue, the plan and the replay. Not here: SQL (`store.deadletters`),
sending, or the command line.
"""

from __future__ import annotations

from notify.deadletters.archive import Archive
from notify.deadletters.assessment import LetterAssessment
from notify.deadletters.discard import discard, discard_within
from notify.deadletters.eligibility import Eligibility
from notify.deadletters.plan import ReplayPlan
from notify.deadletters.rehearsal import Rehearsal
from notify.deadletters.replay import GROUP, ReplayedGroup, Replayer, ReplayStep
from notify.deadletters.replay_request import ReplayRequest
from notify.store.deadletters import Edit

__all__ = [
    "GROUP",
    "Archive",
    "Edit",
    "Eligibility",
    "LetterAssessment",
    "Rehearsal",
    "ReplayPlan",
    "ReplayRequest",
    "ReplayStep",
    "ReplayedGroup",
    "Replayer",
    "discard",
    "discard_within",
]
