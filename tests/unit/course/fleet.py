"""Worker processes in single steps: each can be stopped, or killed, between any two phases."""

from __future__ import annotations

import enum
from collections.abc import Callable, Collection
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from notify.arrival import Again, Arrival, Dead, Decision, Done, Raw
from notify.contract import Incoming
from notify.delivery import Delivery
from notify.delivery.recorder import PendingRecord, Recorder
from tests.unit.course.broker import Broker, Handed
from tests.unit.course.clock import Clock


class Phase(enum.IntEnum):
    """The phase at which a worker stops for other events."""

    TAKEN = 0
    CLAIMED = 1
    CALLED = 2
    RECORDED = 3
    SETTLED = 4


class Calls(Executor):
    """Calls that are made when a test says so."""

    def __init__(self) -> None:
        self.waiting: list[Callable[[], object]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Store a call for later."""
        self.waiting.append(lambda: fn(*args, **kwargs))
        return Future()

    def make(self) -> None:
        """Make the stored calls."""
        while self.waiting:
            self.waiting.pop(0)()


class Scribe(Recorder):
    """The product's recorder, without its thread."""

    def write(self) -> None:
        """Write the queued records, as one group."""
        group: list[PendingRecord] = []
        self._gather(group)
        if group:
            self._write(group)


Build = Callable[[Calls, Callable[[], datetime]], tuple[Delivery, Scribe]]


@dataclass(slots=True)
class Worker:
    """
    One process: its messages, its decisions, and those set aside.

    Attributes:
        behind: How far its clock is behind the others.
    """

    name: str
    broker: Broker
    clock: Clock
    build: Build
    behind: timedelta = timedelta()
    _hand: list[Handed] = field(default_factory=list)
    _later: list[tuple[datetime, Handed]] = field(default_factory=list)
    _decided: list[tuple[Handed, Decision]] = field(default_factory=list)
    _calls: Calls = field(init=False)
    _delivery: Delivery = field(init=False)
    _scribe: Scribe = field(init=False)

    def __post_init__(self) -> None:
        """Start the first process."""
        self.start()

    def start(self) -> None:
        """Restart as a new process, without the memory of the previous one."""
        self._hand, self._later, self._decided = [], [], []
        self._calls = Calls()
        self._delivery, self._scribe = self.build(self._calls, self._now)

    def die(self) -> None:
        """Lose all memory; the broker requeues the unacknowledged messages."""
        self.broker.take_back(self.name)
        self.start()

    def work(self, until: Phase, *, queues: Collection[str], most: int) -> None:
        """
        Receive at most *most* messages, and continue with all up to a phase.

        Earlier decisions are settled first: a message may be settled at any time.
        """
        self._settle()
        self._take(queues, most)
        steps = (self._claim, self._calls.make, self._scribe.write, self._settle)
        for step in steps[:until]:
            step()

    @property
    def busy(self) -> bool:
        """Whether it has unacknowledged messages."""
        owners = {handed.owner for handed in self.broker.unacked.values()}
        return self.name in owners or bool(self._calls.waiting or self._decided)

    def _now(self) -> datetime:
        return self.clock.now - self.behind

    def _take(self, queues: Collection[str], most: int) -> None:
        again = [handed for at, handed in self._later if at <= self.clock.now]
        self._later = [each for each in self._later if each[0] > self.clock.now]
        self._hand += [handed for handed in again if handed.tag in self.broker.unacked]
        for queue in queues:
            for _ in range(most):
                handed = self.broker.take(self.name, queue)
                if handed is not None:
                    self._hand.append(handed)

    def _claim(self) -> None:
        hand, self._hand = self._hand, []
        if hand:
            self._delivery.deliver([self._arrival(each) for each in hand])

    def _arrival(self, handed: Handed) -> Arrival:
        return arrival(handed, lambda decision: self._decided.append((handed, decision)))

    def _settle(self) -> None:
        decided, self._decided = self._decided, []
        for handed, decision in decided:
            match decision:
                case Done():
                    self.broker.acknowledge(handed.tag)
                case Dead():
                    self.broker.reject(handed.tag)
                case Again(after=after):
                    self._later.append((self.clock.now + timedelta(seconds=after), handed))


def arrival(handed: Handed, settle: Callable[[Decision], None]) -> Arrival:
    """Convert a message to the use cases' form."""
    message = handed.message
    incoming = Incoming(
        message.body,
        message.key,
        content_type=message.properties["content_type"],
        message_id=message.properties["message_id"],
    )
    return Arrival(incoming, settle, lambda: Raw(message.exchange, message.properties))
