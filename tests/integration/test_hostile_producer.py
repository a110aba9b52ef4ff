"""A producer that means harm, with a producer's rights or a stolen administrator's: each attack.

One real worker runs through all of them under the rights that `notify topology export` gives it,
and after each attack it still delivers another source's login code.
"""

from __future__ import annotations

import gzip
import json
import pickle
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID, uuid4

import amqp
import pytest
from celery import Celery
from sqlalchemy import ColumnElement, func, select

from notify.contract import Incoming, Limits, decode
from notify.message import Channel, Status
from notify.publisher import connect
from notify.settings import LaneSettings
from notify.stack.rabbitmq import RabbitMQNode
from notify.store.deadletters.archive import Cause
from notify.store.deadletters.search import DeadLetter, LetterFilter, find_letters
from notify.store.tables import notifications
from notify.topology import DEAD, EVENTS, EXCHANGE, WORK, Topology
from tests.support.forked import Forked
from tests.support.least import Login, logins
from tests.support.malformed import JSON
from tests.support.rig import Rig, surroundings, until
from tests.support.services import Users, Vhosts

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ROOM = 100
"""Messages that the bulk lane's queue holds."""
CONFIG = """
[contract]
require_user_id = true
max_body_bytes = 65_536
[limits.one-source]
rate = 20
burst = 20
per = "source"
"""
REFUSED = (amqp.AccessRefused, amqp.NotFound)


@dataclass(frozen=True)
class Stage:
    """A worker with the least rights, who may publish to it, and who may do anything."""

    rig: Rig
    workers: tuple[Forked, Forked]
    shop: Login
    bank: Login
    admin: Login

    def letters(self) -> list[DeadLetter]:
        """Read the archive of dead letters."""
        with self.rig.store.reading() as connection:
            return find_letters(connection, LetterFilter(), limit=10_000)

    def spare(self) -> None:
        """Make the spare queue of docs/security.md."""
        with self.admin.channel() as channel:
            name = f"notify.spare.{uuid4().hex}"
            arguments = {"x-max-length": 0}
            channel.queue_declare(name, durable=True, auto_delete=False, arguments=arguments)
            channel.queue_bind(name, DEAD, "#")

    @contextmanager
    def dies(self, number: int = 1, *, why: str, cause: Cause = Cause.CONTRACT) -> Iterator[None]:
        """Wait until as many dead letters more are archived, all for this reason."""
        known = {letter.id for letter in self.letters()}
        yield
        until(lambda: len(self.letters()) >= len(known) + number)
        new = [letter for letter in self.letters() if letter.id not in known]
        assert {letter.cause for letter in new} == {cause}
        assert [letter.reason for letter in new if why not in (letter.reason or "")] == []
        assert len(new) == number


@pytest.fixture(scope="module")
def stage(
    rabbitmq: RabbitMQNode, vhosts: Vhosts, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stage]:
    """The exported definitions imported, and a worker under its exported rights."""
    folder = tmp_path_factory.mktemp("hostile")
    url = vhosts.fresh_url()
    lanes = {name: LaneSettings() for name in ("critical", "normal")}
    topology = Topology.of(list(Channel), {**lanes, "bulk": LaneSettings(max_length=ROOM)})
    users = Users(rabbitmq)
    users_of = logins(users, url, topology)
    worker_url = users_of["notify-worker"].url
    store_url = f"sqlite:///{folder}/notify.db"
    try:
        with surroundings(folder, broker_url=worker_url, store_url=store_url) as rig:
            with rig.config.open("a") as file:
                file.write(CONFIG)
            with rig.worker() as worker, rig.worker("dead", pool="dead") as archive:
                workers = (worker, archive)
                yield Stage(rig, workers, users_of["shop"], users_of["bank"], Login(url))
    finally:
        users.remove()


@pytest.fixture(autouse=True)
def _unharmed(stage: Stage) -> Iterator[None]:
    """After each attack the workers run, and another source's login code is delivered."""
    yield
    code = stage.bank.request("email.critical.bank")
    until(lambda: stage.rig.status(code) is Status.SENT)
    assert [worker.poll() for worker in stage.workers] == [None, None]
    assert stage.rig.waiting(DEAD) == 0


# --- what a producer may not do at all


def request(id_: UUID, **fields: object) -> bytes:
    """Write a request that keeps the contract."""
    fields = {"id": str(id_), "to": "a@example.com", "subject": "S", "text": "T", **fields}
    return json.dumps(fields).encode()


