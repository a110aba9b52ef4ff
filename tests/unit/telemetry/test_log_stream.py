"""The log's stream: lines at once, or a thread's group in one write."""

from __future__ import annotations

import io
import json
import threading

import pytest
import structlog

from notify.telemetry.log_stream import lines_together
from notify.telemetry.logs import configure


class Counting(io.StringIO):
    """A stream that counts its writes."""

    def __init__(self) -> None:
        super().__init__()
        self.writes = 0

    def write(self, text: str, /) -> int:
        """Count and write."""
        self.writes += 1
        return super().write(text)

    def events(self) -> list[str]:
        """Return the events of all lines."""
        return [json.loads(line)["event"] for line in self.getvalue().splitlines()]


@pytest.fixture
def out() -> Counting:
    """The stream of this test's log."""
    stream = Counting()
    configure(stream=stream)
    return stream


def test_a_line_is_written_at_once(out: Counting) -> None:
    """A process that is killed has logged what it did."""
    structlog.get_logger().info("notify.one")
    assert out.events() == ["notify.one"]


def _fail_after_two_lines(out: Counting) -> None:
    with lines_together():
        structlog.get_logger().info("notify.one")
        structlog.get_logger().info("notify.two")
        assert out.events() == []
        raise ZeroDivisionError


def test_a_groups_lines_are_one_write(out: Counting) -> None:
    """In their order, also if the group ends by an error."""
    log = structlog.get_logger()
    with pytest.raises(ZeroDivisionError):
        _fail_after_two_lines(out)
    assert (out.events(), out.writes) == (["notify.one", "notify.two"], 1)
    log.info("notify.three")
    assert out.events()[-1] == "notify.three"


def test_another_threads_lines_do_not_wait(out: Counting) -> None:
    """A group is of one thread."""
    log = structlog.get_logger()
    with lines_together():
        log.info("notify.grouped")
        thread = threading.Thread(target=log.info, args=("notify.other",))
        thread.start()
        thread.join()
        assert out.events() == ["notify.other"]
    assert out.events() == ["notify.other", "notify.grouped"]
