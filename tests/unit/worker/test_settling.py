"""Settling: acknowledgements of one turn in one write, each message by its own decision."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import amqp
import pytest
from amqp.method_framing import frame_writer

from notify.arrival import Again, Dead, Done
from notify.worker.frames import write_acks
from notify.worker.intake import MOST_AT_WORK, Intake
from notify.worker.loop_state import LoopState
from notify.worker.received import Received
from notify.worker.settling import Settling


class Transport:
    """The bytes that were written, by write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []

    def write(self, data: bytes) -> None:
        """Store what was written."""
        self.writes.append(bytes(data))


def _channel(number: int = 1, transport: Transport | None = None) -> amqp.Channel:
    """Return py-amqp's own channel, on a connection that only writes."""
    transport = transport or Transport()
    connection = SimpleNamespace(frame_max=131_072, bytes_sent=0, transport=transport)
    connection.frame_writer = frame_writer(connection, transport)
    channel = amqp.Channel.__new__(amqp.Channel)
    channel.connection, channel.channel_id, channel.is_open = connection, number, True
    return channel


def _writes(channel: amqp.Channel) -> list[bytes]:
    return cast(Transport, channel.connection.transport).writes


@pytest.mark.parametrize("number", [1, 65_535])
@pytest.mark.parametrize("tags", [[1], [7, 3, 2**63]])
def test_acknowledgements_are_those_of_py_amqp(number: int, tags: list[int]) -> None:
    """The same bytes as one method call for each, in one write."""
    theirs, ours = _channel(number), _channel(number)
    for tag in tags:
        theirs.basic_ack(tag)
    write_acks(ours, tags)
    assert _writes(ours) == [b"".join(_writes(theirs))]


class Bench:
    """A settling with the messages of one intake."""

    def __init__(self) -> None:
        self.state = LoopState(alive=lambda: None, watchdog=None)
        self.later: list[float] = []
        self.flushes = 0
        self.settling = Settling(
            self.state,
            later=lambda seconds, _: self.later.append(seconds),
            flush=self._flush,
            errors=(amqp.RecoverableConnectionError, OSError),
        )
        self.intake = Intake("notify.email.normal")

    def _flush(self) -> None:
        self.flushes += 1

    def received(self, channel: amqp.Channel, tag: int) -> Received:
        """Return an unacknowledged message."""
        received = _received(channel, tag)
        self.intake.admit(received)
        self.intake.buffer.clear()
        return received


def _received(channel: amqp.Channel, tag: int, *, body: Any = b"") -> Received:
    message: Any = SimpleNamespace(channel=channel, body=body, delivery_info={"delivery_tag": tag})
    return Received(message)


def test_a_turns_acknowledgements_are_one_write() -> None:
    """Each is still counted when it is decided, and settled once."""
    bench, channel = Bench(), _channel()
    for tag in (1, 2, 3):
        received = bench.received(channel, tag)
        bench.settling.settle(bench.intake, received, Done())
        bench.settling.settle(bench.intake, received, Done())
    bench.settling.settle(bench.intake, bench.received(channel, 4), Again(2.0))
    assert (_writes(channel), bench.state.settled, bench.intake.unacknowledged) == ([], 3, 0)
    bench.settling.acknowledge_all()
    bench.settling.acknowledge_all()
    assert [len(each) for each in _writes(channel)] == [3 * 21]
    assert bench.later == [2.0]


def test_a_dead_message_is_rejected_by_itself() -> None:
    """The others of its turn are acknowledged."""
    bench, channel = Bench(), _channel()
    bench.settling.settle(bench.intake, bench.received(channel, 1), Done())
    bench.settling.settle(bench.intake, bench.received(channel, 2), Dead())
    bench.settling.acknowledge_all()
    rejected = _channel()
    rejected.basic_reject(2, requeue=False)
    acknowledged = _channel()
    acknowledged.basic_ack(1)
    assert _writes(channel) == [*_writes(rejected), *_writes(acknowledged)]


def test_a_lost_connection_keeps_back_no_other_channels_acknowledgements() -> None:
    """The broker delivers the lost one's messages again."""
    bench, lost, open_ = Bench(), _channel(1), _channel(2)
    lost.is_open = False
    for tag, channel in enumerate((lost, open_), start=1):
        bench.settling.settle(bench.intake, bench.received(channel, tag), Done())
    bench.settling.acknowledge_all()
    assert (_writes(lost), len(_writes(open_))) == ([], 1)


def test_a_deferred_message_has_no_further_decision_before_its_retry() -> None:
    """A fault decides on the whole batch, also on those that are already to be delivered again."""
    bench, channel = Bench(), _channel()
    received = bench.received(channel, 1)
    bench.settling.settle(bench.intake, received, Again(2.0))
    bench.settling.settle(bench.intake, received, Dead())
    assert (_writes(channel), bench.later, bench.intake.unacknowledged) == ([], [2.0], 0)
    bench.intake.retry(received)
    assert bench.intake.unacknowledged == 1
    bench.settling.settle(bench.intake, received, Dead())
    assert (len(_writes(channel)), bench.intake.unacknowledged) == (1, 0)


def test_a_large_message_that_is_deferred_makes_room_for_the_next_one() -> None:
    """At once: it may be deferred for as long as another worker's lease."""
    bench, channel = Bench(), _channel()
    first, second = (_received(channel, tag, body=range(MOST_AT_WORK)) for tag in (1, 2))
    bench.intake.admit(first)
    assert list(bench.intake.batches()) == [[first]]
    bench.intake.admit(second)
    assert list(bench.intake.batches()) == []
    bench.settling.settle(bench.intake, first, Again(60.0))
    assert bench.flushes == 1
    assert list(bench.intake.batches()) == [[second]]
