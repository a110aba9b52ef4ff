"""The state machine: whatever producers, workers, vendors, operators and the broker may do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from functools import wraps
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from notify.message import Outcome, Status
from notify.relay import HOLD
from notify.topology import DEAD
from tests.unit.course import rest
from tests.unit.course.base import Base, Terms
from tests.unit.course.fleet import Phase
from tests.unit.course.operators import Operators
from tests.unit.course.relay_end import Fate, nothing
from tests.unit.course.requests import Again, Kind, Producer
from tests.unit.course.snapshot import Row
from tests.unit.course.trouble import Trouble
from tests.unit.course.vendor import Answer, Listing
from tests.unit.course.world import World

MOST = 6
"""Messages and notifications under way at a time: few, so that much happens to each."""
LEDGER_EVERY = 100
"""Steps: drawing it up costs as much as ten of them."""

WAITING = Status.SCHEDULED, Status.QUEUED
WORKERS = st.sampled_from([0, 1])
ANSWERS = st.sampled_from([Answer.ACCEPTED, Answer.ACCEPTED, *Answer])
KINDS = st.sampled_from([Kind.PLAIN, Kind.PLAIN, Kind.PLAIN, *Kind])
FATES = st.sampled_from([Fate.FINE, Fate.FINE, *Fate])
LISTINGS = st.sampled_from([Listing.READ, Listing.READ, *Listing])
WHICH = st.integers(0, 11)


def step(
    *, when: Callable[[Course], object], else_: Callable[[Course], None] | None = None
) -> Callable[..., Callable[..., None]]:
    """
    Make a method one step, and count it.

    A precondition would have Hypothesis throw away whole courses: it leaves out rules at random,
    and of those that it keeps none may be possible.

    Args:
        when: Tells whether there is something to do.
        else_: Brings that about; where it cannot, life just goes on.
    """

    def decorate(method: Callable[..., None]) -> Callable[..., None]:
        @wraps(method)
        def counted(self: Course, **drawn: Any) -> None:
            self.sound = False
            if else_ is not None and not when(self):
                else_(self)
            if when(self):
                self.seen[method.__name__] += 1
                self.seen.update(f"{name}: {value}" for name, value in drawn.items())
                method(self, **drawn)
            else:
                self.goes_on()
            self.steps += 1
            if self.steps % LEDGER_EVERY == 0:
                rest.judge_books(self.world)
            self.sound = True

        return counted

    return decorate


def _something_is_in_hand(self: Course) -> None:
    self.comes(Kind.PLAIN, Answer.ACCEPTED, until=Phase.CLAIMED)


def _a_call_fails(self: Course) -> None:
    if not self.rows(*WAITING):
        self.comes(Kind.PLAIN, Answer.AWAY)
    self.world.clock.passes(10)


def _an_answer_is_lost(self: Course) -> None:
    self.comes(Kind.PLAIN, Answer.LOST if self.steps % 2 else Answer.NOTHING)


def _a_look_up_comes_due(self: Course) -> None:
    if not self.rows(Status.UNKNOWN):
        _an_answer_is_lost(self)
    self.world.clock.passes(35)


def _something_waits(self: Course) -> None:
    self.comes(Kind.SCHEDULED, Answer.ACCEPTED)


def _something_dies(self: Course) -> None:
    self.comes(Kind.UNRENDERABLE, Answer.ACCEPTED)


def _something_is_archived(self: Course) -> None:
    if not self.world.broker.queues[DEAD]:
        _something_dies(self)
    self.world.archive(most=3)


class Course(RuleBasedStateMachine):
    """
    One course of events; the world judges each.

    Attributes:
        seen: How often each kind of step was made.
        steps: How many there were.
        sound: Whether all was well so far: else nothing more is to be learned.
    """

    def __init__(self, base: Base, terms: Terms, seen: Counter[str]) -> None:
        super().__init__()
        self.world = World(base, terms)
        self.operators = Operators(self.world)
        self.producer = Producer(terms.channel)
        self.seen = seen
        self.steps = 0
        self.sound = True

    @initialize(kinds=st.tuples(KINDS, KINDS, KINDS))
    @step(when=lambda _: True)
    def begins(self, kinds: tuple[Kind, ...]) -> None:
        """Something is to be done from the beginning."""
        for number, kind in enumerate(kinds):
            self.publish(kind, number)

    @rule(kind=KINDS, lane=WHICH)
    @step(when=lambda self: self.under_way < MOST)
    def publishes(self, kind: Kind, lane: int) -> None:
        """A producer publishes something new."""
        self.publish(kind, lane)

    @rule(which=WHICH, how=st.sampled_from(Again))
    @step(when=lambda self: self.under_way < MOST)
    def publishes_again(self, which: int, how: Again) -> None:
        """A producer publishes something that has to do with an earlier message."""
        again = self.producer.again(_one_of(self.producer.written[-MOST:], which), how)
        self.world.publish(again.body, again.key, text=again.text)

    @rule(worker=WORKERS, answer=ANSWERS)
    @step(when=lambda self: self.world.busy, else_=lambda self: self.publish(Kind.PLAIN))
    def works(self, worker: int, answer: Answer) -> None:
        """A worker goes on to the end with all that it has and finds."""
        self.world.book.answer = answer
        self.world.work(worker, Phase.SETTLED, most=3)

    @rule(worker=WORKERS, until=st.sampled_from(Phase), answer=ANSWERS)
    @step(when=lambda self: self.world.busy, else_=lambda self: self.publish(Kind.PLAIN))
    def is_held_up(self, worker: int, until: Phase, answer: Answer) -> None:
        """A worker is held up after a phase; before it goes on, anything may happen."""
        self.world.book.answer = answer
        self.world.work(worker, until, most=1)

    @rule(worker=WORKERS)
    @step(
        when=lambda self: any(worker.busy for worker in self.world.workers),
        else_=_something_is_in_hand,
    )
    def dies(self, worker: int) -> None:
        """A worker is killed wherever it has come to."""
        self.world.workers[worker].die()
        self.world.judge()

    @rule(trouble=st.sampled_from(Trouble), after=st.integers(0, 3))
    @step(when=lambda self: not self.world.base.troubles.coming)
    def trouble_comes(self, trouble: Trouble, after: int) -> None:
        """Soon a transaction will not go as hoped, whosever it is."""
        self.world.base.troubles.come(trouble, after=after)

    @rule()
    @step(when=lambda self: self.world.broker.unacked, else_=_something_is_in_hand)
    def connections_break(self) -> None:
        """The broker delivers again all that is in hand, while those who have it go on."""
        self.world.broker.take_back()
        self.world.judge()

    @rule(seconds=st.sampled_from([1, 5, 35, 61, 200]))
    @step(when=lambda self: self.under_way)
    def time_passes(self, seconds: int) -> None:
        """Leases lapse, and what was put off comes due."""
        self.world.clock.passes(seconds)

    @rule(fate=FATES)
    @step(when=lambda self: self.world.due(*WAITING), else_=_a_call_fails)
    def a_relay_turns(self, fate: Fate) -> None:
        """What is due is published, or nearly."""
        self.world.relay(fate)

    @rule(worker=WORKERS, answer=ANSWERS)
    @step(when=lambda self: self.world.due(*WAITING), else_=_a_call_fails)
    def a_relay_is_held_up(self, worker: int, answer: Answer) -> None:
        """Before it can write what it has published, others go on."""
        world = self.world

        def meanwhile() -> None:
            world.book.answer = answer
            world.relay()
            world.work(worker, Phase.SETTLED, most=3)

        world.relay(Fate.FINE, meanwhile)

    @rule(listing=LISTINGS, news=st.booleans())
    @step(when=lambda self: self.world.due(Status.UNKNOWN), else_=_a_look_up_comes_due)
    def a_reconciler_turns(self, listing: Listing, news: bool) -> None:
        """A lost answer is looked up; meanwhile there may be news, or another look-up."""
        world = self.world

        def meanwhile() -> None:
            if news and self.lost:
                self.operators.tell_news(self.lost[0])
            elif not news:
                world.clock.passes(HOLD.total_seconds())
                world.reconcile()

        world.reconcile(listing, meanwhile if listing is Listing.READ else nothing)

    @rule(which=WHICH)
    @step(when=lambda self: self.rows(*WAITING), else_=_something_waits)
    def an_operator_cancels(self, which: int) -> None:
        """In time or not; of a batch, all."""
        row = _one_of(self.rows(*WAITING, Status.SENDING, Status.SENT), which)
        self.operators.cancel(row.batch_id or row.id)

    @rule(which=WHICH, resend=st.booleans())
    @step(when=lambda self: self.rows(Status.UNKNOWN), else_=_an_answer_is_lost)
    def an_operator_decides(self, which: int, resend: bool) -> None:
        """Where nobody knows whether it was sent."""
        self.operators.decide(_one_of(self.rows(Status.UNKNOWN), which).id, resend=resend)

    @rule(which=WHICH)
    @step(when=lambda self: self.lost, else_=_an_answer_is_lost)
    def news_come(self, which: int) -> None:
        """Of a call whose answer was lost, wherever its notification stands."""
        self.operators.tell_news(_one_of(self.lost, which))

    @rule(dies=st.booleans())
    @step(when=lambda self: self.world.broker.queues[DEAD], else_=_something_dies)
    def the_dead_queue_is_archived(self, dies: bool) -> None:
        """Some of it, and perhaps not acknowledged."""
        self.world.archive(most=3, dies=dies)

    @rule(include_unknown=st.booleans(), twice=st.booleans(), stops=st.booleans())
    @step(when=lambda self: self.operators.waiting(), else_=_something_is_archived)
    def an_operator_replays(self, include_unknown: bool, twice: bool, stops: bool) -> None:
        """All that waits; perhaps another does the same, perhaps the process is killed."""
        self.operators.replay(include_unknown=include_unknown, twice=twice, stops=stops)

    def teardown(self) -> None:
        """Heal everything: all comes to its end, once."""
        if self.sound:
            self.seen["acts"] += self.world.acts
            self.seen["steps"] += self.steps
            rest.come_to_rest(self.world)
            rest.judge_ends(self.world)
            self.seen.update(rest.tell(self.world))

    def goes_on(self) -> None:
        """Let everybody do what they ordinarily do."""
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
        """Give the notifications that stand so."""
        return [row for row in self.world.latest.rows.values() if row.stands in statuses]

    def comes(self, kind: Kind, answer: Answer, *, until: Phase = Phase.SETTLED) -> None:
        """Have a request come and a worker take it."""
        self.publish(kind)
        self.world.book.answer = answer
        self.world.work(self.steps % 2, until, most=1)

    def publish(self, kind: Kind, lane: int = 0) -> None:
        """Publish something new, if not too much is under way."""
        if self.under_way >= MOST:
            return
        world = self.world
        new = self.producer.new(kind, _one_of(list(world.terms.lanes), lane), now=world.now())
        world.publish(new.body, new.key, text=new.text)


def _one_of(many: list[Any], which: int) -> Any:
    return many[which % len(many)]
