"""The state machine: all actions of producers, workers, vendors, operators and the broker."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule

from notify.message import Status
from notify.relays.relay import RELAY_LEASE
from notify.topology import DEAD
from tests.unit.course.fleet import Phase
from tests.unit.course.life import MOST, WAITING, Life, one_of, step
from tests.unit.course.producer import Kind, Repeat
from tests.unit.course.relay_end import Fate, nothing
from tests.unit.course.situations import (
    a_call_fails,
    a_look_up_comes_due,
    an_answer_is_lost,
    something_comes,
    something_dies,
    something_is_archived,
    something_is_unacknowledged,
    something_waits,
)
from tests.unit.course.trouble import Trouble
from tests.unit.course.vendor import Answer, Listing

WORKERS = st.sampled_from([0, 1])
ANSWERS = st.sampled_from([Answer.ACCEPTED, Answer.ACCEPTED, *Answer])
KINDS = st.sampled_from([Kind.PLAIN, Kind.PLAIN, Kind.PLAIN, *Kind])
FATES = st.sampled_from([Fate.FINE, Fate.FINE, *Fate])
LISTINGS = st.sampled_from([Listing.READ, Listing.READ, *Listing])
WHICH = st.integers(0, 11)


class Course(Life):
    """One course of events; the world checks each."""

    @initialize(kinds=st.tuples(KINDS, KINDS, KINDS))
    @step(when=lambda _: True)
    def begins(self, kinds: tuple[Kind, ...]) -> None:
        """Start with a published request."""
        for number, kind in enumerate(kinds):
            self.publish(kind, number)

    @rule(kind=KINDS, lane=WHICH)
    @step(when=lambda self: self.under_way < MOST)
    def publishes(self, kind: Kind, lane: int) -> None:
        """A producer publishes something new."""
        self.publish(kind, lane)

    @rule(which=WHICH, how=st.sampled_from(Repeat))
    @step(when=lambda self: self.under_way < MOST)
    def publishes_again(self, which: int, how: Repeat) -> None:
        """A producer publishes a request that is related to an earlier one."""
        again = self.producer.again(one_of(self.producer.written[-MOST:], which), how)
        self.world.publish(again.body, again.key, text=again.text)

    @rule(worker=WORKERS, answer=ANSWERS)
    @step(when=lambda self: self.world.busy, else_=something_comes)
    def works(self, worker: int, answer: Answer) -> None:
        """A worker delivers all its messages to the end."""
        self.world.book.answer = answer
        self.world.work(worker, Phase.SETTLED, most=3)

    @rule(worker=WORKERS, until=st.sampled_from(Phase), answer=ANSWERS)
    @step(when=lambda self: self.world.busy, else_=something_comes)
    def is_held_up(self, worker: int, until: Phase, answer: Answer) -> None:
        """A worker stops after a phase; before it continues, any event may happen."""
        self.world.book.answer = answer
        self.world.work(worker, until, most=1)

    @rule(worker=WORKERS, until=st.sampled_from([Phase.CLAIMED, Phase.CALLED]), answer=ANSWERS)
    @step(when=lambda self: self.world.busy, else_=something_comes)
    def sleeps_past_its_lease(self, worker: int, until: Phase, answer: Answer) -> None:
        """A worker is frozen; another continues with its messages, and stops too."""
        world = self.world
        world.book.answer = answer
        world.work(worker, until, most=1)
        world.broker.take_back(world.workers[worker].name)
        for seconds, phase in ((65, Phase.SETTLED), (10, Phase.CLAIMED)):
            world.clock.passes(seconds)
            if world.due(*WAITING):
                world.relay()
            world.work(1 - worker, phase, most=1)
        world.work(worker, Phase.RECORDED, most=0)

    @rule(worker=WORKERS)
    @step(
        when=lambda self: any(worker.busy for worker in self.world.workers),
        else_=something_is_unacknowledged,
    )
    def dies(self, worker: int) -> None:
        """A worker is killed in any phase."""
        self.world.workers[worker].die()
        self.world.judge()

    @rule(trouble=st.sampled_from(Trouble), after=st.integers(0, 3))
    @step(when=lambda self: not self.world.base.troubles.coming)
    def trouble_comes(self, trouble: Trouble, after: int) -> None:
        """One of the next transactions, of any actor, fails."""
        self.world.base.troubles.come(trouble, after=after)

    @rule()
    @step(when=lambda self: self.world.broker.unacked, else_=something_is_unacknowledged)
    def connections_break(self) -> None:
        """The broker delivers all unacknowledged messages again, while their workers continue."""
        self.world.broker.take_back()
        self.world.judge()

    @rule(seconds=st.sampled_from([1, 5, 35, 61, 200]))
    @step(when=lambda self: self.under_way)
    def time_passes(self, seconds: int) -> None:
        """Leases end, and deferred notifications become due."""
        self.world.clock.passes(seconds)

    @rule(fate=FATES)
    @step(when=lambda self: self.world.due(*WAITING), else_=a_call_fails)
    def a_relay_turns(self, fate: Fate) -> None:
        """Due notifications are published, or nearly."""
        self.world.relay(fate)

    @rule(worker=WORKERS, answer=ANSWERS)
    @step(when=lambda self: self.world.due(*WAITING), else_=a_call_fails)
    def a_relay_is_held_up(self, worker: int, answer: Answer) -> None:
        """Other actors continue before the relay records its publications."""
        world = self.world

        def in_between() -> None:
            world.book.answer = answer
            world.relay()
            world.work(worker, Phase.SETTLED, most=3)

        world.relay(Fate.FINE, in_between)

    @rule(listing=LISTINGS, news=st.booleans())
    @step(when=lambda self: self.world.due(Status.UNKNOWN), else_=a_look_up_comes_due)
    def a_reconciler_turns(self, listing: Listing, news: bool) -> None:
        """A lost answer is looked up; late evidence or another look-up may come in between."""
        world = self.world

        def in_between() -> None:
            if news and self.lost:
                self.operators.tell_news(self.lost[0])
            elif not news:
                world.clock.passes(RELAY_LEASE.total_seconds())
                world.reconcile()

        world.reconcile(listing, in_between if listing is Listing.READ else nothing)

    @rule(which=WHICH)
    @step(when=lambda self: self.rows(*WAITING), else_=something_waits)
    def an_operator_cancels(self, which: int) -> None:
        """Cancel a notification in time or too late; a batch as a whole."""
        row = one_of(self.rows(*WAITING, Status.SENDING, Status.SENT), which)
        self.operators.cancel(row.batch_id or row.id)

    @rule(which=WHICH, resend=st.booleans())
    @step(when=lambda self: self.rows(Status.UNKNOWN), else_=an_answer_is_lost)
    def an_operator_decides(self, which: int, resend: bool) -> None:
        """Decide on an unknown outcome."""
        self.operators.decide(one_of(self.rows(Status.UNKNOWN), which).id, resend=resend)

    @rule(which=WHICH)
    @step(when=lambda self: self.lost, else_=an_answer_is_lost)
    def news_come(self, which: int) -> None:
        """Report late evidence on a lost call, in any status of its notification."""
        self.operators.tell_news(one_of(self.lost, which))

    @rule(dies=st.booleans())
    @step(when=lambda self: self.world.broker.queues[DEAD], else_=something_dies)
    def the_dead_queue_is_archived(self, dies: bool) -> None:
        """Archive some dead letters, perhaps without acknowledging them."""
        self.world.archive(most=3, dies=dies)

    @rule(include_unknown=st.booleans(), twice=st.booleans(), stops=st.booleans())
    @step(when=lambda self: self.operators.waiting(), else_=something_is_archived)
    def an_operator_replays(self, include_unknown: bool, twice: bool, stops: bool) -> None:
        """Replay all waiting letters, perhaps twice at once, perhaps killed."""
        self.operators.replay(include_unknown=include_unknown, twice=twice, stops=stops)
