"""From a producer's database to one sent message, with crashes at the worst moments."""

from __future__ import annotations

import signal
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import amqp
import psycopg
import pytest
from sqlalchemy import Engine, MetaData, create_engine, func, insert, select, update

from notify.errors import PublishError
from notify.message import Channel, Status
from notify.outbox import Outbox, OutboxRelay, outbox_table
from notify.outbox.relay import BATCH_SIZE, HOLD
from notify.publisher import Publisher
from notify.topology import DEAD, queue_name
from tests.support.commands import Done
from tests.support.forked import Forked, run_script
from tests.support.patience import PATIENCE
from tests.support.pooler import pgbouncer
from tests.support.rig import Rig, until
from tests.support.services import Users

KEY = "email.normal.shop"
QUEUE = queue_name(Channel.EMAIL, "normal")
REQUEST = {"to": "ann@example.com", "subject": "Your order", "text": "Thank you."}
TABLE = outbox_table(MetaData())
NOBODY_LISTENS = "pyamqp://guest:guest@127.0.0.1:1//"


@pytest.fixture
def shop(tmp_path: Path, store_url: str) -> Iterator[Engine]:
    """A producer's database, of each kind, with an outbox."""
    on_sqlite = store_url.startswith("sqlite")
    # On SQLite one relay waits for another's transaction, however slow that is.
    engine = (
        create_engine(f"sqlite:///{tmp_path}/shop.db", connect_args={"timeout": PATIENCE})
        if on_sqlite
        else create_engine(store_url)
    )
    TABLE.metadata.create_all(engine)
    yield engine
    engine.dispose()


def _put(shop: Engine, count: int = 1, *, key: str = KEY) -> list[str]:
    with shop.begin() as connection:
        return [str(Outbox(TABLE).put(connection, key, REQUEST)) for _ in range(count)]


def _left(shop: Engine) -> int:
    with shop.begin() as connection:
        return connection.execute(select(func.count()).select_from(TABLE)).scalar_one()


def _ids(channel: amqp.Channel) -> list[str]:
    ids = []
    while (message := channel.basic_get(QUEUE, no_ack=True)) is not None:
        ids.append(message.properties["message_id"])
    return ids


def _relay(shop: Engine, url: str, *, after: timedelta = timedelta(0)) -> int:
    """Publish every row, by a clock that is so much later."""
    count = 0
    with Publisher(url, timeout=PATIENCE) as publisher:
        relay = OutboxRelay(shop, TABLE, publisher, clock=lambda: datetime.now(UTC) + after)
        while taken := relay.relay():
            count += taken
    return count


COMMIT_AND_CRASH = """
    import os, sys
    from sqlalchemy import MetaData, create_engine
    from notify.outbox import Outbox, outbox_table

    request = {"to": "ann@example.com", "subject": "Your order", "text": "Thank you."}
    with create_engine(sys.argv[1]).begin() as connection:
        Outbox(outbox_table(MetaData())).put(connection, "email.normal.shop", request)
    os._exit(3)
"""
PUBLISH_AND_DIE = """
    import os, signal, sys
    from sqlalchemy import MetaData, create_engine
    from notify.outbox import OutboxRelay, outbox_table
    from notify.publisher import Publisher

    class Killed(Publisher):
        def publish_many(self, messages):
            confirmed = list(super().publish_many(messages))
            os.kill(os.getpid(), signal.SIGKILL)
            return iter(confirmed)

    OutboxRelay(create_engine(sys.argv[1]), outbox_table(MetaData()), Killed(sys.argv[2])).relay()
"""


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_a_producer_that_crashes_after_its_commit_has_made_its_request(
    rig: Rig, shop: Engine
) -> None:
    """The committed row is published, though the producer died before any publish."""
    assert run_script(COMMIT_AND_CRASH, shop.url.render_as_string(hide_password=False)) == 3
    assert _left(shop) == 1
    assert _relay(shop, rig.broker_url) == 1
    with rig.worker():
        until(lambda: len(rig.sandbox.messages()) == 1)
    assert _left(shop) == 0


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_relay_killed_after_the_confirm_publishes_twice_and_it_is_sent_once(
    rig: Rig, shop: Engine
) -> None:
    """Killed between publish and delete: the claim recognises the second copy by its id."""
    ids = _put(shop, 3)
    url = shop.url.render_as_string(hide_password=False)
    assert run_script(PUBLISH_AND_DIE, url, rig.broker_url) == -signal.SIGKILL
    assert _left(shop) == 3
    assert _relay(shop, rig.broker_url) == 0
    assert _relay(shop, rig.broker_url, after=HOLD) == 3
    assert _left(shop) == 0
    assert rig.waiting(QUEUE) == 6
    with rig.worker():
        until(lambda: rig.waiting(QUEUE) == 0)
        until(lambda: rig.log().count('"notify.duplicate"') == 3)
    assert len(rig.sandbox.messages()) == 3
    stories = [rig.store.get(id_) for id_ in map(UUID, ids)]
    assert {story.status for story in stories if story} == {Status.SENT}