ELSEWHERE = {
    "another source's key": (EXCHANGE, "email.normal.bank"),
    "a channel it was not given": (EXCHANGE, "sms.normal.shop"),
    "a key that is none": (EXCHANGE, "email.normal.shop.bank"),
    "the exchange behind the first": (WORK, "email.normal.shop"),
    "the dead letters": (DEAD, "email.normal.shop"),
    "the events": (EVENTS, "email.sent.shop"),
    "a queue by its name": ("", "notify.email.critical"),
    "a broadcast to workers": ("celery.pidbox", ""),
    "the broker's own exchange": ("amq.topic", "email.normal.shop"),
}


@pytest.mark.parametrize("where", ELSEWHERE)
def test_it_cannot_write_elsewhere(stage: Stage, where: str) -> None:
    """The broker closes the channel, and nothing has arrived anywhere."""
    exchange, key = ELSEWHERE[where]
    with pytest.raises(REFUSED):
        stage.shop.publish(key, b"{}", exchange=exchange)


DEEDS: dict[str, Callable[[amqp.Channel], object]] = {
    "read others' messages by consuming": lambda channel: channel.basic_consume(
        "notify.email.critical"
    ),
    "read one": lambda channel: channel.basic_get("notify.email.critical"),
    "read the dead letters": lambda channel: channel.basic_get(DEAD),
    "tap by a queue of its own": lambda channel: channel.queue_declare("tap"),
    "tap by a queue the broker names": lambda channel: channel.queue_declare("", exclusive=True),
    "tap by a queue that is there": lambda channel: channel.queue_bind(
        "notify.email.bulk", EXCHANGE, "#"
    ),
    "tap by an exchange": lambda channel: channel.exchange_bind(EVENTS, EXCHANGE, "#"),
    "cut a queue off": lambda channel: channel.queue_unbind(
        "notify.email.critical", WORK, "email.critical.#"
    ),
    "purge a queue": lambda channel: channel.queue_purge("notify.email.critical"),
    "delete a queue": lambda channel: channel.queue_delete("notify.email.critical"),
    "delete an exchange": lambda channel: channel.exchange_delete(WORK),
    "declare an exchange": lambda channel: channel.exchange_declare("mine", "topic"),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_it_cannot(stage: Stage, deed: str) -> None:
    """Whatever is not publishing with its own keys is refused."""
    with stage.shop.channel() as channel, pytest.raises(amqp.AccessRefused):
        DEEDS[deed](channel)


@pytest.mark.parametrize("name", ["bank", "notify-worker", "nobody"])
def test_it_cannot_forge_a_user_id(stage: Stage, name: str) -> None:
    """The broker compares it with the login; the service's own name is not an exception."""
    with pytest.raises(amqp.PreconditionFailed, match="user_id"):
        stage.shop.publish("email.normal.shop", b"{}", user_id=name)


def test_it_cannot_hide_who_it_is(stage: Stage) -> None:
    """Without a user_id the source is unverified, so the message is a dead letter."""
    with stage.dies(why="the routing key's source is not the AMQP user_id"):
        stage.shop.post("email.normal.shop", amqp.Message(request(uuid4()), **JSON))


@pytest.mark.parametrize("header", ["CC", "BCC"])
def test_it_cannot_speak_for_another_source_by_copies(stage: Stage, header: str) -> None:
    """
    RabbitMQ 4 holds a copy's key against the topic rights; before, the copies arrive.

    Their key is still the one that was allowed: they are the producer's own message once more.
    """
    copies = {header: ["email.critical.bank", "sms.critical.bank"]}
    id_ = uuid4()
    if broker_version(stage) >= (4, 0):
        with pytest.raises(amqp.AccessRefused):
            stage.shop.publish("email.normal.shop", request(id_), {**JSON, "headers": copies})
        assert stage.rig.status(id_) is None
        return
    stage.shop.publish("email.normal.shop", request(id_), {**JSON, "headers": copies})
    until(lambda: stage.rig.status(id_) is Status.SENT)
    story = stage.rig.store.get(id_)
    assert story is not None
    assert story.summary.source == "shop"
    assert len([each for each in stage.rig.sandbox.messages() if each.notify_id == str(id_)]) == 1
    with stage.admin.channel() as channel:
        copy = channel.basic_get("notify.sms.critical", no_ack=True)
    assert copy.delivery_info["routing_key"] == "email.normal.shop"
    assert copy.properties["user_id"] == "shop"


def broker_version(stage: Stage) -> tuple[int, ...]:
    """RabbitMQ's major and minor version."""
    with connect(stage.admin.url) as connection:
        return tuple(int(part) for part in connection.server_properties["version"].split(".")[:2])


# --- what it may publish, and what comes of it


def test_it_cannot_block_another_sources_messages(stage: Stage) -> None:
    """Neither by using their ids first, nor by computing the id that a message id stands for."""
    id_, order = uuid4(), f"order-{uuid4().hex}"
    nameless = request(id_, id=None)
    incoming = Incoming(
        nameless, "email.critical.bank", content_type="application/json", message_id=order
    )
    (read,) = decode(incoming, Limits(max_recipients=1))
    for occupied in (id_, read.id):
        stage.shop.publish("email.normal.shop", request(occupied))
        until(partial(_sent, stage, occupied, "shop"))
    stage.bank.publish("email.critical.bank", request(id_))
    stage.bank.publish("email.critical.bank", nameless, {**JSON, "message_id": order})
    until(lambda: _sent(stage, id_, "bank") and _sent(stage, read.id, "bank"))


def _sent(stage: Stage, id_: UUID, source: str) -> bool:
    return [story.status for story in stage.rig.store.known_as(id_, source=source)] == [Status.SENT]


def test_it_starves_nobody_by_priorities(stage: Stage) -> None:
    """RabbitMQ 4 lets a priority over 4 go first, two messages for each other one."""
    queue, others, urgent = "notify.sms.critical", 12, 40
    with stage.admin.channel() as channel:
        for number in range(others + urgent):
            priority = {} if number < others else {"priority": 255}
            message = amqp.Message(str(number), **JSON, **priority)
            channel.basic_publish_confirm(message, EXCHANGE, "sms.critical.shop")
    until(lambda: stage.rig.waiting(queue) == others + urgent)
    with stage.admin.channel() as channel:
        taken = [channel.basic_get(queue, no_ack=True).body for _ in range(others + urgent)]
    order = [number for number, body in enumerate(taken) if int(body) < others]
    assert [place <= 3 * turn + 2 for turn, place in enumerate(order)] == [True] * others


def test_it_cannot_stop_a_worker_by_a_broadcast(stage: Stage) -> None:
    """Not even with an administrator's rights: remote control is off, so no worker consumes it."""
    with Celery(broker=stage.admin.url, set_as_current=False) as app:
        for command in ("shutdown", "pool_shrink", "cancel_consumer", "rate_limit"):
            app.control.broadcast(command, arguments={"n": 100, "queue": "notify.email.critical"})
        assert app.control.ping(timeout=0.5) == []


def test_it_cannot_call_a_task(stage: Stage) -> None:
    """Neither as a producer nor by a message put straight into a queue."""
    with Celery(broker=stage.shop.url, set_as_current=False) as app:
        app.conf.broker_connection_retry = False
        with pytest.raises(REFUSED):
            app.send_task("notify.deliver", [["x"]], retry=False)
    with Celery(set_as_current=False) as app:
        task = app.amqp.as_task_v2(str(uuid4()), "notify.deliver", (["x"],), {})
    properties = {**JSON, "content_encoding": "utf-8", "headers": task.headers}
    body = json.dumps(task.body).encode()
    with stage.dies(why="the body must be a JSON object"):
        stage.shop.publish("email.normal.shop", body, properties)
    with stage.dies(2, why=""):
        properties["user_id"] = "guest"
        stage.admin.publish("notify.email.critical", body, properties, exchange="")
        stage.admin.publish("email.normal.shop", body, properties, exchange=WORK)


def test_it_cannot_call_a_task_by_headers(stage: Stage) -> None:
    """A good request with a task's headers is a good request."""
    id_ = uuid4()
    headers = {"lang": "py", "task": "celery.backend_cleanup", "id": str(id_), "shadow": "x"}
    stage.shop.publish("email.normal.shop", request(id_), {**JSON, "headers": headers})
    until(lambda: stage.rig.status(id_) is Status.SENT)


class Crafted(amqp.Message):  # type: ignore[misc]
    """A message with properties that no client library would write."""

    def __init__(self, flags: int, properties: bytes, body: bytes = b"{}") -> None:
        """Set the property flags and the properties' bytes."""
        super().__init__(body)
        self._crafted = struct.pack(">H", flags) + properties

    def _serialize_properties(self) -> bytes:
        return self._crafted


TYPE, HEADERS = 0x8000, 0x2000


def short(text: bytes) -> bytes:
    """Write a short string."""
    return struct.pack("B", len(text)) + text


def table(name: bytes, kind: bytes, value: bytes) -> bytes:
    """Write a table of one entry."""
    entry = short(name) + kind + value
    return struct.pack(">I", len(entry)) + entry


def nested(depth: int) -> bytes:
    """Write a table in a table, and so on."""
    inner = table(b"a", b"I", b"\0\0\0\1")
    for _ in range(depth):
        inner = table(b"a", b"F", inner)
    return inner


def many(number: int) -> bytes:
    """Write a table of so many empty headers."""
    entries = b"".join(short(b"%04x" % each) + b"V" for each in range(number))
    return struct.pack(">I", len(entries)) + entries


NOT_JSON, NO_TYPE = "the content type is not application/json", "no content type"
UNREADABLE = {
    "a content type that is no UTF-8": (Crafted(TYPE, short(b"text/\xff\xfe")), NOT_JSON),
    "such a type and no body": (Crafted(TYPE, short(b"\xff"), b""), NOT_JSON),
    "headers deeper than the stack": (Crafted(HEADERS, nested(3000)), NOT_JSON),
    "headers as deep as can be read": (Crafted(HEADERS, nested(900)), NO_TYPE),
    "a time beyond the calendar": (Crafted(HEADERS, table(b"at", b"T", b"\xff" * 8)), NOT_JSON),
    "a header's name that is no UTF-8": (Crafted(HEADERS, table(b"\xff", b"t", b"\1")), NO_TYPE),
    "a header that is no UTF-8": (
        Crafted(HEADERS, table(b"a", b"S", b"\0\0\0\1\xff")),
        NO_TYPE,
    ),
    "20,000 headers": (Crafted(HEADERS, many(20_000)), NO_TYPE),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_it_cannot_stop_a_worker_by_properties(stage: Stage, what: str) -> None:
    """A message that py-amqp cannot read is a dead letter like any other, and is archived."""
    message, why = UNREADABLE[what]
    with stage.dies(why=why):
        stage.shop.post("email.normal.shop", message)


def test_a_key_that_is_no_utf_8_does_not_stop_a_worker(stage: Stage) -> None:
    """It takes an administrator's rights: a producer's topic rights match no such key."""
    with stage.dies(why="the routing key has a source that has other characters"):
        stage.admin.post(b"email.normal.\xff", amqp.Message(request(uuid4()), **JSON))


BODIES = {
    "a pickle": (pickle.dumps(print), "not UTF-8"),
    "a pickle in ASCII": (pickle.dumps(print, protocol=0), "not JSON"),
    "too much": (b" " * 65_537, "the body is larger than 65536 bytes"),
    "a deep nest": (b"[" * 60_000, "nested deeper than 32"),
    "a deep nest in the data": (
        request(uuid4()).replace(b'"T"', b'"T", "data": ' + b'{"a":' * 9_000 + b"1" + b"}" * 9_000),
        "nested deeper than 32",
    ),
    "an endless number": (request(uuid4(), metadata="@").replace(b'"@"', b"9" * 60_000), "64 bits"),
    "a thousand recipients, over and over": (
        request(uuid4(), to=["a@example.com"] * 2_000),
        "more than 1000 recipients",
    ),
    "recipients that unfold": (
        request(
            uuid4(),
            to=[f"a{n}@example.com" for n in range(1_000)],
            metadata={f"label{n}": "x" * 200 for n in range(20)},
        ),
        "own parts are larger than",
    ),
}


@pytest.mark.parametrize("what", BODIES)
def test_it_cannot_harm_a_worker_by_a_body(stage: Stage, what: str) -> None:
    """Refused by its first problem, and nothing of it is executed or unfolded."""
    body, why = BODIES[what]
    with stage.dies(why=why):
        stage.shop.publish("email.normal.shop", body)


def test_it_cannot_blow_up_a_worker_by_compression(stage: Stage) -> None:
    """Nothing is ever decompressed, whatever the headers and the encoding say."""
    bomb = gzip.compress(b"0" * 30_000_000)
    with stage.dies(2, why=""):
        stage.shop.publish(
            "email.normal.shop", bomb, {**JSON, "headers": {"compression": "application/x-gzip"}}
        )
        stage.shop.publish("email.normal.shop", bomb, {**JSON, "content_encoding": "gzip"})


def test_a_flood_keeps_no_other_source_waiting(stage: Stage) -> None:
    """A message beyond a source's limit waits on record; the next source's is sent at once."""
    flood = [uuid4() for _ in range(600)]
    message = partial(amqp.Message, user_id="shop", **JSON)
    stage.shop.post("email.critical.shop", *(message(request(id_)) for id_ in flood))
    # On a busy machine the confirms take so long that many of them are sent during it.
    posted = _sent_by_shop(stage)
    code = stage.bank.request("email.critical.bank")
    # At twenty a second, what is before it would take half a minute.
    until(lambda: stage.rig.status(code) is Status.SENT)
    # Counted by the record's times: on a busy machine this test sees the status much later.
    columns = notifications.c
    own = select(columns.updated_at).where(columns.id == code).scalar_subquery()
    assert _sent_by_shop(stage, columns.updated_at < own) - posted < len(flood) / 2


def _sent_by_shop(stage: Stage, *conditions: ColumnElement[bool]) -> int:
    columns = notifications.c
    own = (columns.source == "shop", columns.lane == "critical", columns.status == Status.SENT)
    with stage.rig.store.reading() as connection:
        return connection.scalar(select(func.count()).where(*own, *conditions)) or 0


def test_a_full_queue_refuses_and_stops_no_other_lane(stage: Stage) -> None:
    """The producer is told with each message; nothing that was confirmed is dropped."""
    held = ["hold", "--lane", "bulk", "--channel", "email"]
    assert stage.rig.notify(*held, "--reason", "a test").code == 0
    try:
        until(lambda: _pauses(stage, "notify.email.bulk"))
        message = partial(amqp.Message, user_id="shop", **JSON)
        with pytest.raises(amqp.exceptions.MessageNacked):
            stage.shop.post("email.bulk.shop", *(message(request(uuid4())) for _ in range(500)))
        assert stage.rig.waiting("notify.email.bulk") <= ROOM + 10
        code = stage.bank.request("email.critical.bank")
        until(lambda: stage.rig.status(code) is Status.SENT)
    finally:
        with stage.admin.channel() as channel:
            channel.queue_purge("notify.email.bulk")
        assert stage.rig.notify("release", "--all", "--reason", "a test").code == 0


def test_it_cannot_hold_up_dead_letters_by_a_forged_death(stage: Stage) -> None:
    """
    RabbitMQ before 4 believes a death that a producer has written, sees a cycle and keeps at it.

    Forty such messages hold up the dead letters of a whole queue. With a spare queue behind the
    dead-letter exchange, whose name no producer knows, there is always a way out.
    """
    stage.spare()
    forged = [{"queue": DEAD, "reason": "expired", "count": 1, "exchange": "x", "time": NOW}]
    headers = {"application_headers": {"x-death": forged}, "expiration": "0"}
    poison = [amqp.Message(b"%d" % n, user_id="shop", **JSON, **headers) for n in range(40)]
    held = ["hold", "--lane", "normal", "--channel", "email", "--reason", "a test"]
    assert stage.rig.notify(*held).code == 0
    try:
        until(lambda: _pauses(stage, "notify.email.normal"))
        stage.shop.post("email.normal.shop", *poison)
    finally:
        assert stage.rig.notify("release", "--all", "--reason", "a test").code == 0
    known = {letter.id for letter in stage.letters()}
    stage.bank.publish("email.normal.bank", b"[]")
    # RabbitMQ 4 does not believe the deaths, and forty letters of the shop may arrive as well.
    until(lambda: bool(_of_bank(stage, known)))
    assert [letter.cause for letter in _of_bank(stage, known)] == [Cause.CONTRACT]


def _of_bank(stage: Stage, known: set[int]) -> list[DeadLetter]:
    letters = [letter for letter in stage.letters() if letter.id not in known]
    return [letter for letter in letters if letter.routing_key == "email.normal.bank"]


def _pauses(stage: Stage, queue: str) -> bool:
    lines = [line for line in stage.rig.log().splitlines() if "notify.consuming" in line]
    last = [line for line in map(json.loads, lines) if line["queue"] == queue][-1:]
    return bool(last) and last[0]["prefetch"] == 0
