"""A small world: real parts of the product around a broker of lists and vendors with a book."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import cast
from uuid import UUID

from notify.arrival import Again, Arrival, Decision
from notify.deadletters import Archive
from notify.delivery import Delivery
from notify.errors import PublishError, StoreError
from notify.message import Rendered, Status
from notify.publisher import Outgoing, Publisher
from notify.reconcile import Reconciler
from notify.relays import DueRows, Relay
from notify.topology import DEAD, queue_name
from tests.support.burying import LIMITS
from tests.support.delivering import delivery_on
from tests.support.flowing import flow_on
from tests.unit.course.base import Base, Terms
from tests.unit.course.broker import Broker, Handed, Message
from tests.unit.course.clock import Clock
from tests.unit.course.fleet import Calls, Phase, Scribe, Worker, arrival
from tests.unit.course.reader import Reader
from tests.unit.course.reference import Actor, Reference
from tests.unit.course.relay_end import Fate, RelayEnd, nothing
from tests.unit.course.snapshot import Snapshot
from tests.unit.course.vendor import Book, Killed, Listing

BEHIND = timedelta(seconds=2)
"""The second worker's clock is this far behind."""
RETURNS = 2
"""How often a message may be requeued before it is dead-lettered."""


class World:
    """
    All actors, and the check after each act.

    Attributes:
        acts: The number of acts.
        latest: The record after the last act.
    """

    def __init__(self, base: Base, terms: Terms) -> None:
        base.clear()
        self.base = base
        self.terms = terms
        self.clock = Clock()
        self.reader = Reader(self.now, base.cipher)
        self.book = Book(self.clock, self._called)
        self.queues = [queue_name(terms.channel, lane) for lane in terms.lanes]
        queues: dict[str, deque[Message]] = {name: deque() for name in (*self.queues, DEAD)}
        self.broker = Broker(queues, RETURNS, self.clock)
        self.reference = Reference(terms.lanes, self.book.calls)
        self.acts = 0
        self._wrong: list[AssertionError] = []
        self.latest = Snapshot({}, {}, [])
        self._changes = base.driver.total_changes
        self._gateway = terms.gateway(self.book)
        self._policy = terms.policy()
        self.workers = [
            Worker("first", self.broker, self.clock, self._delivery),
            Worker("second", self.broker, self.clock, self._delivery, behind=BEHIND),
        ]
        limits = dict.fromkeys(terms.lanes, RETURNS)
        self._archive = Archive(base.store, limits=LIMITS, delivery_limits=limits, clock=self.now)

    def now(self) -> datetime:
        """Return the time."""
        return self.clock.now

    def publish(self, body: bytes, key: str, *, text: str) -> None:
        """Publish, confirmed."""
        self.reference.confirm(body, self.reader.asked(body, key), text=text)
        properties = {"content_type": "application/json", "message_id": None}
        self.broker.publish(Message(body, key, properties, "notify"))
        self.judge()

    def work(self, number: int, until: Phase, *, most: int) -> None:
        """Run a worker, until it finishes or is killed."""
        worker = self.workers[number]
        try:
            worker.work(until, queues=self.queues, most=most)
        except Killed:
            worker.die()
        self.judge(Actor.WORKER)

    def relay(self, fate: Fate = Fate.FINE, in_between: Callable[[], None] = nothing) -> None:
        """Run one step of a relay."""
        end = RelayEnd(self.broker, self._relayed, fate, in_between)
        with self.act(Actor.RELAY):
            Relay(DueRows(), self.base.store, cast(Publisher, end), clock=self.now).publish()

    def reconcile(
        self, listing: Listing = Listing.READ, in_between: Callable[[], None] = nothing
    ) -> bool:
        """Run one step of a reconciler; return whether a look-up was due."""
        self.book.listing, self.book.in_between = listing, in_between
        reconciler = Reconciler(
            store=self.base.store,
            templates=self.base.templates,
            gateway=self._gateway,
            policy=self._policy,
            clock=self.now,
        )
        found = False
        with self.act(Actor.RECONCILER):
            found = reconciler.reconcile()
        self.book.listing, self.book.in_between = Listing.READ, nothing
        return found

    def archive(self, *, most: int, dies: bool = False) -> None:
        """Drain the dead queue; with *dies*, without acknowledging."""
        kept: list[int] = []

        def arrived(handed: Handed) -> Arrival:
            def settle(decision: Decision) -> None:
                kept.extend([] if isinstance(decision, Again) else [handed.tag])

            return arrival(handed, settle)

        handed = [each for _ in range(most) if (each := self.broker.take("archive", DEAD))]
        with self.act(Actor.NOBODY):
            self._archive.deliver([arrived(each) for each in handed])
            for tag in () if dies else kept:
                self.broker.acknowledge(tag)
        self.broker.take_back("archive")

    def due(self, *statuses: Status) -> bool:
        """Return whether the record has a due notification in one of *statuses*."""
        now = f"{self.now():%Y-%m-%d %H:%M:%S.%f}"
        rows = self.latest.rows.values()
        return any(row.due_at and row.due_at <= now and row.stands in statuses for row in rows)

    @property
    def busy(self) -> bool:
        """Whether a worker has anything to do."""
        queued = any(self.broker.queues[name] for name in self.queues)
        return queued or any(worker.busy for worker in self.workers)

    def judge(self, *actors: Actor, licence: bool = False) -> None:
        """Check the world against the reference model, after an act."""
        self.acts += 1
        with self._heeded():
            now = self.look()
            self.reference.observe(now, actors, licence=licence)
            messages = [(each.body, each.key) for each in self.broker.messages()]
            messages += [(each.body, each.routing_key) for each in now.letters]
            held = frozenset(want for message in messages for want in self.reader.wants(*message))
            self.reference.nothing_is_lost(now, held=held, bodies={body for body, _ in messages})

    @contextmanager
    def act(self, *actors: Actor, licence: bool = False) -> Iterator[None]:
        """Run one act; check its results, even if the actor was killed or failed."""
        with suppress(Killed, StoreError, PublishError):
            yield
        self.judge(*actors, licence=licence)

    def look(self) -> Snapshot:
        """Read the record, if it has changed."""
        changes = self.base.driver.total_changes
        if changes != self._changes:
            self._changes, self.latest = changes, Snapshot.of(self.base.driver, self.base.cipher)
        return self.latest

    @contextmanager
    def _heeded(self) -> Iterator[None]:
        """Store a failed check: the product catches every error of a provider's call."""
        try:
            yield
        except AssertionError as error:
            self._wrong.append(error)
        if self._wrong:
            raise self._wrong[0]

    def _called(self, message: Rendered) -> None:
        with self._heeded():
            self.reference.called(message, self.look())

    def _relayed(self, message: Outgoing, known: bool) -> None:
        id_ = UUID(message.message_id).hex
        self.reference.relayed(id_, self.look(), at=self.now(), taken=known)

    def _delivery(self, calls: Calls, clock: Callable[[], datetime]) -> tuple[Delivery, Scribe]:
        scribe = Scribe(self.base.store)
        delivery = delivery_on(
            self.base.store,
            self._gateway,
            flow=flow_on(self.base.store, providers=["vendor"], monotonic=self.clock.monotonic),
            policy=self._policy,
            limits=LIMITS,
            templates=self.base.templates,
            shares=dict.fromkeys(self.terms.lanes, 1.0),
            concurrency=1000,
            clock=clock,
            monotonic=self.clock.monotonic,
            sleep=self.clock.passes,
            senders=calls,
            recorder=scribe,
        )
        return delivery, scribe
