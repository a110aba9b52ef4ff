"""One life of a simulated world: the steps of a course of events, and ordinary operation."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from functools import wraps
from typing import Any, TypeVar

from hypothesis.stateful import RuleBasedStateMachine

from notify.message import Outcome, Status
from tests.unit.course import rest
from tests.unit.course.base import Base, Terms
from tests.unit.course.fleet import Phase
from tests.unit.course.operators import Operators
from tests.unit.course.producer import Kind, Producer
from tests.unit.course.snapshot import Row
from tests.unit.course.vendor import Answer
from tests.unit.course.world import World

MOST = 6
"""Messages and notifications in progress at a time: few, so that each has many events."""
LEDGER_EVERY = 100
"""Steps in a life: creating the world costs as much as ten steps."""
WAITING = Status.SCHEDULED, Status.QUEUED

T = TypeVar("T")


class Life(RuleBasedStateMachine):
    """
    A world and its actors, without the rules.

    Attributes:
        seen: How often each kind of step was made.
        steps: How many there were.
        sound: Whether no fault was found so far; after one, further steps prove nothing.
    """

    def __init__(self, base: Base, terms: Terms, seen: Counter[str]) -> None:
        super().__init__()
        self.world = World(base, terms)
        self.operators = Operators(self.world)
        self.producer = Producer(terms.channel)
        self.seen = seen
        self.steps = 0
        self.sound = True

    def teardown(self) -> None:
        """Repair everything: each notification must end, once."""
        if self.sound:
            self.seen["acts"] += self.world.acts
            self.seen["steps"] += self.steps
            rest.come_to_rest(self.world)
            rest.judge_ends(self.world)
            self.seen.update(rest.tell(self.world))

    def goes_on(self) -> None:
        """Run the ordinary operation of all actors."""
        self.world.clock.passes(5)
        self.world.book.answer = Answer.ACCEPTED
        if self.world.due(*WAITING):
            self.world.relay()
        elif self.world.due(Status.UNKNOWN):
            self.world.reconcile()
        elif self.world.busy:
            self.world.work(self.steps % 2, Phase.SETTLED, most=1)
        else:
            self.publish(Kind.PLAIN)

    @property
    def under_way(self) -> int:
        """How many messages and notifications have not ended."""
        messages = sum(len(self.world.broker.queues[name]) for name in self.world.queues)
        return messages + len(self.rows(*WAITING, Status.SENDING))

    @property
    def lost(self) -> list[str]:
        """The calls whose answers were lost."""
        attempts = self.world.latest.attempts.values()
        return [each.id for each in attempts if each.outcome == Outcome.UNKNOWN]

    def rows(self, *statuses: Status) -> list[Row]:
        """Return the notifications with this status."""
        return [row for row in self.world.latest.rows.values() if row.stands in statuses]

    def comes(self, kind: Kind, answer: Answer, *, until: Phase = Phase.SETTLED) -> None:
        """Publish a request and deliver it to a worker."""
        self.publish(kind)
        self.world.book.answer = answer
        self.world.work(self.steps % 2, until, most=1)

    def publish(self, kind: Kind, lane: int = 0) -> None:
        """Publish a new request, unless too many are in progress."""
        if self.under_way >= MOST:
            return
        world = self.world
        new = self.producer.new(kind, one_of(list(world.terms.lanes), lane), now=world.now())
        world.publish(new.body, new.key, text=new.text)


def one_of(many: Sequence[T], which: int) -> T:
    """Return a random choice."""
    return many[which % len(many)]


def step(
    *, when: Callable[[Life], object], else_: Callable[[Life], None] | None = None
) -> Callable[..., Callable[..., None]]:
    """
    Turn a method into a step, and count it.

    A precondition would make Hypothesis discard whole courses: it omits rules at random,
    and none of the others may be possible.

    Args:
        when: Returns whether the step is possible.
        else_: Makes it possible, or else does nothing.
    """

    def decorate(method: Callable[..., None]) -> Callable[..., None]:
        @wraps(method)
        def counted(self: Life, **drawn: Any) -> None:
            self.sound = False
            if else_ is not None and not when(self):
                else_(self)
            if when(self):
                self.seen[method.__name__] += 1
                self.seen.update(str(value) for value in drawn.values() if isinstance(value, Enum))
                method(self, **drawn)
            else:
                self.goes_on()
            self.steps += 1
            if self.steps % LEDGER_EVERY == 0:
                rest.judge_books(self.world)
            self.sound = True

        return counted

    return decorate
