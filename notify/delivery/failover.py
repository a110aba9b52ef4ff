"""Trying other providers for messages that were certainly not sent."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

import structlog

from notify.delivery.call import CallResult
from notify.delivery.call_maker import CallMaker
from notify.delivery.grouping import grouped
from notify.delivery.outcome_recorder import OutcomeRecorder
from notify.delivery.plan import Attempt, Call, Ready
from notify.errors import StoreError
from notify.flow import Admission, Admitted, Circuits
from notify.gateway import ConfiguredProvider
from notify.message import time_id
from notify.policies.retry import Verdict
from notify.settings import LONGEST_TIMEOUT
from notify.store import Claimed, Record, Store
from notify.store.delivery import LEASE, hand_over

LATEST = (LEASE - timedelta(seconds=2 * LONGEST_TIMEOUT)).total_seconds()
"""Seconds after its claim within which a call must start, to finish within the lease."""

CERTAIN = frozenset({Verdict.RETRY, Verdict.THROTTLED})
"""The message was certainly not sent, so another provider may send it."""

log = structlog.get_logger("notify.delivery")


class Ended(NamedTuple):
    """A message's last attempt, and its result."""

    attempt: Attempt
    result: CallResult


class _Onward(NamedTuple):
    """A message that another provider admits, and the record of its last attempt."""

    ended: Ended
    record: Record
    admitted: Admitted


