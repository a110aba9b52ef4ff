"""One queue's unacknowledged messages, and the prefetch of its consumer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import cast

import pytest

from notify.service.connections import CLAIMERS
from notify.worker.intake import LARGEST_BATCH, LULL, MOST_DEFERRED, Intake
from notify.worker.received import Received
from tests.support.tables import each_of


def _message() -> Received:
    return cast(Received, object())


@pytest.fixture
def intake() -> Intake:
    """An intake whose buffer is larger than all claimers' batches."""
    intake = Intake("notify.email.normal")
    intake.buffer.extend(_message() for _ in range(LARGEST_BATCH * CLAIMERS + 1))
    return intake


def test_each_idle_claimer_gets_one_batch(intake: Intake) -> None:
    """The rest waits until a batch has begun."""
    assert [len(batch) for batch in intake.batches()] == [LARGEST_BATCH] * CLAIMERS
    assert list(intake.batches()) == []
    intake.claimer_idle()
    assert [len(batch) for batch in intake.batches()] == [1]


def test_a_lost_connection_leaves_no_message(intake: Intake) -> None:
    """The broker has the dropped messages, and the queue is not consumed any more."""
    intake.prefetch = 64
    intake.unacknowledged = len(intake.buffer) + 3
    intake.forget()
    assert not intake.buffer
    assert intake.prefetch == 0
    assert intake.unacknowledged == 3  # in a batch by then: each is settled in its time


@each_of(
    ("prefetch", "wanted", "next_prefetch"),
    [
        (0, 0, 0),
        (0, 1, 1),
        (64, 0, 0),
        (64, 64, 64),
        (64, 40, 64),
        (64, 32, 32),
        (10, 19, 10),
        (10, 20, 20),
        (1, 2, 2),
    ],
)
def test_a_new_consumer_is_worth_it_for_twice_or_half_as_many(
    prefetch: int, wanted: int, next_prefetch: int
) -> None:
    """A change from or to zero is always worth it."""
    intake = Intake("notify.email.normal", average=0)
    intake.prefetch = prefetch
    assert intake.next_prefetch(wanted) == next_prefetch


@each_of(
    ("prefetch", "in_hand", "wanted", "next_prefetch"),
    [
        (0, 5, 4, 1),
        (0, 4, 4, 4),
        (64, 64, 32, 1),
        (64, 32, 32, 32),
        (1, 40, 32, 1),
        (32, 32, 64, 64),
        (0, 20, 1, 1),
    ],
)
def test_messages_of_earlier_consumers_count(
    prefetch: int, in_hand: int, wanted: int, next_prefetch: int
) -> None:
    """However often the wanted number changes, twice of it is never unacknowledged for long."""
    intake = Intake("notify.email.normal", average=0)
    intake.prefetch, intake.unacknowledged = prefetch, in_hand
    assert intake.next_prefetch(wanted) == next_prefetch


@dataclass
class Message:
    """The parts of a message that an intake reads."""

    alive: bool = True
    size: int = 100
    consumer: int = 0
    at_work: int = 0


def delivered(intake: Intake, number: int, *, size: int = 100) -> list[Received]:
    """Deliver messages, and put them into a batch."""
    messages = [cast(Received, Message(size=size)) for _ in range(number)]
    for message in messages:
        intake.admit(message)
    intake.buffer.clear()
    return messages


def test_deferred_messages_do_not_use_up_the_prefetch() -> None:
    """Half of it is enough for a new consumer, which counts its messages from zero."""
    intake = Intake("notify.email.normal", average=0)
    intake.begin(8)
    busy = delivered(intake, 8)
    for message in busy[:3]:
        intake.defer(message)
    assert (intake.clogged, intake.next_prefetch(8), intake.unacknowledged) == (False, 8, 5)

    for message in busy[3:]:
        intake.defer(message)
    assert (intake.clogged, intake.unacknowledged) == (True, 0)
    intake.begin(intake.new_prefetch(8))

    assert (intake.clogged, intake.prefetch) == (False, 8)
    intake.retry(busy[0])
    assert (intake.unacknowledged, list(intake.buffer)) == (1, [busy[0]])
    # The broker counts it for the consumer before.
    intake.defer(busy[0])
    assert not intake.clogged


