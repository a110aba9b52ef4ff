"""When consumption pauses and resumes: the decisions alone, with a clock that tests set."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Iterator
from queue import SimpleQueue

import pytest

from notify.worker import pause
from notify.worker.pause import FEW, REQUEUE_AFTER, TOLERANCE, Pause, Phase
from tests.support.patience import PATIENCE


class Loop:
    """The event loop around a pause, and the calls that the pause has made."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.buffered = 0
        self.consumes: list[bool] = []
        self.flushed = 0
        self.probes = 0
        self.answers = False
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        self.pause = Pause(
            probe=self._probe,
            post=self._inbox.put,
            consume=self.consumes.append,
            flush=self._flush,
            buffered=lambda: self.buffered,
            monotonic=lambda: self.now,
            rng=random.Random(7),
        )

    def turn(self) -> None:
        """Wait for the next step that a probe has posted, and run it."""
        self._inbox.get(timeout=PATIENCE)()

    def away(self, seconds: float) -> None:
        """Advance the clock, then fail the claims of a batch."""
        self.now += seconds
        self.pause.claimed(worked=False)

    def back(self) -> None:
        """Answer the next probe, and run the step that it posts."""
        self.answers = True
        while self.pause.phase is Phase.PAUSED:
            self.turn()

    def _probe(self) -> bool:
        self.probes += 1
        return self.answers

    def _flush(self) -> None:
        self.flushed += 1


@pytest.fixture
def loop(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loop]:
    """A loop whose probes follow each other at once."""
    monkeypatch.setattr(pause, "PROBE", (0.0, 0.001))
    loop = Loop()
    yield loop
    loop.pause.stop()


def test_a_failed_claim_among_others_that_work_pauses_nothing(loop: Loop) -> None:
    """A deadlock or a failover of a second is not an outage."""
    for _ in range(10):
        loop.pause.claimed(worked=True)
        loop.away(TOLERANCE / 2)
    assert (loop.pause.phase, loop.consumes, loop.probes) == (Phase.OPEN, [], 0)


def test_consumption_pauses_once_no_claim_has_worked_for_a_while(loop: Loop) -> None:
    """It is stopped once, however many claims fail."""
    loop.away(TOLERANCE)
    loop.away(1)
    loop.away(1)
    assert (loop.pause.phase, loop.consumes) == (Phase.PAUSED, [False])


def test_consumption_resumes_when_the_record_answers(loop: Loop) -> None:
    """By itself, after the buffered messages are delivered."""
    loop.away(TOLERANCE)
    loop.turn()
    assert loop.pause.phase is Phase.PAUSED
    flushed = loop.flushed
    loop.back()
    assert (loop.pause.phase, loop.consumes) == (Phase.OPEN, [False, True])
    assert loop.flushed > flushed


def test_with_many_buffered_messages_it_consumes_only_after_a_claim_has_worked(loop: Loop) -> None:
    """A record that answers but refuses writes must not fill the worker's memory."""
    loop.buffered = FEW
    loop.away(TOLERANCE)
    for _ in range(3):
        loop.back()
        assert (loop.pause.phase, loop.consumes) == (Phase.TRYING, [False])
        loop.answers = False
        loop.away(1)
        assert loop.pause.phase is Phase.PAUSED
    loop.back()
    loop.pause.claimed(worked=True)
    assert (loop.pause.phase, loop.consumes) == (Phase.OPEN, [False, True])


def test_buffered_messages_are_kept_until_the_broker_would_requeue_them(loop: Loop) -> None:
    """Keeping costs nothing, a requeue counts as a delivery: at most once an outage."""
    loop.away(TOLERANCE)
    overdue = [loop.pause.overdue]
    for seconds in (REQUEUE_AFTER - 1, 1):
        loop.now += seconds
        overdue.append(loop.pause.overdue)
    assert overdue == [False, False, True]
    loop.back()
    assert not loop.pause.overdue


def test_a_record_that_refuses_writes_does_not_prolong_the_wait(loop: Loop) -> None:
    """The messages are buffered since the first pause, whatever the probes answered later."""
    loop.buffered = FEW
    loop.away(TOLERANCE)
    loop.now += REQUEUE_AFTER / 2
    loop.back()
    loop.answers = False
    loop.away(REQUEUE_AFTER / 2)
    assert loop.pause.overdue


def test_a_worker_that_stops_requeues_and_probes_no_more(loop: Loop) -> None:
    """It does not wait for a record that may stay away for hours."""
    loop.away(TOLERANCE)
    loop.pause.stop()
    assert loop.pause.overdue
    for thread in list(threading.enumerate()):
        if thread.name == "probe":
            thread.join(PATIENCE)
    probes = loop.probes
    assert not [thread for thread in threading.enumerate() if thread.name == "probe"]
    assert loop.probes == probes
