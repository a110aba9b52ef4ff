"""A drill's environment: a real broker, a real database, the vendors' stand-in, four workers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from sqlalchemy import func, select

from notify.errors import ConfigError, StoreError
from notify.message import Channel
from notify.publisher import connect
from notify.sandbox import Behaviour, Sandbox
from notify.settings import LaneSettings
from notify.stack.rabbitmq import RabbitMQNode
from notify.store import Store
from notify.store.tables import dead_letters, events, notifications
from notify.topology import DEAD, EVENTS, Topology, apply, queue_name
from tests.faults.cluster import PATIENCE, DrillNode, cluster
from tests.faults.fleet import Fleet
from tests.faults.ledgers import Recorded, read_record
from tests.faults.load import CHANNELS, LANE, Load
from tests.faults.terms import Terms
from tests.support.services import PostgreSQL
from tests.support.smtp_relay import SmtpRelay

LATENCY = 0.2
"""Seconds until the vendors answer: at 100 messages a second, 20 calls are in flight."""

SUBSCRIBER = "drill.events"
"""The queue of a subscriber to all events."""

# Asks each queue itself: `list_queues` shows a quorum queue's counts seconds late.
_COUNT = """
lists:sum([begin
    {{ok, Queue}} = rabbit_amqqueue:lookup(rabbit_misc:r(<<"/">>, queue, Name)),
    {{ok, {{_, Count}}, _}} =
        ra:leader_query(amqqueue:get_pid(Queue), fun rabbit_fifo:query_messages_total/1),
    Count
end || Name <- [{names}]]).
"""


class Broker(Protocol):
    """One RabbitMQ node, or a cluster of them."""

    @property
    def url(self) -> str:
        """The address for producers and workers."""

    def ctl(self, *arguments: str) -> str:
        """Run `rabbitmqctl` and return what it printed."""

    def kill(self) -> None:
        """End the node as a power cut would; of a cluster, the one that leads the queues."""

    def restart(self) -> None:
        """Start what was killed, or stop and start the node."""


@dataclass(frozen=True, slots=True)
class Services:
    """The services that drills share, in turn."""

    broker: RabbitMQNode
    postgresql: PostgreSQL


@contextmanager
def services(folder: Path) -> Iterator[Services]:
    """Start a private broker and PostgreSQL cluster."""
    with ExitStack() as cleanup:
        broker = DrillNode.start(folder / "rabbitmq", timeout=PATIENCE)
        cleanup.callback(broker.stop)
        postgresql = PostgreSQL()
        cleanup.callback(postgresql.stop)
        postgresql.start()
        yield Services(broker, postgresql)


@dataclass(slots=True)
class Stage:
    """One drill's environment while it runs."""

    services: Services
    broker: Broker
    """The shared node, or this drill's own cluster."""
    folder: Path
    store: Store
    sandbox: Sandbox
    fleet: Fleet
    load: Load
    relay: SmtpRelay | None = None
    """The second provider of email, if the terms have one."""
    healed_at: datetime | None = None

    def healed(self) -> None:
        """Record that the fault is over: from now on the service must work again."""
        self.healed_at = datetime.now(UTC)

    def vendors(self, behaviour: Behaviour | None, *, seconds: float) -> None:
        """Set one behaviour for every vendor for a while."""
        self.sandbox.switch.set(behaviour=behaviour)
        time.sleep(seconds)
        self.sandbox.switch.set(behaviour=None)

    def refuse(self, *, seconds: float) -> None:
        """Close the vendors' address for a while."""
        port = int(self.sandbox.url.rpartition(":")[2])
        self.sandbox.stop()
        time.sleep(seconds)
        self.sandbox = open_sandbox(self.folder, port=port)

    def settled(self, *, expected: int) -> bool:
        """
        Return whether all notifications have ended and no message waits.

        A worker that stops requeues the copies that it has set aside, so those count too. A broker
        that does not answer is asked again.
        """
        try:
            return ended(self.store, expected=expected) and self.waiting() == 0
        except ConfigError:
            return False

    def archived(self) -> int:
        """Count the dead letters in the archive."""
        with self.store.reading() as connection:
            return connection.scalar(select(func.count()).select_from(dead_letters)) or 0

    def seen(self) -> int:
        """Count the messages that reached the vendors, accepted or not."""
        return (self.folder / "sandbox.jsonl").read_bytes().count(b"\n")

    def waiting(self) -> int:
        """Count the messages in the work queues, including unacknowledged ones."""
        return in_queues(self.broker.ctl, [queue_name(each, LANE) for each in CHANNELS])

    def recorded(self) -> Recorded:
        """Read the record, the archive and the messages left on the broker."""
        return read_record(
            self.store,
            dead=self.removed(DEAD),
            waiting=self.waiting(),
            announced=self.removed(SUBSCRIBER),
        )

    def announced(self) -> bool:
        """Return whether no event waits to be published."""
        with self.store.reading() as connection:
            left = select(func.count()).where(events.c.to_publish.is_(True))
            return connection.scalar(left) == 0

    def removed(self, queue: str) -> list[bytes]:
        """Remove and return all messages of a queue."""
        bodies = []
        with connect(self.broker.url) as connection:
            channel = connection.channel()
            while (message := channel.basic_get(queue, no_ack=True)) is not None:
                body = message.body or b""
                bodies.append(body.encode() if isinstance(body, str) else bytes(body))
        return bodies


