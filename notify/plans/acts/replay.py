"""Replaying dead letters, through the same replayer as `notify dead replay`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from notify.deadletters import (
    GROUP,
    Eligibility,
    LetterAssessment,
    ReplayedGroup,
    Replayer,
    ReplayRequest,
)
from notify.plans.acts.act import SliceResult, only, options_of
from notify.plans.acts.discard import waiting_letters
from notify.plans.request import Wanted
from notify.plans.words import REPLAYED, SETTLED
from notify.store import Actor, Store
from notify.store.plans import BulkPlan, ItemKey, ItemResult, ItemState

_REFUSED = (Eligibility.ACCEPTED, Eligibility.UNFIT, Eligibility.FAILS, Eligibility.REFUSED)
_GRAVEST = (
    *_REFUSED,
    Eligibility.UNKNOWN,
    Eligibility.IN_FLIGHT,
    Eligibility.EXPIRED,
    Eligibility.WITHDRAWN,
)
"""The eligibility that explains why nothing of a letter was replayed, the gravest first."""


class ReplayAct:
    """Replays letters: their notifications get due times at the plan's rate."""

    most = GROUP

    def __init__(self, store: Store, replayer: Callable[[], Replayer]) -> None:
        self._store = store
        self._build = replayer
        self._built: tuple[Any, Replayer] | None = None

    def choose(self, connection: Connection, wanted: Wanted, *, limit: int) -> Sequence[ItemKey]:
        """Return the waiting letters that match, oldest first."""
        return waiting_letters(connection, wanted, limit=limit)

    def forecast(self, plan: BulkPlan, keys: Sequence[ItemKey]) -> Counter[str]:
        """Count the notifications that the letters request, as `notify dead plan` does."""
        found = self._replayer(plan).plan(_request(plan, only(int, keys)))
        counts: Counter[str] = Counter(
            {str(each): number for each, number in found.eligibilities.items()}
        )
        counts[SETTLED] += found.settled
        return counts

    def prepare(self, plan: BulkPlan, keys: Sequence[ItemKey], actor: Actor) -> ReplaySlice:
        """Render the templates of the letters."""
        replayer, request = self._replayer(plan), _request(plan, only(int, keys))
        replay_id = UUID(options_of(plan).replay_id)
        return ReplaySlice(replayer, request, actor, replay_id, replayer.rehearse(request))

    def _replayer(self, plan: BulkPlan) -> Replayer:
        """Return a replayer whose templates are as new as the plan's start."""
        of = plan.id, plan.state, plan.started_at
        if self._built is None or self._built[0] != of:
            self._built = of, self._build()
        return self._built[1]


@dataclass(frozen=True, slots=True)
class ReplaySlice:
    """Some letters, and the notifications of them that would fail again."""

    replayer: Replayer
    request: ReplayRequest
    actor: Actor
    replay_id: UUID
    failures: Mapping[Any, str]

    def perform(self, connection: Connection, *, now: datetime) -> SliceResult:  # noqa: ARG002
        """Schedule what may be sent."""
        group = self.replayer.schedule(
            connection, self.request, self.actor, self.failures, replay_id=self.replay_id
        )
        busy_until = max(group.until.values(), default=None)
        return SliceResult(_results(self.request.ids, group), busy_until)

    def committed(self) -> None:
        """Do nothing: each notification's event has it."""


def _request(plan: BulkPlan, ids: Sequence[int]) -> ReplayRequest:
    unknown = options_of(plan).include_unknown
    return ReplayRequest(ids, rate=plan.rate, include_unknown=unknown, plan_id=plan.id)


def _results(ids: Sequence[int], group: ReplayedGroup) -> dict[ItemKey, ItemResult]:
    results: dict[ItemKey, ItemResult] = {
        id_: ItemResult(ItemState.SKIPPED, SETTLED) for id_ in ids
    }
    for each in group.assessments:
        replayed = each.letter.id in group.until
        done = ItemResult(ItemState.DONE, REPLAYED)
        results[each.letter.id] = done if replayed else _not_replayed(each)
    return results


def _not_replayed(assessment: LetterAssessment) -> ItemResult:
    found = set(assessment.eligibilities)
    why = next((each for each in _GRAVEST if each in found), Eligibility.IN_FLIGHT)
    state = ItemState.REFUSED if why in _REFUSED else ItemState.SKIPPED
    detail = {Eligibility.UNFIT: assessment.unfit, Eligibility.FAILS: assessment.fails}
    return ItemResult(state, why, detail.get(why, ""))
