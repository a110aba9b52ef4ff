"""Settling messages with the broker, each by its own decision."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import structlog

from notify.arrival import Again, Dead, Decision, Done
from notify.worker.frames import write_acks
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
        self._done: dict[Any, list[int]] = {}

    def settle(self, intake: Intake, received: Received, decision: Decision) -> None:
        """
        Settle or defer a message as decided, unless it is already settled or deferred.

        One that is done is acknowledged by the next `acknowledge_all`.
        """
        if received.settled or received.deferred:
            return
        match decision:
            case Again(after=after):
                # Not counted as unacknowledged: a stop need not wait for it.
                has_room = intake.defer(received)
                self._later(after, lambda: self._retry(intake, received))
                if has_room:
                    self._flush()
            case Done():
                self._count(intake, received)
                self._done.setdefault(received.acknowledged(), []).append(received.tag)
            case Dead():
                self._answer(intake, received, received.reject)

    def acknowledge_all(self) -> None:
        """Acknowledge all messages that are done, in one write for each channel."""
        done, self._done = self._done, {}
        for channel, tags in done.items():
            try:
                write_acks(channel, tags)
            except self._errors:
                # The connection is lost. The broker delivers them again, and the record has their
                # outcomes.
                log.info("notify.settled_late", messages=len(tags))

    def requeue_all(self, intake: Intake) -> None:
        """Return a queue's buffered messages to it."""
        while intake.buffer:
            received = intake.buffer.popleft()
            self._answer(intake, received, received.requeue)

    def _retry(self, intake: Intake, received: Received) -> None:
        intake.retry(received)
        self._flush()

    def _answer(self, intake: Intake, received: Received, answer: Callable[[], None]) -> None:
        self._count(intake, received)
        try:
            answer()
        except self._errors:
            log.info("notify.settled_late", messages=1)

    def _count(self, intake: Intake, received: Received) -> None:
        self._state.settled += 1
        if intake.settled(received):
            self._flush()
