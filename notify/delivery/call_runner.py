"""Running a claimed call in a sender's thread: make it, fail over, and have outcomes recorded."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from notify.delivery.call_maker import CallMaker
from notify.delivery.failover import Ended, Failover
from notify.delivery.lane import Lane
from notify.delivery.outcome_recorder import OutcomeRecorder, record_fault
from notify.delivery.plan import Attempt, Call


class CallRunner:
    """Makes the calls of claimed messages, in the senders' threads."""

    def __init__(
        self,
        *,
        maker: CallMaker,
        failover: Failover,
        outcomes: OutcomeRecorder,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._maker = maker
        self._failover = failover
        self._outcomes = outcomes
        self._monotonic = monotonic

    def deadline(self) -> float:
        """Return the latest start of a call whose claim is written from now on."""
        return self._failover.deadline()

    def run(self, lane: Lane, call: Call, attempts: Sequence[Attempt], deadline: float) -> None:
        """
        Make a call, have its outcomes recorded, and release its permits of the lane.

        Args:
            attempts: The call's messages that are claimed.
            deadline: The latest start, by the monotonic clock.
        """
        began = self._monotonic()
        lane.permits.call_begins()
        undecided = {attempt.notification.id: attempt for attempt in attempts}
        try:
            results = self._maker.make(call, attempts, deadline=deadline)
            ended = [Ended(*each) for each in zip(attempts, results, strict=True)]
            for last in self._failover.after(call, ended, deadline=deadline):
                for each in last:
                    del undecided[each.attempt.notification.id]
                self._outcomes.calls_ended(last)
        except Exception as error:  # noqa: BLE001 - logged for each message
            for attempt in undecided.values():
                record_fault(attempt, error)
        finally:
            lane.permits.release(call.permits, seconds=self._monotonic() - began)
