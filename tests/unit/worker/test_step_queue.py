"""Steps posted to the event loop by other threads."""

from __future__ import annotations

import threading
from functools import partial

import pytest

from notify.worker.step_queue import StepQueue


def test_steps_run_in_the_thread_and_order_of_the_loop() -> None:
    """Each post wakes the loop; a step may post another one, which runs too."""
    woken: list[int] = []
    ran: list[tuple[int, int]] = []
    steps = StepQueue(lambda: woken.append(1))

    def step(number: int) -> None:
        ran.append((number, threading.get_ident()))

    def post() -> None:
        for number in range(3):
            steps.post(partial(step, number))
        steps.post(lambda: steps.post(lambda: step(3)))

    thread = threading.Thread(target=post)
    thread.start()
    thread.join()
    assert not ran
    steps.run_all()
    assert ran == [(number, threading.get_ident()) for number in range(4)]
    assert len(woken) == 5


def test_waiting_for_a_step_ends_at_its_timeout() -> None:
    """An error of a step is raised to the loop."""
    steps = StepQueue(lambda: None)
    steps.run_next(timeout=0.01)

    def fails() -> None:
        raise ZeroDivisionError

    steps.post(fails)
    with pytest.raises(ZeroDivisionError):
        steps.run_next(timeout=5)
