"""The permits of one lane: how many messages may be claimed, and how many at once."""

from __future__ import annotations

import threading
from queue import Empty, SimpleQueue

import pytest

from notify.delivery import Lane
from notify.delivery.permits import AHEAD, LONG, SHORT, Permits
from tests.support.patience import PATIENCE

SENDERS = 4


def _after_calls_of(seconds: float, *, calls: int = 60) -> Permits:
    permits = Permits(SENDERS)
    for _ in range(calls):
        permits.acquire(1)
        permits.call_begins()
        permits.release(seconds=seconds)
    return permits


def test_while_calls_are_long_no_message_is_claimed_ahead() -> None:
    """Its lease would run while it waits for a sender; the first calls count as long."""
    for permits in (Permits(SENDERS), _after_calls_of(LONG)):
        assert permits.number == permits.acquire(100) == SENDERS


def test_while_calls_are_short_messages_are_claimed_ahead() -> None:
    """A sender then finds its next call claimed."""
    permits = _after_calls_of(SHORT / 2)
    assert permits.number == permits.acquire(100) == SENDERS * (1 + AHEAD)
    for _ in range(SENDERS):
        permits.call_begins()
    assert permits.calls == SENDERS


def test_one_very_long_call_ends_the_claims_ahead() -> None:
    """The claims of those ahead would lapse behind such calls; no permit is lost by it."""
    permits = _after_calls_of(SHORT / 2)
    assert permits.acquire(100) == SENDERS * (1 + AHEAD)
    permits.release(seconds=25.0)
    assert permits.number == SENDERS
    permits.release(SENDERS * (1 + AHEAD) - 1)
    assert permits.taken == 0
    assert permits.acquire(100) == SENDERS


def test_under_load_a_third_of_the_permits_is_acquired_at_once() -> None:
    """A claim of few messages would cost as much as one of many."""
    permits = _after_calls_of(SHORT / 2)
    permits.acquire(SENDERS * (1 + AHEAD))
    acquired: SimpleQueue[int] = SimpleQueue()
    threading.Thread(target=lambda: acquired.put(permits.acquire(100)), daemon=True).start()
    permits.release(SENDERS - 1)
    with pytest.raises(Empty):
        acquired.get(timeout=0.1)
    permits.release(1)
    assert acquired.get(timeout=PATIENCE) == SENDERS


def test_a_lone_message_does_not_wait_for_more() -> None:
    """It needs one permit, and one is free."""
    permits = _after_calls_of(SHORT / 2)
    permits.acquire(SENDERS * (1 + AHEAD) - 1)
    assert permits.acquire(1) == 1


def test_the_prefetch_follows_the_permits() -> None:
    """More messages are buffered only while they can be sent soon."""
    lane = Lane("normal", SENDERS)
    assert lane.prefetch == 2 * SENDERS
    for _ in range(60):
        lane.permits.acquire(1)
        lane.permits.release(seconds=SHORT / 2)
    assert lane.prefetch == 2 * SENDERS * (1 + AHEAD)


@pytest.mark.parametrize(
    ("senders", "batch_size", "full"), [(32, 1000, 16), (32, 100, 15), (8, 1000, 4), (1, 1000, 1)]
)
def test_two_calls_of_a_full_batch_share_the_permits(
    senders: int, batch_size: int, full: int
) -> None:
    """The memory of a lane is bounded by messages, not by calls."""
    lane = Lane("bulk", senders, batch_size=batch_size)
    assert lane.permits_for(batch_size) == full
    assert 2 * full <= senders or senders == 1
    assert lane.permits_for(1) == 1


def test_single_messages_have_a_permit_each() -> None:
    """A lane without batches is as before."""
    assert Lane("critical", 1).permits_for(7) == 7
