"""The threads that make one lane's calls."""

from __future__ import annotations

import threading
import time
from queue import SimpleQueue

import pytest

from notify.delivery.senders import Senders


@pytest.fixture
def names() -> SimpleQueue[str]:
    """The names of the threads that ran something, in order."""
    return SimpleQueue()


def _note(names: SimpleQueue[str], wait: threading.Event | None = None) -> None:
    names.put(threading.current_thread().name)
    if wait is not None:
        wait.wait(10)


def test_calls_run_side_by_side_up_to_the_number(names: SimpleQueue[str]) -> None:
    """The next one runs when a thread is free."""
    senders, wait = Senders(3, name="sender-normal"), threading.Event()
    for _ in range(5):
        senders.submit(_note, names, wait)
    first = {names.get(timeout=10) for _ in range(3)}
    assert first == {f"sender-normal_{number}" for number in range(3)}
    assert names.empty()
    wait.set()
    assert {names.get(timeout=10) for _ in range(2)} <= first
    senders.shutdown()


def test_a_thread_that_is_free_is_used_again(names: SimpleQueue[str]) -> None:
    """A quiet lane has few threads, however many it may have."""
    senders = Senders(32, name="sender")
    for _ in range(20):
        senders.submit(_note, names)
        assert names.get(timeout=10) == "sender_0"
        # A thread counts as busy until just after its call.
        deadline = time.monotonic() + 10
        while senders._unfinished:
            assert time.monotonic() < deadline
            time.sleep(0.001)
    senders.shutdown()


def test_a_fault_does_not_end_the_thread(names: SimpleQueue[str]) -> None:
    """The lane would slow down with each one."""
    senders = Senders(1, name="sender")
    senders.submit(int, "not a number")
    senders.submit(_note, names)
    assert names.get(timeout=10) == "sender_0"
    senders.shutdown()


def test_a_stop_runs_what_was_submitted(names: SimpleQueue[str]) -> None:
    """Its messages are claimed."""
    senders = Senders(2, name="sender")
    for _ in range(50):
        senders.submit(_note, names)
    senders.shutdown()
    assert names.qsize() == 50
