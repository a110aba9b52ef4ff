"""Fixtures for all tests: a private broker and a private database, started when first asked for."""

from __future__ import annotations

import gc
import logging
import os
import re
import signal
import tempfile
from collections.abc import Generator, Iterator
from itertools import groupby
from operator import attrgetter, itemgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import amqp
import pytest
import structlog
from hypothesis import HealthCheck, settings

from notify.errors import ConfigError
from notify.message import Channel
from notify.settings import LaneSettings
from notify.stack.rabbitmq import RabbitMQNode
from notify.store import Store
from notify.topology import Topology, apply
from tests.support.clocks import Clock
from tests.support.erlang import evaluate
from tests.support.examples import examples
from tests.support.migrated import migrated
from tests.support.patience import START, PatientNode, connect
from tests.support.services import PostgreSQL, Users, Vhosts, missing

if TYPE_CHECKING:
    from playwright.sync_api import Browser


# The tests of each share a stack, which costs ten seconds of a processor. They come first, since an
# xdist worker keeps the start of its part of the tests, and gives away only the end.
_WHOLE = frozenset({"test_demo.py", "test_loop.py"})


def pytest_configure() -> None:
    """Remove the limits of time on properties: a busy machine would exceed them."""
    settings.register_profile(
        "busy",
        settings.default,
        max_examples=examples(100),
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    settings.load_profile("busy")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect the tests without the garbage collector, and exempt from it what they import."""
    # It would read a million objects again and again: half of the time in each xdist worker.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """
    Spread the modules that wait for services among those that compute, in their order.

    xdist gives each worker a run of neighbours: one would wait for services only, and at the end
    all would, while the processors idle. The last fifth only computes, so that all end together.
    """
    whole: list[pytest.Item] = []
    kinds: dict[bool, list[list[pytest.Item]]] = {True: [], False: []}
    for path, of_module in groupby(items, key=attrgetter("path")):
        if path.name in _WHOLE:
            whole += of_module
        else:
            kinds["integration" in path.parts].append(list(of_module))
    places = [
        (place / len(modules) * (0.8 if waits else 1.0), waits, module)
        for waits, modules in kinds.items()
        for place, module in enumerate(modules)
    ]
    spread = [item for *_, module in sorted(places, key=itemgetter(0, 1)) for item in module]
    items[:] = whole + spread


@pytest.fixture(scope="session", autouse=True)
def _nothing_from_outside() -> None:
    """Hide the developer's own settings from the tests."""
    # A shell makes background processes ignore Ctrl-C, and their children inherit it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in [name for name in os.environ if name.startswith("NOTIFY_")]:
        del os.environ[name]


@pytest.fixture(scope="session", autouse=True)
def _no_logger_keeps_its_settings() -> Iterator[None]:
    """Forbid loggers to keep the settings of the first line, which would be those of one test."""
    configure = structlog.configure

    def uncached(**options: Any) -> None:
        configure(**{**options, "cache_logger_on_first_use": False})

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(structlog, "configure", uncached)
        yield


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    """Undo what a test changes in the logging of this process."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    if structlog.is_configured():
        structlog.reset_defaults()


@pytest.fixture(scope="session")
def rabbitmq() -> Iterator[RabbitMQNode]:
    """A RabbitMQ node for this session; a test must leave it running and unblocked."""
    with tempfile.TemporaryDirectory(prefix="notify-rabbitmq-") as folder:
        try:
            node = PatientNode.start(Path(folder), timeout=START)
        except ConfigError as error:
            missing(str(error))
        yield node
        listed = evaluate(node, "rabbit_auth_backend_internal:list_users().")
        node.stop()
        left = set(re.findall(r'{user,<<"(?!guest"|test-\d+-user")(.*?)">>', listed))
        assert not left, "a test made users of the broker without the fixture `users`"


@pytest.fixture(scope="session")
def vhosts(rabbitmq: RabbitMQNode) -> Vhosts:
    """A supply of unused virtual hosts on the session's node."""
    return Vhosts(rabbitmq)


@pytest.fixture
def users(rabbitmq: RabbitMQNode) -> Iterator[Users]:
    """Users of the session's node; those that this test imports are removed after it."""
    users = Users(rabbitmq)
    yield users
    users.remove()


@pytest.fixture
def vhost_url(vhosts: Vhosts) -> str:
    """The address of an empty virtual host for this test."""
    return vhosts.fresh_url()


@pytest.fixture(scope="session")
def topology() -> Topology:
    """The broker objects of the default settings."""
    lanes = {name: LaneSettings() for name in ("critical", "normal", "bulk")}
    return Topology.of(list(Channel), lanes)


@pytest.fixture
def broker_url(vhost_url: str, topology: Topology) -> Iterator[str]:
    """The address of a virtual host for this test, with the default topology."""
    with connect(vhost_url) as connection:
        apply(topology, connection)
    yield vhost_url
    with connect(vhost_url) as connection, connection.channel() as channel:
        for queue in topology.queues:
            channel.queue_delete(queue.name)


@pytest.fixture
def channel(broker_url: str) -> Iterator[amqp.Channel]:
    """A plain channel to this test's broker, to inspect its queues."""
    with connect(broker_url) as connection, connection.channel() as channel:
        yield channel


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """A browser for this module; each test opens contexts of its own in it."""
    # While it is open an event loop runs, in which no other test could start one.
    from tests.support.browsing import opened_chromium

    with opened_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgreSQL]:
    """A PostgreSQL cluster for this session."""
    server = PostgreSQL()
    try:
        server.start()
        yield server
    finally:
        server.stop()


@pytest.fixture
def postgres_url(postgresql: PostgreSQL) -> Iterator[str]:
    """The address of an empty PostgreSQL database for this test."""
    with postgresql.database() as url:
        yield url


@pytest.fixture(params=["sqlite", "postgresql"])
def store_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The address of a record for this test, in each kind of database in turn."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/notify.db"
        return
    server: PostgreSQL = request.getfixturevalue("postgresql")
    with server.record() as url:
        yield url


@pytest.fixture
def clock() -> Clock:
    """A clock of processes, and of a database that keeps it; it stands until a test moves it."""
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The file of `store`."""
    return tmp_path / "notify.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An empty record in an SQLite file."""
    store = migrated(f"sqlite:///{path}")
    yield store
    store.close()
