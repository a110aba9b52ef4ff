"""
Replaying dead letters: each is assessed, and what may be sent again gets a due time in the record.

A replay publishes nothing itself. One transaction locks a group of letters, assesses them again,
and writes the due times of their notifications; the workers' relay publishes them then. So a replay
that is killed has done a part of the work and no more, two at once never replay the same letter,
and every notification passes the limits and the claim that all messages pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from notify.contract import Limits
from notify.deadletters.assessment import Key, LetterAssessment, LetterAssessor, mark_repeats
from notify.deadletters.plan import ReplayPlan
from notify.deadletters.rehearsal import Rehearsal, mark_failing, sendable
from notify.deadletters.replay_request import ReplayRequest
from notify.deadletters.schedule import ReplaySchedule, SlotAllocator, keep_edit
from notify.store import Actor, Store
from notify.store.deadletters import last_slots, lock_replays, read_waiting
from notify.store.suppression import stopped_messages

GROUP = 50
"""Letters that one transaction assesses or schedules."""


@dataclass(frozen=True, slots=True)
class ReplayStep:
    """The result of one transaction of a replay."""

    letters: int
    """Letters assessed, those that were not replayed included."""
    replayed: Sequence[UUID]
    """The notifications that got a new due time."""


@dataclass(frozen=True, slots=True)
class ReplayedGroup:
    """
    The letters of one transaction of a replay.

    Attributes:
        assessments: Of the letters that were waiting.
        scheduled: The notifications that got a new due time.
        until: By letter that is replayed, the due time of its last message.
    """

    assessments: Sequence[LetterAssessment]
    scheduled: Sequence[UUID] = ()
    until: Mapping[int, datetime] = field(default_factory=dict)


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
        Create a replayer.

        Args:
            limits: The contract's, as delivery applies them.
            lanes: The lanes that have queues.
            rehearsal: Finds what would fail again at a worker; None skips that check.
        """
        self._store = store
        self._rehearsal = rehearsal
        self._assessor = LetterAssessor(limits=limits, lanes=lanes)
        self._clock = clock or store.clock

    def plan(self, request: ReplayRequest) -> ReplayPlan:
        """
        Return what `replay` would do now; nothing is changed.

        Raises:
            StoreError: The record cannot be used.
        """
        plan = ReplayPlan()
        sent: set[Key] = set()
        for ids in _groups(request.ids):
            with self._store.reading() as connection:
                now = self._clock()
                plan.begins = last_slots(connection, now=now)
                assessments = self._assess(connection, ids, request, now=now)
            plan.settled += len(ids) - len(assessments)
            assessments = mark_failing(assessments, self._failures(assessments))
            for each in mark_repeats(assessments, request, sent):
                plan.add(each, request)
        return plan

    def replay(
        self, request: ReplayRequest, actor: Actor, *, replay_id: UUID
    ) -> Iterator[ReplayStep]:
        """
        Schedule what may be sent, group by group; yield after each commit.

        Raises:
            StoreError: The record cannot be used; earlier groups stay scheduled.
        """
        for ids in _groups(request.ids):
            group = replace(request, ids=ids)
            failures = self.rehearse(group)
            with self._store.writing() as connection:
                done = self.schedule(connection, group, actor, failures, replay_id=replay_id)
            yield ReplayStep(len(ids), done.scheduled)

    def _assess(
        self,
        connection: Connection,
        ids: Sequence[int],
        request: ReplayRequest,
        *,
        now: datetime,
        lock: bool = False,
    ) -> list[LetterAssessment]:
        letters = read_waiting(connection, ids, lock=lock)
        return self._assessor.assess(connection, letters, request.edit, now=now, lock=lock)

    def _failures(self, assessments: Sequence[LetterAssessment]) -> Mapping[Key, str]:
        if self._rehearsal is None:
            return {}
        with self._store.reading() as connection:
            stopped = stopped_messages(
                connection,
                sendable(assessments),
                exempt=self._rehearsal.exempt,
                now=self._clock(),
            )
        return {**self._rehearsal.failures(assessments), **stopped}

    def rehearse(self, request: ReplayRequest) -> Mapping[Key, str]:
        """
        Return, by key, what would fail again, for `schedule` of the same letters.

        Before rows are locked, since a batch takes long to render.
        """
        if self._rehearsal is None:
            return {}
        with self._store.reading() as connection:
            assessments = self._assess(connection, request.ids, request, now=self._clock())
        return self._failures(assessments)

    def schedule(
        self,
        connection: Connection,
        request: ReplayRequest,
        actor: Actor,
        failures: Mapping[Key, str],
        *,
        replay_id: UUID,
    ) -> ReplayedGroup:
        """Schedule what may be sent of at most `GROUP` letters, in the caller's transaction."""
        lock_replays(connection)
        now = self._clock()
        assessments = self._assess(connection, request.ids, request, now=now, lock=True)
        assessments = mark_repeats(mark_failing(assessments, failures), request, set())
        slots = SlotAllocator(last_slots(connection, now=now), rate=request.rate, now=now)
        schedule = ReplaySchedule.of(assessments, request, slots)
        if not schedule.until:
            return ReplayedGroup(assessments)
        for each in assessments:
            keep_edit(connection, each, request, actor, now=now)
        done = schedule.write(connection, request, actor, replay_id=replay_id, now=now)
        return ReplayedGroup(assessments, done, schedule.until)


def _groups(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + GROUP] for start in range(0, len(ids), GROUP))