def ended(store: Store, *, expected: int) -> bool:
    """Return whether this many notifications are on record and all have ended."""
    columns = notifications.c
    open_ = columns.status.in_(["scheduled", "queued", "sending"]) | columns.due_at.is_not(None)
    try:
        with store.reading() as connection:
            count = connection.scalar(select(func.count()).select_from(notifications))
            left = connection.scalar(select(func.count()).where(open_))
    except StoreError:
        return False
    return (count or 0) >= expected and left == 0


def in_queues(rabbitmqctl: Callable[..., str], names: Sequence[str]) -> int:
    """Count the messages in queues, including unacknowledged ones."""
    quoted = ", ".join(f'<<"{name}">>' for name in names)
    return int(rabbitmqctl("eval", _COUNT.format(names=quoted)))


def until(true: Callable[[], bool], *, timeout: float, pause: float = 0.25) -> bool:
    """Wait for a condition; return whether it became true in time."""
    end = time.monotonic() + timeout
    while not (met := true()) and time.monotonic() < end:
        time.sleep(pause)
    return met


def open_sandbox(folder: Path, *, port: int = 0) -> Sandbox:
    """Start the vendors' stand-in, with a ledger that outlives it."""
    return Sandbox.start(port=port, latency=LATENCY, ledger=folder / "sandbox.jsonl")


@contextmanager
def staged(shared: Services, folder: Path, terms: Terms) -> Iterator[Stage]:
    """Set up an environment without workers; stop everything afterwards."""
    folder.mkdir(parents=True)
    with ExitStack() as cleanup:
        broker: Broker = shared.broker
        if terms.clustered:
            broker = cleanup.enter_context(cluster(folder / "cluster"))
        url = f"sqlite:///{folder}/notify.db"
        if not terms.on_sqlite:
            url = cleanup.enter_context(shared.postgresql.database())
        store = Store.open(url)
        cleanup.callback(store.close)
        store.migrate()
        cleanup.enter_context(queues(broker.url))
        sandbox = open_sandbox(folder)
        relay = cleanup.enter_context(SmtpRelay()) if terms.relayed else None
        config = folder / "notify.toml"
        config.write_text(
            terms.config(
                broker_url=broker.url,
                store_url=url,
                sandbox_url=sandbox.url,
                relay_port=relay.port if relay else None,
            )
        )
        fleet = Fleet(folder, config, lease=terms.lease)
        load = Load(broker.url, folder, rate=terms.rate, minimum=terms.minimum)
        stage = Stage(shared, broker, folder, store, sandbox, fleet, load, relay)
        cleanup.callback(lambda: stage.sandbox.stop())
        cleanup.callback(fleet.end)
        cleanup.callback(load.abandon)
        yield stage


@contextmanager
def queues(url: str, channels: Sequence[Channel] = tuple(Channel)) -> Iterator[None]:
    """Declare all queues on the broker, and delete them afterwards."""
    lanes = {lane: LaneSettings() for lane in ("critical", LANE, "bulk")}
    topology = Topology.of(channels, lanes)
    with connect(url) as connection, connection.channel() as channel:
        apply(topology, connection)
        quorum = {"x-queue-type": "quorum"}
        channel.queue_declare(SUBSCRIBER, durable=True, auto_delete=False, arguments=quorum)
        channel.queue_bind(SUBSCRIBER, EVENTS, "#")
    yield
    with connect(url) as connection, connection.channel() as channel:
        channel.queue_delete(SUBSCRIBER)
        for queue in topology.queues:
            channel.queue_delete(queue.name)
