"""Steering the prefetch: consuming each queue for as many messages as can be sent soon."""

from __future__ import annotations

from collections.abc import Callable, Collection

import structlog

from notify.worker.intake import Intake

log = structlog.get_logger("notify.consumer")


class Steering:
    """Replaces a queue's consumer when its prefetch should change. For the event loop only."""

    def __init__(
        self,
        intakes: Collection[Intake],
        *,
        prefetch: Callable[[str], int],
        consuming: Callable[[], bool],
        consume: Callable[[str, int], None],
        cancel: Callable[[str], None],
    ) -> None:
        """
        Prepare to steer; nothing is consumed before the first `steer`.

        Args:
            intakes: The queues.
            prefetch: Returns at once how many messages of a queue may be unacknowledged.
            consuming: Returns whether the worker consumes now.
            consume: Consumes a queue with a prefetch.
            cancel: Cancels a queue's consumer.
        """
        self._intakes = intakes
        self._prefetch = prefetch
        self._consuming = consuming
        self._consume = consume
        self._cancel = cancel

    def steer(self) -> None:
        """Replace the consumer of each queue whose prefetch should change."""
        consuming = self._consuming()
        for intake in self._intakes:
            prefetch = intake.next_prefetch(self._prefetch(intake.name) if consuming else 0)
            if prefetch != intake.prefetch:
                self._replace(intake, prefetch)

    def unclog(self, intake: Intake) -> None:
        """Replace the consumer of a queue whose deferred messages use up the prefetch (ADR 12)."""
        if intake.clogged and self._consuming():
            self._replace(intake, intake.new_prefetch(self._prefetch(intake.name)))

    def _replace(self, intake: Intake, prefetch: int) -> None:
        before = intake.prefetch
        if before:
            self._cancel(intake.name)
        # Later messages count for the new consumer, if there is one.
        intake.begin(prefetch)
        if prefetch:
            self._consume(intake.name, prefetch)
        stopped_or_started = prefetch == 0 or before == 0
        write = log.info if stopped_or_started else log.debug
        write("notify.consuming", queue=intake.name, prefetch=prefetch, before=before)
