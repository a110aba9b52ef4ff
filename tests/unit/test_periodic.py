"""The looking thread: how often it looks, what it tells of failures, and how it ends."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from structlog.testing import capture_logs

from notify.errors import StoreError
from notify.periodic import REMINDER, STEADY, PeriodicThread

AWAY = StoreError("the record is away")


class _Script:
    """What each look does: it fails, or gives the seconds until the next."""

    def __init__(self, *steps: float | Exception) -> None:
        self._steps = iter(steps)
        self.looks = 0
        self.over = threading.Event()

    def look(self) -> float:
        """Do the next step; after the last one, nothing for long."""
        self.looks += 1
        step = next(self._steps, None)
        if step is None:
            self.over.set()
            return 3600.0
        if isinstance(step, Exception):
            raise step
        return step


def _clock(*seconds: float) -> Callable[[], float]:
    times: Iterator[float] = iter(seconds)
    return lambda: next(times)


def _logs(script: _Script, clock: Callable[[], float]) -> list[MutableMapping[str, Any]]:
    looking = PeriodicThread("relay", script.look, pause=0.0, monotonic=clock)
    with capture_logs() as logs:
        looking.start()
        assert script.over.wait(5)
        looking.stop(timeout=5)
    return logs


def test_it_looks_at_once_and_then_as_each_look_says() -> None:
    """The second look comes without a wait, the third would come after an hour."""
    script = _Script(0.0)
    assert _logs(script, _clock()) == []
    assert script.looks == 2


def test_a_failure_is_told_when_it_begins_and_when_it_is_over() -> None:
    """With its reason, the thread's name, and how long it lasted."""
    times = [100, 101, 102, 103.04, 103.04 + STEADY]
    logs = _logs(_Script(0.0, AWAY, AWAY, AWAY, 0.0), _clock(*times))
    begun = {"log_level": "warning", "event": "notify.looking_fails", "thread": "relay"}
    over = {"log_level": "info", "event": "notify.looking_works", "thread": "relay"}
    assert logs == [
        {**begun, "reason": "the record is away", "failing_seconds": 0},
        {**over, "failing_seconds": 3.0},
    ]


def test_a_fault_of_ours_is_told_with_its_place_and_does_not_end_the_looking() -> None:
    """What it looks after would be forgotten in silence."""
    script = _Script(ZeroDivisionError("a fault"))
    (line,) = _logs(script, _clock(100, 101))
    assert (line["event"], line["log_level"]) == ("notify.looking_fault", "error")
    assert isinstance(line["exc_info"], ZeroDivisionError)
    assert script.looks == 2


def test_a_lasting_failure_is_told_once_a_minute() -> None:
    """Nobody needs it every two seconds, and nobody should believe that it is over."""
    times = [0, 1, REMINDER - 0.1, REMINDER, REMINDER + 1, 2 * REMINDER, 2 * REMINDER + 5]
    logs = _logs(_Script(*[AWAY] * 6), _clock(*times))
    assert [line["failing_seconds"] for line in logs] == [0, 60, 120]


def test_looks_that_work_now_and_then_are_not_yet_its_end() -> None:
    """A look that finds nothing to do proves little, and the log must not flicker."""
    nearly = STEADY - 0.1
    script = _Script(AWAY, 0.0, 0.0, AWAY, 0.0, 0.0)
    logs = _logs(script, _clock(0, 1, 1 + nearly, 20, 21, 21 + nearly, 21 + STEADY))
    assert [line["failing_seconds"] for line in logs] == [0, 21]


def test_a_second_failure_is_told_though_the_first_was_just_over() -> None:
    """Each one begins anew."""
    logs = _logs(_Script(AWAY, 0.0, 0.0, AWAY), _clock(0, 1, 1 + STEADY, 12, 13))
    assert [line["log_level"] for line in logs] == ["warning", "info", "warning"]


def test_a_failed_look_is_followed_by_the_pause() -> None:
    """No hot loop while the record is away."""
    failed = threading.Event()
    script = _Script(AWAY)

    def look() -> float:
        failed.set()
        return script.look()

    looking = PeriodicThread("relay", look, pause=3600.0)
    looking.start()
    assert failed.wait(5)
    looking.stop(timeout=5)
    assert script.looks == 1


def test_it_looks_once_more_after_a_stop_where_that_is_wanted() -> None:
    """What the last deliveries have left is still taken."""
    script = _Script()
    looking = PeriodicThread("announcer", script.look, once_more=True)
    looking.start()
    assert script.over.wait(5)
    looking.stop(timeout=5)
    assert script.looks == 2


def test_it_does_not_look_once_more_at_what_is_away() -> None:
    """A stop need not wait for it."""
    failed = threading.Event()
    script = _Script(AWAY)

    def look() -> float:
        failed.set()
        return script.look()

    looking = PeriodicThread("announcer", look, pause=3600.0, once_more=True)
    looking.start()
    assert failed.wait(5)
    looking.stop(timeout=5)
    assert script.looks == 1


def test_a_stop_waits_no_longer_than_it_is_told() -> None:
    """A look that hangs cannot hold up the worker's end."""
    free, begun = threading.Event(), threading.Event()

    def look() -> float:
        begun.set()
        free.wait(5)
        return 0.0

    looking = PeriodicThread("relay", look)
    looking.start()
    assert begun.wait(5)
    looking.stop(timeout=0.01)
    free.set()
