"""Pausing while the record is away: nothing may be sent without it, so nothing is taken in hand.

What is in hand already stays there, since holding a message costs it nothing and every way of
giving it back counts as one of the deliveries that it dies of at the limit (docs/adr/0007).
"""

from __future__ import annotations

import enum
import random
import threading
import time
from collections.abc import Callable

import structlog

PATIENCE = 3.0
"""Seconds without a claim that worked until a failed one pauses consumption."""
PROBE = (1.0, 2.0)
"""Seconds between two looks at the record: spread, so that a fleet does not ask at once."""
HOLD = 20 * 60.0
"""Seconds that messages are kept in hand: RabbitMQ takes them back by force after 30 minutes."""
FEW = 64
"""
With fewer in hand than this, consumption resumes as soon as the record answers the probe, since
their claims may fail for a reason of their own; with more, not before a claim has worked.
"""

log = structlog.get_logger("notify.pause")


class Phase(enum.Enum):
    """What the worker does with messages."""

    OPEN = "open"
    """It consumes and delivers."""
    PAUSED = "paused"
    """It does neither, and asks for the record from time to time."""
    TRYING = "trying"
    """The record answers: it delivers what is in hand, and consumes again when a claim works."""


class Pause:
    """
    Decides whether to consume, by how claims end.

    Its methods are called in the event loop; only the probing has a thread of its own, which
    hands back to the loop by *post*.
    """

    def __init__(
        self,
        *,
        probe: Callable[[], bool],
        post: Callable[[Callable[[], None]], None],
        consume: Callable[[bool], None],
        flush: Callable[[], None],
        in_hand: Callable[[], int],
        monotonic: Callable[[], float] = time.monotonic,
        rng: random.Random,
    ) -> None:
        """
        Take what it asks and tells.

        Args:
            probe: Tells, maybe after seconds, whether the record can be written.
            post: Has a step run in the event loop.
            consume: Begins to consume or, given False, ends it.
            flush: Does with what waits in hand as `phase` and `overdue` say by now.
            in_hand: Counts what waits in hand.
            rng: Spreads the probes.
        """
        self._probe = probe
        self._post = post
        self._consume = consume
        self._flush = flush
        self._in_hand = in_hand
        self._monotonic = monotonic
        self._rng = rng
        self._worked_at = self._paused_at = monotonic()
        self._stopped = threading.Event()
        self.phase = Phase.OPEN

    @property
    def overdue(self) -> bool:
        """Whether what waits in hand must go back to the broker."""
        away = self._monotonic() - self._paused_at
        return self.phase is Phase.PAUSED and (self._stopped.is_set() or away >= HOLD)

    @property
    def stopped(self) -> bool:
        """Whether the worker is about to stop."""
        return self._stopped.is_set()

    def claimed(self, *, worked: bool) -> None:
        """Hear how the claims of one batch went."""
        if worked:
            self._worked_at = self._monotonic()
            if self.phase is Phase.TRYING:
                self._resume()
        elif self.phase is Phase.TRYING:
            self._wait()
        elif self.phase is Phase.OPEN and self._monotonic() - self._worked_at >= PATIENCE:
            self._paused_at = self._monotonic()
            log.warning("notify.paused", reason="the record is away")
            self._wait()
            self._consume(False)

    def stop(self) -> None:
        """Ask no more: the worker is about to stop, and will not wait for the record."""
        self._stopped.set()

    def _wait(self) -> None:
        self.phase = Phase.PAUSED
        threading.Thread(target=self._watch, name="probe", daemon=True).start()

    def _watch(self) -> None:
        while not self._stopped.wait(self._rng.uniform(*PROBE)):
            if self._probe():
                self._post(self._answered)
                return
            self._post(self._flush)

    def _answered(self) -> None:
        self.phase = Phase.TRYING
        if self._in_hand() < FEW:
            self._resume()
        self._flush()

    def _resume(self) -> None:
        self.phase = Phase.OPEN
        away = self._monotonic() - self._paused_at
        log.info("notify.resumed", reason="the record is back", paused_seconds=round(away, 1))
        self._consume(True)