def test_a_message_that_is_tried_again_is_deferred_once() -> None:
    """However often it is found busy, it uses up one message of the prefetch."""
    intake = Intake("notify.email.normal", average=0)
    intake.begin(8)
    (busy,) = delivered(intake, 1)
    for _ in range(10):
        intake.defer(busy)
        assert not intake.clogged
        intake.retry(busy)
    assert intake.unacknowledged == 1


def test_a_prefetch_of_one_is_used_up_by_one() -> None:
    """A provider that is probed with one message gets another if that one is busy."""
    intake = Intake("notify.email.normal", average=0)
    intake.begin(1)
    intake.defer(*delivered(intake, 1))
    assert intake.clogged
    assert intake.new_prefetch(1) == 1


def test_deferred_messages_make_small_differences_worth_no_new_consumer() -> None:
    """Claims may fail too: each new consumer would receive more messages while they do."""
    intake = Intake("notify.email.normal", average=0)
    intake.begin(8)
    for message in delivered(intake, 8):
        intake.defer(message)
    assert intake.clogged
    assert [intake.next_prefetch(wanted) for wanted in (7, 9)] == [8, 8]
    assert [intake.new_prefetch(wanted) for wanted in (7, 9)] == [7, 9]


def test_no_new_consumer_begins_if_no_message_is_wanted(intake: Intake) -> None:
    """However many are unacknowledged."""
    intake.unacknowledged = 3
    assert intake.new_prefetch(0) == 0


def test_the_bytes_of_deferred_messages_are_bounded() -> None:
    """A worker that receives ever more messages of other workers bounds its memory, and waits."""
    intake = Intake("notify.email.normal", average=0)
    held = 0
    intake.begin(4)
    while True:
        for message in delivered(intake, 4, size=1_000_000):
            held += 1
            intake.defer(message)
        if not intake.clogged:
            break
        intake.begin(4)
    assert held == MOST_DEFERRED // 1_000_000 // 4 * 4 + 4


def test_a_lost_connection_forgets_deferred_messages() -> None:
    """The broker delivers them again; the old ones do not count any more."""
    intake = Intake("notify.email.normal", average=0)
    intake.begin(2)
    before, late = delivered(intake, 2)
    intake.defer(before)
    for message in (before, late):
        cast(Message, message).alive = False
    intake.forget()
    intake.defer(late)
    intake.begin(2)

    intake.retry(before)
    intake.retry(late)

    assert (intake.unacknowledged, list(intake.buffer), intake.clogged) == (0, [], False)
    again = delivered(intake, 1)
    intake.defer(*again)
    assert intake.clogged


FILE = 9_300_000


def large(intake: Intake, number: int, *, size: int = FILE) -> list[Received]:
    """Deliver messages into the buffer."""
    messages = [cast(Received, Message(size=size)) for _ in range(number)]
    for message in messages:
        intake.admit(message)
    return messages


def test_large_messages_are_in_small_batches() -> None:
    """A batch is decoded and written at once: its bytes are bounded, and no message is skipped."""
    intake = Intake("notify.email.normal")
    messages = large(intake, 1) + large(intake, 3, size=1_500_000) + large(intake, 5, size=100)
    batches: list[list[Received]] = []
    while intake.buffer:
        batches += intake.batches()
        for _ in range(CLAIMERS):
            intake.claimer_idle()
    assert [message for batch in batches for message in batch] == messages
    assert [len(batch) for batch in batches] == [1, 2, 6]


