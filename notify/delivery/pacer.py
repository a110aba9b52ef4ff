"""Letting messages through in groups, each at its moment, as flow control gives leave."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from notify.delivery.plan import Plan
from notify.flow import LONG, Admission, Admitted, Barred, Wait
from notify.message import Notification, Rendered

TOGETHER = 0.01
"""Seconds within which messages go as one group: a write for each would cost more."""
PATIENCE = 10.0
"""Seconds after which what still waits in hand is put off, however short its next wait would be."""


class Pacer:
    """
    Turns plans into groups to write and call at once.

    It sleeps between them, so each lane goes through it in threads of its own.
    """

    def __init__(
        self,
        admission: Admission,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._admission = admission
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._hurried = False

    def hurry(self) -> None:
        """Put off from now on whatever may not go at once: the worker is about to stop."""
        self._hurried = True

    def groups(self, plans: Sequence[Plan]) -> Iterator[list[Plan]]:
        """
        Give all plans, in groups: those for a call with their line, others with their end.

        What would wait in hand for long is put off instead: then the record keeps its time.

        Raises:
            StoreError: A cap could not be counted.
        """
        ready, calls = self._vetted(plans)
        end = self._monotonic() + PATIENCE
        while calls:
            longest = LONG if self._monotonic() < end and not self._hurried else 0.0
            leaves, done, calls, wait = self._chosen(calls, longest=longest)
            ready += done
            for at, group in _by_moment(leaves):
                if ready and at > self._monotonic():
                    yield ready
                    ready = []
                let, back = self._let(group, again=self._paused(at))
                ready += let
                calls += back
            if ready:
                yield ready
                ready = []
            if calls and not leaves:
                self._sleep(wait)
        if ready:
            yield ready

    def _chosen(
        self, calls: Sequence[Plan], *, longest: float
    ) -> tuple[list[tuple[Admitted, Plan]], list[Plan], list[Plan], float]:
        """Part what has leave, what ends or is put off, and what waits in hand; tell how long."""
        now = self._clock()
        done = [plan.expired() for plan in calls if plan.ask.notification.expired(now)]
        calls = [plan for plan in calls if not plan.ask.notification.expired(now)]
        leaves, waiting = [], []
        wait = 0.0
        for plan, answer in zip(calls, self._admission.choose(_asked(calls)), strict=True):
            if isinstance(answer, Admitted):
                leaves.append((answer, plan))
            elif answer.seconds > longest:
                done.append(plan.put_off(answer, now=now))
            else:
                waiting.append(plan)
                wait = max(wait, answer.seconds)
        return leaves, done, waiting, wait

    def _vetted(self, plans: Sequence[Plan]) -> tuple[list[Plan], list[Plan]]:
        """Part what ends or is put off by itself from what asks for a call."""
        ready = [plan for plan in plans if plan.message is None]
        asking = [plan for plan in plans if plan.message is not None]
        calls = []
        for plan, answer in zip(asking, self._admission.vet(_asked(asking)), strict=True):
            match answer:
                case Wait():
                    ready.append(plan.put_off(answer, now=self._clock()))
                case Barred():
                    ready.append(plan.refused(answer))
                case None:
                    calls.append(plan)
        return ready, calls

    def _let(
        self, group: Sequence[tuple[Admitted, Plan]], *, again: bool
    ) -> tuple[list[Plan], list[Plan]]:
        """Let through what may go now, asking *again* if need be; the others must begin anew."""
        let, back = [], []
        for leave, plan in group:
            asked = plan.ask.notification
            confirmed = self._admission.again(leave, asked) if again else leave
            if confirmed is None:
                back.append(plan)
            else:
                let.append(plan.through(confirmed))
        return let, back

    def _paused(self, until: float) -> bool:
        """Sleep until a moment, and tell whether that took any time."""
        rest = until - self._monotonic()
        if rest > 0:
            self._sleep(rest)
        return rest > 0


def _asked(plans: Sequence[Plan]) -> list[tuple[Notification, Rendered]]:
    return [(plan.ask.notification, plan.message) for plan in plans if plan.message is not None]


def _by_moment(
    leaves: Sequence[tuple[Admitted, Plan]],
) -> Iterator[tuple[float, list[tuple[Admitted, Plan]]]]:
    """Group by the moment to go; a group goes with its last, so none goes too soon."""
    group: list[tuple[Admitted, Plan]] = []
    for leave, plan in sorted(leaves, key=lambda pair: pair[0].at):
        if group and leave.at > group[0][0].at + TOGETHER:
            yield group[-1][0].at, group
            group = []
        group.append((leave, plan))
    if group:
        yield group[-1][0].at, group