def test_requests_are_published_in_the_order_of_writing(
    shop: Engine, broker_url: str, channel: amqp.Channel
) -> None:
    """A queue keeps the order, so a producer may rely on it as long as one relay runs."""
    ids = _put(shop, 600)
    assert _relay(shop, broker_url) == 600
    assert _ids(channel) == ids


def test_several_relays_share_the_work(
    shop: Engine, broker_url: str, channel: amqp.Channel
) -> None:
    """Each request is published once while no relay dies."""
    ids = _put(shop, 600)
    threads = [threading.Thread(target=_relay, args=(shop, broker_url)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(_ids(channel)) == Counter(ids)
    assert _left(shop) == 0


def test_requests_wait_while_the_broker_is_away(
    shop: Engine, broker_url: str, channel: amqp.Channel
) -> None:
    """None is lost, and none waits once it is back."""
    ids = _put(shop, 5)
    with Publisher(NOBODY_LISTENS, timeout=0.2) as away, pytest.raises(PublishError):
        OutboxRelay(shop, TABLE, away).relay()
    assert _left(shop) == 5
    assert _relay(shop, broker_url) == 5
    assert _ids(channel) == ids


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_request_that_the_broker_refuses_delays_no_other(
    shop: Engine, broker_url: str, users: Users, channel: amqp.Channel
) -> None:
    """With another service's name in its key, it closes the channel for its batch too."""
    _, url = users.add(broker_url, write="^notify$", keys=r"\.shop$")
    _put(shop, key="email.normal.bank")
    ids = _put(shop, 20)
    with Publisher(url, timeout=PATIENCE) as publisher:
        relay = OutboxRelay(shop, TABLE, publisher)
        for _ in range(2):
            with pytest.raises(PublishError, match="refused"):
                relay.relay()
        assert relay.relay() == 1
        assert relay.relay() == 19
        assert relay.relay() == 0
    assert _left(shop) == 1
    assert Counter(_ids(channel)) >= Counter(ids)


def test_a_request_that_fails_alone_stays_leased(shop: Engine) -> None:
    """Otherwise its relay would retry it at once and for ever; no other relay leases it."""
    _put(shop)
    times = [datetime.now(UTC)]
    with Publisher(NOBODY_LISTENS, timeout=0.2) as away:
        first, other = (OutboxRelay(shop, TABLE, away, clock=lambda: times[-1]) for _ in range(2))
        for _ in range(2):
            with pytest.raises(PublishError):
                first.relay()
        times.append(times[-1] + HOLD - timedelta(seconds=1))
        assert first.relay() == other.relay() == 0
        times.append(times[-1] + timedelta(seconds=1))
        with pytest.raises(PublishError):
            other.relay()
    assert _left(shop) == 1


def test_rows_leased_by_a_relay_are_not_leased_by_another(
    shop: Engine, broker_url: str, channel: amqp.Channel
) -> None:
    """Neither while it publishes them, nor if that is slow; all of them once the lease ends."""
    ids = _put(shop, 3)
    with shop.begin() as connection:
        held = update(TABLE).where(TABLE.c.message_id == ids[0])
        connection.execute(held.values(held_until=datetime.now(UTC) + HOLD))
    assert _relay(shop, broker_url) == 2
    assert _ids(channel) == ids[1:]
    assert _relay(shop, broker_url, after=HOLD) == 1
    assert _ids(channel) == ids[:1]


def test_a_row_that_another_relay_is_leasing_is_skipped(
    postgres_url: str, broker_url: str, channel: amqp.Channel
) -> None:
    """On PostgreSQL its lock is skipped; SQLite lets one transaction write at a time."""
    shop = create_engine(postgres_url, connect_args={"options": "-c lock_timeout=5s"})
    TABLE.metadata.create_all(shop)
    ids = _put(shop, 3)
    with shop.begin() as connection:
        connection.execute(select(TABLE).where(TABLE.c.message_id == ids[1]).with_for_update())
        assert _relay(shop, broker_url) == 2
    assert _ids(channel) == [ids[0], ids[2]]
    shop.dispose()


def test_a_relay_outlives_a_database_that_is_away(
    shop: Engine, broker_url: str, channel: amqp.Channel
) -> None:
    """It waits, and continues when the table exists."""
    TABLE.drop(shop)
    stop = threading.Event()
    with Publisher(broker_url) as publisher:
        thread = threading.Thread(target=OutboxRelay(shop, TABLE, publisher).run, args=(stop,))
        thread.start()
        time.sleep(0.2)
        TABLE.create(shop)
        ids = _put(shop)
        until(lambda: _left(shop) == 0)
        stop.set()
        thread.join(PATIENCE)
    assert not thread.is_alive()
    assert _ids(channel) == ids


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_the_command_line_relays_until_it_is_stopped(rig: Rig, shop: Engine) -> None:
    """For producers in any language: it publishes every row of this shape."""
    id_ = "6c8f3f0e-5b0a-4a53-9d0a-2f2f7c1c7e11"
    body = '{"to": "ann@example.com", "subject": "Hello", "text": "Hi."}'
    process = _started(rig, shop)
    try:
        with shop.begin() as connection:
            row = {"routing_key": KEY, "message_id": id_, "body": body}
            connection.execute(insert(TABLE).values(row))
        until(lambda: _left(shop) == 0)
    finally:
        process.terminate()
    assert process.wait(PATIENCE) == 0
    with rig.worker():
        until(lambda: rig.status(UUID(id_)) is Status.SENT)


def test_the_command_line_relays_every_row_and_reports_the_number(rig: Rig, shop: Engine) -> None:
    """For a timer, or a check; a missing table is reported in one line."""
    _put(shop, 3)
    assert _started(rig, shop, "--once").done() == Done(0, "3 published\n", "")
    refused = _started(rig, shop, "--once", "--table", "no_such").done()
    assert refused.code == 1
    assert "check --database and --table" in refused.err
    assert rig.waiting(QUEUE, DEAD) == 3


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DateStyle", "German"),
        ("default_transaction_isolation", "serializable"),
        ("client_encoding", "LATIN1"),
    ],
)
def test_the_settings_of_a_producers_database_do_not_matter(
    rig: Rig, postgres_url: str, name: str, value: str
) -> None:
    """It belongs to another application."""
    database = postgres_url.rpartition("/")[2]
    with closing(psycopg.connect(postgres_url.replace("+psycopg", ""), autocommit=True)) as admin:
        admin.execute(f"ALTER DATABASE {database} SET {name} = '{value}'".encode())
    shop = create_engine(postgres_url)
    TABLE.metadata.create_all(shop)
    _put(shop, 3)
    assert _started(rig, shop, "--once").done() == Done(0, "3 published\n", "")
    shop.dispose()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_it_works_behind_pgbouncer(rig: Rig, postgres_url: str) -> None:
    """One relay after the other gets the server on which the one before prepared a statement."""
    # A driver prepares a statement that it has executed five times.
    rows = 7 * BATCH_SIZE
    with pgbouncer(postgres_url, more="default_pool_size = 1") as url:
        shop = create_engine(url, connect_args={"prepare_threshold": None})
        TABLE.metadata.create_all(shop)
        for _ in range(2):
            _put(shop, rows)
            done = _started(rig, shop, "--once").done()
            assert done == Done(0, f"{rows} published\n", "")
        shop.dispose()


def _started(rig: Rig, shop: Engine, *arguments: str) -> Forked:
    url = shop.url.render_as_string(hide_password=False)
    return rig.command(
        "outbox", "relay", *arguments, OUTBOX_DATABASE_URL=url, NOTIFY_AMQP__CONFIRM_TIMEOUT="90"
    )
