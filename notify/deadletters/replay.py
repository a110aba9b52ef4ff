"""Replaying: dead letters are judged, and what may be sent again gets a new time in the record.

A replay publishes nothing itself. In one transaction a group of letters is locked, judged once
more, and its notifications are given times of their own; the relay of the workers publishes them
then. So a replay that is killed has done a part of the work and no more, two at once never take the
same letter, and what is sent passes the limits and the claim that all messages pass.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from notify.deadletters.case import Examiner, Key, in_turn
from notify.deadletters.lineup import LineUp, Times, keep_mending
from notify.deadletters.order import Order
from notify.deadletters.plan import Plan
from notify.delivery import Limits
from notify.store import Store, dead, replays
from notify.store.audit import Actor

GROUP = 50
"""Letters that are judged, or lined up, in one transaction."""


@dataclass(frozen=True, slots=True)
class Step:
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
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """
        Take what to judge letters by.

        Args:
            limits: Those of delivery.
            lanes: The lanes that have queues.
        """
        self._store = store
        self._examiner = Examiner(limits=limits, lanes=lanes)
        self._clock = clock or store.clock

    def plan(self, order: Order) -> Plan:
        """
        Tell what `replay` would do now, and change nothing.

        Raises:
            StoreError: The record cannot be used.
        """
        plan = Plan()
        sent: set[Key] = set()
        for ids in _groups(order.ids):
            with self._store.reading() as connection:
                now = self._clock()
                plan.begins = replays.lined_up(connection, now=now)
                letters = dead.waiting(connection, ids)
                cases = self._examiner.judge(connection, letters, order.mending, now=now)
            plan.settled += len(ids) - len(cases)
            for case in in_turn(cases, order, sent):
                plan.add(case, order)
        return plan

    def replay(self, order: Order, actor: Actor, *, replay_id: UUID) -> Iterator[Step]:
        """
        Line up what may be sent, group by group; yields after each commit.

        Raises:
            StoreError: The record cannot be used; the groups before stay lined up.
        """
        for ids in _groups(order.ids):
            yield Step(len(ids), self._line_up(ids, order, actor, replay_id=replay_id))

    def _line_up(
        self, ids: Sequence[int], order: Order, actor: Actor, *, replay_id: UUID
    ) -> list[UUID]:
        with self._store.writing() as connection:
            replays.take_turn(connection)
            now = self._clock()
            letters = dead.waiting(connection, ids, lock=True)
            cases = self._examiner.judge(connection, letters, order.mending, now=now, lock=True)
            cases = in_turn(cases, order, set())
            times = Times(replays.lined_up(connection, now=now), rate=order.rate, now=now)
            line = LineUp.of(cases, order, times)
            if not line.until:
                return []
            for case in cases:
                keep_mending(connection, case, order, actor, now=now)
            return line.write(connection, order, actor, replay_id=replay_id, now=now)


def _groups(ids: Sequence[int]) -> Iterator[Sequence[int]]:
    return (ids[start : start + GROUP] for start in range(0, len(ids), GROUP))
