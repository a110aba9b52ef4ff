"""The periodic thread: when it runs its step, how it logs failures, and how it stops."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, MutableMapping
from typing import Any

from structlog.testing import capture_logs

from notify.errors import StoreError
from notify.periodic import REMINDER, STEADY, PeriodicThread
from tests.support.patience import PATIENCE

AWAY = StoreError("the record is away")
MORE = None
"""A step that works and has more to do."""
HOUR = 3600.0


class _Script:
    """The result of each step: it raises an error, or has more to do at once."""

    def __init__(self, *errors: Exception | None) -> None:
        self._errors = iter(errors)
        self.steps = 0
        self.over = threading.Event()

    def step(self) -> bool:
        """Run the next step; after the last one there is nothing more to do."""
        self.steps += 1
        error = next(self._errors, self)
        if error is self:
            self.over.set()
            return False
        if isinstance(error, Exception):
            raise error
        return True


def _clock(*seconds: float) -> Callable[[], float]:
    times: Iterator[float] = iter(seconds)
    return lambda: next(times)


def _logs(script: _Script, clock: Callable[[], float]) -> list[MutableMapping[str, Any]]:
    thread = PeriodicThread("relay", script.step, period=HOUR, pause=0.0, monotonic=clock)
    with capture_logs() as logs:
        thread.start()
        assert script.over.wait(PATIENCE)
        thread.stop(timeout=PATIENCE)
    return logs


def test_it_steps_at_once_and_again_while_there_is_more_to_do() -> None:
    """The second step comes without a wait, the third would come after an hour."""
    script = _Script(MORE)
    assert _logs(script, _clock()) == []
    assert script.steps == 2


def test_a_failure_is_logged_when_it_begins_and_when_it_is_over() -> None:
    """With its reason, the thread's name, and how long it lasted."""
    times = [100, 101, 102, 103.04, 103.04 + STEADY]
    logs = _logs(_Script(MORE, AWAY, AWAY, AWAY, MORE), _clock(*times))
    begun = {"log_level": "warning", "event": "notify.background_task_failing", "thread": "relay"}
    over = {"log_level": "info", "event": "notify.background_task_recovered", "thread": "relay"}
    assert logs == [
        {**begun, "reason": "the record is away", "failing_seconds": 0},
        {**over, "failing_seconds": 3.0},
    ]


def test_an_unexpected_error_is_logged_with_its_traceback_and_does_not_end_the_thread() -> None:
    """Without the thread its work would stop silently."""
    script = _Script(ZeroDivisionError("a fault"))
    (line,) = _logs(script, _clock(100, 101))
    assert (line["event"], line["log_level"]) == ("notify.background_task_crashed", "error")
    assert isinstance(line["exc_info"], ZeroDivisionError)
    assert script.steps == 2


def test_a_lasting_failure_is_logged_once_a_minute() -> None:
    """Not every two seconds, and not so rarely that it seems to be over."""
    times = [0, 1, REMINDER - 0.1, REMINDER, REMINDER + 1, 2 * REMINDER, 2 * REMINDER + 5]
    logs = _logs(_Script(*[AWAY] * 6), _clock(*times))
    assert [line["failing_seconds"] for line in logs] == [0, 60, 120]


def test_single_steps_that_work_do_not_end_a_failure() -> None:
    """A step that finds nothing to do proves little, and the log must not flicker."""
    nearly = STEADY - 0.1
    script = _Script(AWAY, MORE, MORE, AWAY, MORE, MORE)
    logs = _logs(script, _clock(0, 1, 1 + nearly, 20, 21, 21 + nearly, 21 + STEADY))
    assert [line["failing_seconds"] for line in logs] == [0, 21]


def test_a_second_failure_is_logged_though_the_first_was_just_over() -> None:
    """Each failure has its own two lines."""
    logs = _logs(_Script(AWAY, MORE, MORE, AWAY), _clock(0, 1, 1 + STEADY, 12, 13))
    assert [line["log_level"] for line in logs] == ["warning", "info", "warning"]


def test_a_failed_step_is_followed_by_the_pause() -> None:
    """No hot loop while the record is away."""
    failed = threading.Event()
    script = _Script(AWAY)

    def step() -> bool:
        failed.set()
        return script.step()

    thread = PeriodicThread("relay", step, period=HOUR, pause=HOUR)
    thread.start()
    assert failed.wait(PATIENCE)
    thread.stop(timeout=PATIENCE)
    assert script.steps == 1


def test_the_period_doubles_while_there_is_nothing_to_do() -> None:
    """Up to a limit; some work or more of it ends that."""
    results = iter([False, False, False, False, None, False, True, False, None])
    thread = PeriodicThread("relay", lambda: next(results), period=0.5, longest=2.0)
    waits = [thread._try(thread._step) for _ in range(9)]
    assert waits == [0.5, 1.0, 2.0, 2.0, 0.5, 0.5, 0.0, 0.5, 0.5]


def test_it_steps_once_more_after_a_stop_where_that_is_wanted() -> None:
    """The events of the last deliveries are still published."""
    script = _Script()
    thread = PeriodicThread("events", script.step, period=HOUR, last=script.step)
    thread.start()
    assert script.over.wait(PATIENCE)
    thread.stop(timeout=PATIENCE)
    assert script.steps == 2


def test_it_does_not_step_once_more_while_steps_are_failing() -> None:
    """A stop does not wait for a record or a broker that is away."""
    failed = threading.Event()
    script = _Script(AWAY)

    def step() -> bool:
        failed.set()
        return script.step()

    thread = PeriodicThread("events", step, period=HOUR, pause=HOUR, last=step)
    thread.start()
    assert failed.wait(PATIENCE)
    thread.stop(timeout=PATIENCE)
    assert script.steps == 1


def test_a_stop_waits_no_longer_than_it_is_told() -> None:
    """A step that hangs cannot delay the worker's exit."""
    free, begun, ended = threading.Event(), threading.Event(), threading.Event()

    def step() -> bool:
        begun.set()
        free.wait(PATIENCE)
        ended.set()
        return True

    thread = PeriodicThread("relay", step, period=HOUR)
    thread.start()
    assert begun.wait(PATIENCE)
    thread.stop(timeout=0.01)
    assert not ended.is_set()
    free.set()
