"""The log's stream: lines at once, or a thread's group in one write."""

from __future__ import annotations

import errno
import io
import json
import threading
from typing import NamedTuple
from uuid import uuid4

import pytest
import structlog

from notify.telemetry.log_stream import lines_together, log_each
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


class Sent(NamedTuple):
    """An outcome with its own values."""

    id: str
    attempt_id: str


def _log_sent(sent: Sent) -> None:
    structlog.get_logger().info("notify.sent", **sent._asdict(), reason='100 % \u00e9 "%s"')


def _sents(count: int) -> list[Sent]:
    return [Sent(str(uuid4()), str(uuid4())) for _ in range(count)]


def _without_times(out: Counting) -> list[dict[str, object]]:
    lines = [json.loads(line) for line in out.getvalue().splitlines()]
    return [{key: line[key] for key in line if key != "timestamp"} for line in lines]


def test_lines_that_differ_in_a_few_values_are_those_of_single_calls(out: Counting) -> None:
    """Each id finds its line; a place in the text is not taken for one of ours."""
    sents = _sents(3)
    log_each(_log_sent, sents, own=tuple)
    copied = _without_times(out)
    out.seek(0)
    out.truncate()
    for sent in sents:
        _log_sent(sent)
    assert copied == _without_times(out)
    assert [line["id"] for line in copied] == [sent.id for sent in sents]


def test_copied_lines_join_their_threads_group(out: Counting) -> None:
    """One write for all, in the order of the calls."""
    log = structlog.get_logger()
    with lines_together():
        log.info("notify.before")
        log_each(_log_sent, _sents(2), own=tuple)
        log.info("notify.after")
    assert out.events() == ["notify.before", "notify.sent", "notify.sent", "notify.after"]
    assert out.writes == 1


def test_later_calls_of_a_group_copy_an_equal_line(out: Counting) -> None:
    """Calls with another value, or none, write their own; the next group starts without forms."""
    sents, written = _sents(7), []

    def write(sent: Sent) -> None:
        written.append(sent)
        _log_sent(sent)

    for group in (sents[:5], sents[5:]):
        with lines_together():
            for sent, equal in zip(group, ("a", "a", "b", None, "a"), strict=False):
                log_each(write, [sent], own=tuple, equal=equal)
    log_each(write, sents[:1], own=tuple, equal="a")
    assert written == [sents[0], sents[2], sents[3], sents[5], sents[0]]
    lines = _without_times(out)
    assert [line["id"] for line in lines] == [sent.id for sent in (*sents, sents[0])]
    assert [line["attempt_id"] for line in lines][:7] == [sent.attempt_id for sent in sents]


def test_a_line_whose_values_are_not_found_once_is_not_copied(out: Counting) -> None:
    """It is written by itself: a wrong copy would show another notification's id."""
    twins = [Sent(twin, twin) for twin in ("one", "two")]
    log_each(_log_sent, twins, own=tuple)
    assert [line["id"] for line in _without_times(out)] == ["one", "two"]


def test_lines_below_the_level_are_not_written() -> None:
    """Neither the first nor its copies."""
    out = Counting()
    configure(stream=out, level="warning")
    log_each(_log_sent, _sents(2), own=tuple)
    assert out.getvalue() == ""


def test_each_line_reaches_a_log_without_a_stream(out: Counting) -> None:
    """As tests and other programs capture it."""
    with structlog.testing.capture_logs() as lines:
        log_each(_log_sent, _sents(3), own=tuple)
    assert (len(lines), out.getvalue()) == (3, "")


class Full(Counting):
    """A stream whose disk is full for now."""

    full = True

    def flush(self) -> None:
        """Fail as a full disk does."""
        if self.full:
            raise OSError(errno.ENOSPC, "No space left on device")


def test_a_line_that_cannot_be_written_stops_no_work() -> None:
    """Neither at once nor together with others: each thread of a worker logs."""
    out = Full()
    configure(stream=out)
    log = structlog.get_logger()
    log.info("notify.one")
    with lines_together():
        log.info("notify.two")
    log_each(_log_sent, _sents(3), own=tuple)
    out.full = False
    log.info("notify.three")
    assert out.events()[-1] == "notify.three"
