"""Settling messages with the broker, each by its own decision."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from notify.delivery import Again, Dead, Decision, Done
from notify.worker.intake import Intake
from notify.worker.loop_state import LoopState
from notify.worker.received import Received

log = structlog.get_logger("notify.consumer")


class Settling:
    """Acknowledges, rejects or defers messages. For the event loop only."""

    def __init__(
        self,
        state: LoopState,
        *,
        later: Callable[[float, Callable[[], None]], object],
        flush: Callable[[], None],
        errors: tuple[type[Exception], ...],
    ) -> None:
        """
        Prepare to settle.

        Args:
            later: Runs a step in the event loop after some seconds.
            flush: Submits buffered messages.
            errors: The errors of settling if the message's connection or channel is lost.
        """
        self._state = state
        self._later = later
        self._flush = flush
        self._errors = errors

    def settle(self, intake: Intake, received: Received, decision: Decision) -> None:
        """Settle or defer a message as decided, unless it is already settled."""
        if received.settled:
            return
        match decision:
            case Again(after=after):
                # Not counted as unacknowledged: a stop need not wait for it.
                intake.defer(received)
                self._later(after, lambda: self._retry(intake, received))
            case Done():
                self._answer(intake, received.acknowledge)
            case Dead():
                self._answer(intake, received.reject)

    def requeue_all(self, intake: Intake) -> None:
        """Return a queue's buffered messages to it."""
        while intake.buffer:
            self._answer(intake, intake.buffer.popleft().requeue)

    def _retry(self, intake: Intake, received: Received) -> None:
        intake.retry(received)
        self._flush()

    def _answer(self, intake: Intake, answer: Callable[[], None]) -> None:
        intake.unacknowledged -= 1
        self._state.settled += 1
        try:
            answer()
        except self._errors:
            # Its connection is lost. The broker delivers it again, and the record has its outcome.
            log.info("notify.settled_late", queue=intake.name)