class Failover:
    """
    Hands messages over to other providers, and calls these. Safe among threads.

    A single message is handed over as long as the rules allow. Messages of one call share a lease,
    which ends while some of them wait. So the last of them is handed over within `LATEST` of the
    call's claim, and the rest follows the lane's rule for retries.
    """

    def __init__(
        self,
        *,
        store: Store,
        circuits: Circuits,
        admission: Admission,
        outcomes: OutcomeRecorder,
        maker: CallMaker,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._store = store
        self._circuits = circuits
        self._admission = admission
        self._outcomes = outcomes
        self._maker = maker
        self._monotonic = monotonic
        self._sleep = sleep

    def deadline(self) -> float:
        """Return the latest start of a call whose claim is written from now on."""
        return self._monotonic() + LATEST

    def after(
        self, call: Call, ended: Sequence[Ended], *, deadline: float
    ) -> Iterator[Sequence[Ended]]:
        """
        Try other providers while nothing was sent; yield the messages' last attempts in groups.

        Args:
            ended: The attempts of a call, with their results.
            deadline: The latest start of the call, by the monotonic clock.
        """
        tried = [call.provider]
        if len(ended) == 1:
            yield [self._alone(ended[0], tried)]
            return
        # Those that need nothing more are recorded first.
        yield [each for each in ended if each.result.verdict not in CERTAIN]
        unsent = [each for each in ended if each.result.verdict in CERTAIN]
        if unsent:
            yield from self._together(unsent, tried, most=len(ended), deadline=deadline)

    def _alone(self, ended: Ended, tried: list[ConfiguredProvider]) -> Ended:
        while ended.result.verdict in CERTAIN:
            # Computed before the new claim is written: its lease starts there.
            deadline = self.deadline()
            onward = self._onward(ended, tried)
            if onward is None:
                break
            calls = [*self._handed_over([onward], most=1)]
            if not calls:
                break
            ((call, attempts),) = calls
            (result,) = self._maker.make(call, attempts, deadline=deadline)
            ended = Ended(attempts[0], result)
            tried = [*tried, call.provider]
        return ended

    def _together(
        self,
        unsent: Sequence[Ended],
        tried: Sequence[ConfiguredProvider],
        *,
        most: int,
        deadline: float,
    ) -> Iterator[Sequence[Ended]]:
        """Hand over in groups as large as one request of the next provider may be."""
        waiting = list(unsent)
        while waiting and self._monotonic() < deadline:
            onward = self._next_group(waiting, tried, most=most)
            if not onward:
                break
            taken = {id(each.ended) for each in onward}
            waiting = [each for each in waiting if id(each) not in taken]
            left = {each.ended.attempt.notification.id: each.ended for each in onward}
            for call, attempts in self._handed_over(onward, most=most):
                results = self._maker.make(call, attempts, deadline=deadline)
                again = [Ended(*each) for each in zip(attempts, results, strict=True)]
                for each in again:
                    del left[each.attempt.notification.id]
                yield [each for each in again if each.result.verdict not in CERTAIN]
                unsent = [each for each in again if each.result.verdict in CERTAIN]
                further = [*tried, call.provider]
                yield from self._together(unsent, further, most=most, deadline=deadline)
            # Another worker has these, or they may not go on.
            yield [*left.values()]
        yield waiting

    def _next_group(
        self, waiting: Sequence[Ended], tried: Sequence[ConfiguredProvider], *, most: int
    ) -> list[_Onward]:
        """Return the messages to hand over next: as many as the first one's provider accepts."""
        found: list[_Onward] = []
        for ended in waiting:
            if found and len(found) >= min(most, found[0].admitted.provider.most):
                break
            onward = self._onward(ended, tried)
            if onward is not None:
                found.append(onward)
        return found

    def _onward(self, ended: Ended, tried: Sequence[ConfiguredProvider]) -> _Onward | None:
        """Find another provider for a message, if the rules still allow an attempt."""
        attempt, result = ended
        record = self._outcomes.handover_record(attempt, result)
        if record is None:
            return None
        admitted = self._admission.elsewhere(attempt.notification, attempt.message, tried=tried)
        return None if admitted is None else _Onward(ended, record, admitted)

    def _handed_over(
        self, onward: Sequence[_Onward], *, most: int
    ) -> Iterator[tuple[Call, list[Attempt]]]:
        """Hand messages over in one transaction; yield the calls to make, at the booked moment."""
        calls = [_call(each) for each in onward]
        claimed: dict[UUID, Claimed] = {}
        made: list[Call] = []
        for each, call, fence in zip(onward, calls, self._fences(onward, calls), strict=True):
            if fence is None:
                self._circuits.released(each.admitted.permit)
                continue
            last = each.ended.attempt
            log.info(
                "notify.handed_over",
                **last.notification.ids,
                provider=last.entry.provider,
                next_provider=each.admitted.provider.name,
                reason=each.record.reason,
            )
            (part,) = call.parts
            claimed[part.message.attempt_id] = replace(
                last.claimed, fence=fence, spent=each.record.spent
            )
            made.append(call)
        self._wait(onward)
        for call in grouped(made, most=most):
            yield call, [part.attempt(claimed[part.message.attempt_id]) for part in call.parts]

    def _fences(self, onward: Sequence[_Onward], calls: Sequence[Call]) -> list[int | None]:
        """Return the new fences; None for messages that were not handed over."""
        try:
            fences: dict[UUID, int | None] = {}
            with self._store.writing() as connection:
                # In the order in which claims lock rows, so that two workers do not deadlock.
                for each, call in sorted(zip(onward, calls, strict=True), key=_row_id):
                    record, entry = each.record, call.parts[0].entry
                    until = record.ended_at + LEASE
                    fence = hand_over(connection, record, entry, until=until)
                    fences[record.notification_id] = fence
            return [fences[each.record.notification_id] for each in onward]
        except StoreError as error:
            log.error("notify.store_away", waiting=len(onward), error=str(error))
            return [None] * len(onward)

    def _wait(self, onward: Sequence[_Onward]) -> None:
        """Sleep until the latest moment that the limits booked."""
        rest = max(each.admitted.at for each in onward) - self._monotonic()
        if rest > 0:
            self._sleep(rest)


def _row_id(pair: tuple[_Onward, Call]) -> UUID:
    return pair[0].record.notification_id


def _call(onward: _Onward) -> Call:
    """Return the next call of a message, under a new attempt id."""
    attempt, attempt_id = onward.ended.attempt, time_id()
    entry = replace(attempt.entry, attempt_id=attempt_id)
    message = replace(attempt.message, attempt_id=attempt_id)
    return Ready(attempt.item, entry, message).call(onward.admitted)
