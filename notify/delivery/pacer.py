"""Releasing messages in groups, each at the moment that flow control booked for it."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

from notify.delivery.plan import Call, NoCall, Plan, Ready
from notify.flow import LONGEST_WAIT, Admission, Admitted, Barred, Screening, Wait
from notify.message import Notification, Rendered

TOGETHER = 0.01
"""Messages booked within so many seconds form one group, to save writes."""
LONGEST_TOGETHER = 0.5
"""The same for messages that one request can send, if their limits allow it."""
LONGEST_PACING = 10.0
"""Seconds after which each message that still waits is deferred, however short its next wait."""


class Pacer:
    """
    Turns plans into groups to write and call at once.

    It sleeps between them, so each lane calls it from its own threads.
    """

    def __init__(
        self,
        screening: Screening,
        admission: Admission,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._screening = screening
        self._admission = admission
        self._clock = clock
        self._monotonic = monotonic
        self._sleep = sleep
        self._hurried = False

    def hurry(self) -> None:
        """From now on, defer each message that must wait: the worker is about to stop."""
        self._hurried = True

    def groups(
        self, planned: Sequence[NoCall | Ready], *, joined: bool = False
    ) -> Iterator[list[Plan]]:
        """
        Yield all in groups: a message with its call, or with the record to write instead of one.

        A message that would wait for long is deferred: the record then has its due time.

        Args:
            joined: Whether calls of a group will be joined: a larger group is then worth a wait.

        Raises:
            StoreError: A cap could not be counted.
        """
        outgoing, waiting = self._screened(planned)
        end = self._monotonic() + LONGEST_PACING
        while waiting:
            longest = LONGEST_WAIT if self._monotonic() < end and not self._hurried else 0.0
            admitted, done, waiting, wait = self._chosen(waiting, longest=longest)
            outgoing += done
            for at, group in _by_moment(admitted, self._span if joined else _short):
                if outgoing and at > self._monotonic():
                    yield outgoing
                    outgoing = []
                calls, refused = self._calls(group, confirm=self._slept(at))
                outgoing += calls
                waiting += refused
            if outgoing:
                yield outgoing
                outgoing = []
            if waiting and not admitted:
                self._sleep(wait)
        if outgoing:
            yield outgoing

    def _span(self, admitted: Admitted) -> float:
        """Return for how many seconds a message may wait for others of its group."""
        if admitted.provider.most < 2:
            return TOGETHER
        # The rest is for delays between the group's moment and its call.
        return max(TOGETHER, min(LONGEST_TOGETHER, self._admission.lapse(admitted.provider) / 2))

    def _screened(self, planned: Sequence[NoCall | Ready]) -> tuple[list[Plan], list[Ready]]:
        """Separate messages that end or are deferred from those that need a call."""
        outgoing: list[Plan] = [each for each in planned if isinstance(each, NoCall)]
        ready = [each for each in planned if isinstance(each, Ready)]
        passed = []
        for each, answer in zip(ready, self._screening.screen(_messages_of(ready)), strict=True):
            match answer:
                case Wait():
                    outgoing.append(each.deferred(answer, now=self._clock()))
                case Barred():
                    outgoing.append(each.refused(answer))
                case None:
                    passed.append(each)
        return outgoing, passed

    def _chosen(
        self, ready: Sequence[Ready], *, longest: float
    ) -> tuple[list[tuple[Admitted, Ready]], list[NoCall], list[Ready], float]:
        """Return the admitted, the ended or deferred, the waiting, and the seconds to wait."""
        now = self._clock()
        done = [NoCall.expired(each.item) for each in ready if each.item.notification.expired(now)]
        ready = [each for each in ready if not each.item.notification.expired(now)]
        admitted, waiting = [], []
        wait = 0.0
        for each, answer in zip(ready, self._admission.choose(_messages_of(ready)), strict=True):
            if isinstance(answer, Admitted):
                admitted.append((answer, each))
            elif answer.seconds > longest:
                done.append(each.deferred(answer, now=now))
            else:
                waiting.append(each)
                wait = max(wait, answer.seconds)
        return admitted, done, waiting, wait

    def _calls(
        self, group: Sequence[tuple[Admitted, Ready]], *, confirm: bool
    ) -> tuple[list[Call], list[Ready]]:
        """Return the calls to make now, confirmed if need be, and the messages that wait again."""
        calls, refused = [], []
        for admitted, ready in group:
            confirmed: Admitted | None = admitted
            if confirm:
                confirmed = self._admission.confirm(admitted, ready.item.notification)
            if confirmed is None:
                refused.append(ready)
            else:
                calls.append(ready.call(confirmed))
        return calls, refused

    def _slept(self, until: float) -> bool:
        """Sleep until a moment; return whether that took any time."""
        rest = until - self._monotonic()
        if rest > 0:
            self._sleep(rest)
        return rest > 0


def _messages_of(ready: Sequence[Ready]) -> list[tuple[Notification, Rendered]]:
    return [(each.item.notification, each.message) for each in ready]


def _by_moment(
    admitted: Sequence[tuple[Admitted, Ready]], span: Callable[[Admitted], float]
) -> Iterator[tuple[float, list[tuple[Admitted, Ready]]]]:
    """Group by the booked moment; a group is sent at its latest moment, so none is too early."""
    group: list[tuple[Admitted, Ready]] = []
    until = math.inf
    for pair in sorted(admitted, key=lambda pair: pair[0].at):
        if group and pair[0].at > until:
            yield group[-1][0].at, group
            group, until = [], math.inf
        group.append(pair)
        if len(group) == 1 or pair[0].provider is not group[-2][0].provider:
            until = min(until, pair[0].at + span(pair[0]))
    if group:
        yield group[-1][0].at, group


def _short(_: Admitted) -> float:
    return TOGETHER
