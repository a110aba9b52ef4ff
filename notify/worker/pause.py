"""Pausing consumption while the record is away: no message may be sent without it.

Buffered messages stay in the worker, at no cost. Returning one to the broker counts as a delivery,
and at the delivery limit the message becomes a dead letter (docs/adr/0007).
"""

from __future__ import annotations

import enum
import random
import threading
import time
from collections.abc import Callable

import structlog

TOLERANCE = 3.0
"""Seconds since the last successful claim after which a failed one pauses consumption."""
PROBE = (1.0, 2.0)
"""Seconds between two probes of the record: random, so that a fleet does not probe at once."""
REQUEUE_AFTER = 20 * 60.0
"""Seconds for which buffered messages are kept: RabbitMQ's consumer timeout is 30 minutes."""
FEW = 64
"""
With fewer buffered messages, consumption resumes as soon as the record answers the probe, since
their claims may fail for other reasons; with more, only after a claim has succeeded.
"""

log = structlog.get_logger("notify.pause")


class Phase(enum.Enum):
    """Whether the worker consumes and delivers."""

    OPEN = "open"
    """It consumes and delivers."""
    PAUSED = "paused"
    """It does neither, and probes the record repeatedly."""
    TRYING = "trying"
    """The record answers: it delivers buffered messages, and consumes after the first claim."""


class Pause:
    """
    Decides whether to consume, by whether claims succeed.

    Its methods are called in the event loop. Only the probe runs in its own thread, which posts
    its result to the loop.
    """

    def __init__(
        self,
        *,
        probe: Callable[[], bool],
        post: Callable[[Callable[[], None]], None],
        consume: Callable[[bool], None],
        flush: Callable[[], None],
        buffered: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
        rng: random.Random,
    ) -> None:
        """
        Start in the phase OPEN.

        Args:
            probe: Returns whether the record can be written; may need seconds.
            post: Runs a step in the event loop.
            consume: Starts to consume or, with False, stops.
            flush: Delivers, keeps or returns the buffered messages, by `phase` and `overdue`.
            buffered: Returns the number of buffered messages.
            rng: Spreads the probes.
        """
        self._probe = probe
        self._post = post
        self._consume = consume
        self._flush = flush
        self._buffered = buffered
        self._monotonic = monotonic
        self._rng = rng
        self._worked_at = self._paused_at = monotonic()
        self._stopped = threading.Event()
        self.phase = Phase.OPEN

    @property
    def overdue(self) -> bool:
        """Whether the buffered messages must be returned to the broker."""
        away = self._monotonic() - self._paused_at
        return self.phase is Phase.PAUSED and (self._stopped.is_set() or away >= REQUEUE_AFTER)

    @property
    def stopped(self) -> bool:
        """Whether the worker is stopping."""
        return self._stopped.is_set()

    def claimed(self, *, worked: bool) -> None:
        """Process the result of one batch's claims."""
        if worked:
            self._worked_at = self._monotonic()
            if self.phase is Phase.TRYING:
                self._resume()
        elif self.phase is Phase.TRYING:
            self._wait()
        elif self.phase is Phase.OPEN and self._monotonic() - self._worked_at >= TOLERANCE:
            self._paused_at = self._monotonic()
            log.warning("notify.paused", reason="the record is away")
            self._wait()
            self._consume(False)

    def stop(self) -> None:
        """Stop probing: the worker is stopping, and does not wait for the record."""
        self._stopped.set()

    def _wait(self) -> None:
        self.phase = Phase.PAUSED
        threading.Thread(target=self._probe_repeatedly, name="probe", daemon=True).start()

    def _probe_repeatedly(self) -> None:
        while not self._stopped.wait(self._rng.uniform(*PROBE)):
            if self._probe():
                self._post(self._answered)
                return
            self._post(self._flush)

    def _answered(self) -> None:
        self.phase = Phase.TRYING
        if self._buffered() < FEW:
            self._resume()
        self._flush()

    def _resume(self) -> None:
        self.phase = Phase.OPEN
        away = self._monotonic() - self._paused_at
        log.info("notify.resumed", reason="the record is back", paused_seconds=round(away, 1))
        self._consume(True)