def test_the_bytes_at_work_are_bounded() -> None:
    """The others wait in the buffer until one is settled or deferred."""
    intake = Intake("notify.email.normal")
    messages = large(intake, 8)
    begun = []
    for _ in range(8):
        begun += [message for batch in intake.batches() for message in batch]
        intake.claimer_idle()
    assert begun == messages[:3]
    assert intake.settled(begun[0])
    intake.defer(begun[1])
    for _ in range(8):
        begun += [message for batch in intake.batches() for message in batch]
        intake.claimer_idle()
    assert begun == messages[:5]
    for message in begun[2:]:
        assert intake.settled(message)
    assert not intake.settled(cast(Received, Message()))


def test_a_lost_connection_forgets_large_messages() -> None:
    """Those at work count until they are settled; the buffered ones do not."""
    intake = Intake("notify.email.normal")
    large(intake, 6)
    (first,) = next(iter(intake.batches()))
    intake.forget()
    intake.settled(first)
    small = large(intake, LARGEST_BATCH, size=100)
    intake.claimer_idle()
    assert list(intake.batches()) == [small]


def test_a_prefetch_is_limited_by_the_size_of_recent_messages() -> None:
    """A start assumes large ones; small ones allow all that is wanted."""
    intake = Intake("notify.email.normal")
    assert intake.next_prefetch(192) == 32
    large(intake, 300, size=2000)
    intake.unacknowledged = 0
    assert intake.next_prefetch(192) == 192
    large(intake, 300)
    intake.unacknowledged = 0
    assert intake.next_prefetch(192) == 7
    assert intake.next_prefetch(3) == 3
    assert intake.next_prefetch(0) == 0


def test_messages_that_linger_become_one_batch() -> None:
    """The first one sets the time; a whole batch, and one that was deferred, need not wait."""
    now = [100.0]
    intake = Intake("notify.receipts", linger=4 * LULL, monotonic=lambda: now[0])
    assert intake.wake_after() == 0
    intake.admit(cast(Received, Message(size=100)))
    assert list(intake.batches()) == []
    assert intake.wake_after() == pytest.approx(LULL)
    assert intake.wake_after() == 0
    now[0] += LULL / 2
    intake.admit(cast(Received, Message(size=100)))
    now[0] += LULL / 2
    # The second one came since.
    assert list(intake.batches()) == []
    assert intake.wake_after() == pytest.approx(LULL / 2)
    now[0] += LULL
    assert [len(batch) for batch in intake.batches()] == [2]
    intake.admit(cast(Received, Message(size=100)))
    assert list(intake.batches()) == []
    for _ in range(LARGEST_BATCH - 1):
        intake.admit(cast(Received, Message(size=100)))
    assert [len(batch) for batch in intake.batches()] == [LARGEST_BATCH]


def test_messages_that_become_due_after_the_look_at_them_are_not_forgotten() -> None:
    """Nothing else would wake the loop: a lone receipt waited until the next one came."""
    now = [100.0]
    intake = Intake("notify.receipts", linger=4 * LULL, monotonic=lambda: now[0])
    intake.admit(cast(Received, Message(size=100)))
    now[0] += LULL * 0.99
    assert list(intake.batches()) == []
    now[0] += LULL
    assert intake.wake_after() > 0


def test_a_stream_without_a_lull_waits_for_the_whole_time_at_most() -> None:
    """Its first message decides."""
    now = [100.0]
    intake = Intake("notify.receipts", linger=4 * LULL, monotonic=lambda: now[0])
    sizes = []
    for _ in range(20):
        intake.admit(cast(Received, Message(size=100)))
        now[0] += LULL / 2
        for batch in intake.batches():
            sizes.append(len(batch))
            intake.claimer_idle()
    assert sizes == [8, 8]


def test_a_deferred_message_does_not_linger_again() -> None:
    """It has waited for its own time."""
    intake = Intake("notify.receipts", linger=0.05, monotonic=lambda: 100.0)
    received = cast(Received, Message(size=100))
    intake.admit(received)
    assert list(intake.batches()) == []
    intake.buffer.clear()
    intake.defer(received)
    intake.retry(received)
    assert [len(batch) for batch in intake.batches()] == [1]
