"""The connections that a worker holds under load, as docs/operations.md states them."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psutil
import psycopg
import pytest

from notify.message import Status
from notify.service.connections import database_connections
from notify.settings import load
from notify.stack.rabbitmq import RabbitMQNode, free_ports
from notify.store.deadletters import LetterFilter
from notify.store.deadletters.search import count_letters
from notify.store.queries import Filter
from tests.support.forked import Forked
from tests.support.listening import listening
from tests.support.patience import PATIENCE
from tests.support.rig import Rig

PAGE = Path(__file__).parents[2] / "docs" / "operations.md"
NAME = "the-worker"


def _stated(worker: str) -> tuple[str, int]:
    """Return what the page states of a worker: the database connections, and the AMQP ones."""
    row = re.search(rf"^\| {worker} \| (.+?) \| (\d+) \|", PAGE.read_text(), re.M)
    assert row is not None
    return row[1], int(row[2])


def _to_broker(worker: psutil.Process, rabbitmq: RabbitMQNode) -> int:
    # A listening socket has no other side.
    ports = [getattr(each.raddr, "port", 0) for each in worker.net_connections("tcp")]
    return ports.count(rabbitmq.port)


def _to_database(url: str) -> int:
    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        count = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s"
        row = connection.execute(count, [NAME]).fetchone()
    assert row is not None
    return int(row[0])


def _most(
    worker: Forked,
    rabbitmq: RabbitMQNode,
    store_url: str,
    *,
    until: Callable[[], bool],
    awaited: int,
) -> tuple[int, int]:
    """
    Count a worker's connections until a condition holds, and some seconds more.

    *awaited* is the number of connections to the broker that there must be first.
    """
    process = psutil.Process(worker.pid)
    to_database = to_broker = 0
    end = time.monotonic() + PATIENCE
    while (now := time.monotonic()) < end:
        to_broker = max(to_broker, _to_broker(process, rabbitmq))
        to_database = max(to_database, _to_database(store_url))
        if to_broker >= awaited and until():
            # A thread with a connection that the page does not state opens it in this time.
            end = min(end, now + 4)
        time.sleep(0.1)
    assert until()
    return to_database, to_broker


# SQLite has no connections to count; those to the broker are the same.
pytestmark = pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)


@pytest.fixture
def observed(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> Iterator[Rig]:
    """A worker with metrics and systemd, whose database sessions have a name."""
    email, dead = free_ports(2)
    ports = f"ports = {{ email = {email}, dead = {dead} }}"
    rig.config.write_text(rig.config.read_text().replace("enabled = false", ports))
    # Sessions that the test itself opens first keep their name.
    rig.store.count(Filter())
    with listening(rig.folder / "notify.socket") as ear:
        monkeypatch.setenv("NOTIFY_SOCKET", ear.address)
        monkeypatch.setenv("PGAPPNAME", NAME)
        yield rig


def test_a_delivering_worker_holds_the_connections_that_the_page_states(
    observed: Rig, rabbitmq: RabbitMQNode, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With due rows, events, metrics and the status line: every thread has work."""
    rig = observed
    settings = load(rig.config, environ={"KEY": "k"})
    stated = database_connections(settings, "email")
    formula, amqp_connections = _stated(r"of a pool with \*n\* lanes")
    assert (
        formula
        == f"2 \N{MULTIPLICATION SIGN} *n* + {stated - 2 * len(settings.pool('email').lanes)}"
    )
    for lane in settings.pool("email").lanes:
        rig.requests(40, key=f"email.{lane}.shop")
    with rig.worker() as worker:
        monkeypatch.delenv("PGAPPNAME")
        # Later than they are claimed, so that the relay must publish them.
        soon = (datetime.now(UTC) + timedelta(seconds=10)).isoformat()
        rig.requests(60, send_at=soon)
        most = _most(
            worker,
            rabbitmq,
            store_url,
            until=lambda: rig.store.count(Filter()) == {Status.SENT: 180},
            awaited=amqp_connections,
        )
    assert most[1] == amqp_connections
    assert 0 < most[0] <= stated


def test_the_worker_of_dead_letters_holds_the_connections_that_the_page_states(
    observed: Rig, rabbitmq: RabbitMQNode, store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It archives, publishes refused events, and counts the record."""
    rig = observed
    formula, amqp_connections = _stated("`dead`")
    stated = database_connections(load(rig.config, environ={"KEY": "k"}), "dead")
    assert formula == str(stated)
    for _ in range(20):
        rig.publish(b"not a request", "email.none.shop")

    def archived() -> bool:
        with rig.store.reading() as connection:
            return count_letters(connection, LetterFilter()) != {}

    with rig.worker("dead", pool="dead") as worker:
        monkeypatch.delenv("PGAPPNAME")
        most = _most(worker, rabbitmq, store_url, until=archived, awaited=amqp_connections)
    assert most[1] == amqp_connections
    assert most[0] <= stated
