"""Steering alone: when a queue's consumer is begun, replaced and cancelled."""

from __future__ import annotations

import pytest

from notify.worker.intake import Intake
from notify.worker.steering import Steering
from tests.unit.worker.test_intake import delivered


class Broker:
    """The calls that steering makes, and the prefetch that flow control wants."""

    def __init__(self) -> None:
        self.wanted = {"a": 10, "b": 0}
        self.consuming = True
        self.calls: list[tuple[str, int]] = []
        self.intakes = [Intake("a", average=0), Intake("b", average=0)]
        self.steering = Steering(
            self.intakes,
            prefetch=self.wanted.__getitem__,
            consuming=lambda: self.consuming,
            consume=lambda queue, prefetch: self.calls.append((queue, prefetch)),
            cancel=lambda queue: self.calls.append((queue, 0)),
        )

    def steer(self) -> list[tuple[str, int]]:
        """Steer once; return the calls that it made: a prefetch of 0 is a cancelled consumer."""
        self.calls.clear()
        self.steering.steer()
        return list(self.calls)


@pytest.fixture
def broker() -> Broker:
    """Two queues, of which one has messages to send."""
    return Broker()


def test_each_queue_is_consumed_with_its_own_prefetch(broker: Broker) -> None:
    """A queue of which no message can be sent is not consumed."""
    assert broker.steer() == [("a", 10)]
    assert broker.steer() == []
    broker.wanted["b"] = 3
    assert broker.steer() == [("b", 3)]


def test_a_consumer_is_replaced_by_a_new_one(broker: Broker) -> None:
    """The old one is cancelled first, or its prefetch would be added."""
    broker.steer()
    broker.wanted["a"] = 40
    assert broker.steer() == [("a", 0), ("a", 40)]
    broker.wanted["a"] = 41
    assert broker.steer() == []


def test_a_pause_cancels_every_consumer(broker: Broker) -> None:
    """They begin again after it."""
    broker.steer()
    broker.consuming = False
    assert broker.steer() == [("a", 0)]
    assert broker.steer() == []
    broker.consuming = True
    assert broker.steer() == [("a", 10)]


def test_a_clogged_queue_gets_a_new_consumer(broker: Broker) -> None:
    """Deferred messages use up its prefetch; not while consumption is paused."""
    broker.steer()
    intake = broker.intakes[0]
    for received in delivered(intake, 5):
        intake.defer(received)
    broker.calls.clear()
    broker.consuming = False
    broker.steering.unclog(intake)
    assert broker.calls == []
    broker.consuming = True
    broker.steering.unclog(intake)
    assert broker.calls == [("a", 0), ("a", 10)]
    assert not intake.clogged
