"""Replaying: dead letters are judged, and what may be sent again gets a new time in the record.

A replay publishes nothing itself. In one transaction a group of letters is locked, judged once
more, and its notifications are given times of their own; the relay of the workers publishes them
then. So a replay that is killed has done a part of the work and no more, two at once never take the
same letter, and what is sent passes the limits and the claim that all messages pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notify.contract import Limits
from notify.deadletters.assessment import Key, LetterAssessment, LetterAssessor, mark_repeats
from notify.deadletters.plan import ReplayPlan
from notify.deadletters.rehearsal import Rehearsal, mark_failing
from notify.deadletters.replay_request import ReplayRequest
from notify.deadletters.schedule import ReplaySchedule, SlotAllocator, keep_edit
from notify.store import Actor, Store
from notify.store.deadletters import archive as dead
from notify.store.deadletters import replays

GROUP = 50
"""Letters that are judged, or lined up, in one transaction."""


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """What one transaction of a replay has done."""

    letters: int
    """Letters looked at, those that were left alone included."""
    replayed: Sequence[UUID]
    """The notifications that got a new time."""


class Replayer:
    """Plans and performs replays against one record."""

    def __init__(
        self,
        store: Store,
        *,
        limits: Limits,
        lanes: Collection[str],
        rehearsal: Rehearsal | None = None,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """
        Take what to judge letters by.

        Args:
            limits: Those of delivery.
            lanes: The lanes that have queues.
            rehearsal: Tells what would fail again at a worker; if None, that is not looked at.
        """
        self._store = store
        self._rehearsal = rehearsal
        self._assessor = LetterAssessor(limits=limits, lanes=lanes)
        self._clock = clock or store.clock

    def plan(self, order: ReplayRequest) -> ReplayPlan:
        """
        Tell what `replay` would do now, and change nothing.

        Raises:
            StoreError: The record cannot be used.
        """
        plan = ReplayPlan()
        sent: set[Key] = set()
        for ids in _groups(order.ids):
            with self._store.reading() as connection:
                now = self._clock()
                plan.begins = replays.last_slots(connection, now=now)
                letters = dead.read_waiting(connection, ids)
                cases = self._assessor.assess(connection, letters, order.mending, now=now)
            plan.settled += len(ids) - len(cases)
            cases = mark_failing(cases, self._failing(cases))
            for case in mark_repeats(cases, order, sent):
                plan.add(case, order)
        return plan

    def replay(
        self, order: ReplayRequest, actor: Actor, *, replay_id: UUID
    ) -> Iterator[ReplayStep]:
        """
        Line up what may be sent, group by group; yields after each commit.

        Raises:
            StoreError: The record cannot be used; the groups before stay lined up.
        """
        for ids in _groups(order.ids):
            failing = self._rehearsed(ids, order)
            done = self._line_up(ids, order, actor, failing, replay_id=replay_id)
            yield ReplayStep(len(ids), done)

    def _failing(self, cases: Sequence[LetterAssessment]) -> Mapping[Key, str]:
        return self._rehearsal.failing(cases) if self._rehearsal else {}

    def _rehearsed(self, ids: Sequence[int], order: ReplayRequest) -> Mapping[Key, str]:
        """Find what would fail again, before rows are locked: a batch takes long to render."""
        if self._rehearsal is None:
            return {}
        with self._store.reading() as connection:
            letters = dead.read_waiting(connection, ids)
            now = self._clock()
            cases = self._assessor.assess(connection, letters, order.mending, now=now)
        return self._failing(cases)

    def _line_up(
        self,
        ids: Sequence[int],
        order: ReplayRequest,
        actor: Actor,
        failing: Mapping[Key, str],
        *,
        replay_id: UUID,
    ) -> list[UUID]:
        with self._store.writing() as connection:
            replays.lock_replays(connection)
            now = self._clock()
            letters = dead.read_waiting(connection, ids, lock=True)
            cases = self._assessor.assess(connection, letters, order.mending, now=now, lock=True)
            cases = mark_repeats(mark_failing(cases, failing), order, set())
            times = SlotAllocator(replays.last_slots(connection, now=now), rate=order.rate, now=now)
            line = ReplaySchedule.of(cases, order, times)
            if not line.until:
                return []
            for case in cases:
                keep_edit(connection, case, order, actor, now=now)
            return line.write(connection, order, actor, replay_id=replay_id, now=now)


def _groups(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + GROUP] for start in range(0, len(ids), GROUP))
