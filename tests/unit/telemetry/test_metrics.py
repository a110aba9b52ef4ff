"""Metrics: their names, their HTTP server, and a worker's health."""

from __future__ import annotations

import math
import re
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

import amqp
import pytest
from structlog.testing import capture_logs

from notify.contract.published import IN_MS, publication_time
from notify.errors import ConfigError
from notify.service.delivery import open_delivery
from notify.service.gateway import open_gateway
from notify.settings import load
from notify.store import Store
from notify.store.db.engine import connect
from notify.telemetry.metrics import Metrics, catalog
from notify.telemetry.metrics.catalog import MetricType
from notify.telemetry.metrics.server import AT_ONCE, CLIENT_TIMEOUT, MetricsServer
from notify.topology import QueueWatch
from notify.worker.backlog import Backlog
from notify.worker.health import HUNG, Health
from notify.worker.loop_state import LoopState
from notify.worker.process import warn_of_clock
from tests.support.patience import PATIENCE

DOCS = Path(__file__).parents[3] / "docs" / "metrics.md"


@pytest.mark.parametrize("seconds", [-1.0, 0.0, 0.1, 0.3, 1e9])
def test_equal_durations_are_recorded_together(seconds: float) -> None:
    """Also on the bounds of a bucket, and beyond all of them."""
    together, singly = Metrics(), Metrics()
    together.observe(catalog.DELIVERY, seconds, "email", "bulk", times=3)
    for _ in range(3):
        singly.observe(catalog.DELIVERY, seconds, "email", "bulk")
    text, wanted = (
        [line for line in each.text().decode().splitlines() if "_created" not in line]
        for each in (together, singly)
    )
    assert text == wanted
    assert any(line.endswith(" 3.0") for line in text)


def test_the_page_of_metrics_names_each_with_its_type_and_labels() -> None:
    """An author of alerts reads only that page."""
    rows = re.findall(r"^\| `(notify_\w+)` \| (\w+) \| (.*?) \|", DOCS.read_text(), re.MULTILINE)
    told = [(name, kind, re.findall(r"`(\w+)`", labels)) for name, kind, labels in rows]
    there = [
        (each.name, each.kind.value.partition(",")[0], list(each.labels))
        for each in catalog.FAMILIES
    ]
    assert sorted(told) == sorted(there)


def test_names_keep_to_prometheus_conventions() -> None:
    """Counters end in _total, and nothing else does; a unit is written out."""
    for family in catalog.FAMILIES:
        counter = family.kind in (MetricType.COUNTED, MetricType.READ_COUNT)
        assert family.name.endswith("_total") == counter, family.name
        assert family.kind is not MetricType.DURATION or family.name.endswith("_seconds")
    assert catalog.OBJECTIVE in catalog.DELIVERY.buckets


CONFIG = """
[store]
url = "sqlite:///{folder}/notify.db"
[channels.email]
providers = ["memory"]
[providers.memory]
use = "providers.memory:Memory"
limits = ["shared"]
[limits.shared]
rate = 100
[limits.one-source]
rate = 5
per = "source"
"""


def test_the_rate_of_one_source_is_not_exported_beside_the_use_of_all(tmp_path: Path) -> None:
    """Ten sources within their own limits would look like one limit that is used up."""
    file = tmp_path / "notify.toml"
    file.write_text(CONFIG.format(folder=tmp_path))
    settings, metrics = load(file, environ={}), Metrics()
    pool = settings.pool("email")
    store = Store.open(f"sqlite:///{tmp_path}/notify.db")
    with closing(open_gateway(settings, pool.channel)) as gateway:
        open_delivery(settings, pool, store, gateway, metrics)
    text = metrics.text().decode()
    assert re.findall(r'^notify_limit_rate{limit="(.+)"} (.+)$', text, re.M) == [
        ("shared", "100.0")
    ]
    assert 'notify_limit_units_total{limit="one-source"} 0.0' in text


class Clock:
    """A monotonic clock that a test sets."""

    now = 0.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


@pytest.fixture
def clock() -> Clock:
    """The server's clock."""
    return Clock()


@pytest.fixture
def server(clock: Clock) -> Iterator[MetricsServer]:
    """A server on a free port, whose worker is alive and waits for its record."""
    server = MetricsServer(
        Metrics(),
        listen="127.0.0.1",
        port=0,
        alive=lambda: True,
        unready=lambda: "record_away",
        monotonic=clock,
    )
    server.start()
    yield server
    server.stop(timeout=1)


def ask(server: MetricsServer, request: bytes) -> bytes:
    """Send a few bytes and read the answer to its end."""
    assert server.port is not None
    with socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE) as connection:
        connection.sendall(request)
        answer = b""
        while part := connection.recv(65_536):
            answer += part
    return answer


def test_a_probe_returns_the_reason_in_a_word(server: MetricsServer) -> None:
    """An operator on call reads it in the first line."""
    answer = ask(server, b"GET /readyz HTTP/1.0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 503 ")
    assert answer.endswith(b"\r\n\r\nrecord_away\n")
    assert b" 200 " in ask(server, b"GET /livez HTTP/1.0\r\n\r\n")


@pytest.mark.parametrize("method", [b"POST", b"PUT", b"DELETE", b"HEAD"])
def test_nothing_but_get_is_answered(server: MetricsServer, method: bytes) -> None:
    """A port for reading has no other use."""
    answer = ask(server, method + b" /metrics HTTP/1.0\r\nContent-Length: 0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.0 501 ")
    assert b"Python" not in answer


def test_slow_clients_do_not_block_a_probe(server: MetricsServer) -> None:
    """However many there are, a new client is answered, and the oldest is disconnected."""
    assert server.port is not None
    slow = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2 * AT_ONCE)]
    for each in slow[AT_ONCE:]:
        each.sendall(b"GET /me")
    assert b" 200 " in ask(server, b"GET /livez HTTP/1.0\r\n\r\n")
    assert b"record_away" in ask(server, b"GET /readyz HTTP/1.0\r\n\r\n")
    for each in slow[:AT_ONCE]:
        each.settimeout(30)
        assert each.recv(1) == b""
    for each in slow:
        each.close()


def test_a_client_that_sends_byte_by_byte_has_no_more_time_for_it(
    server: MetricsServer, clock: Clock
) -> None:
    """The whole request has a limit: each of its bytes would come in time."""
    assert server.port is not None
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as slow:
        slow.sendall(b"GET /livez HTTP/1.0\r\nX: ")
        assert b" 200 " in ask(server, b"GET /livez HTTP/1.0\r\n\r\n")
        clock.now = CLIENT_TIMEOUT - 1
        slow.sendall(b"a")
        clock.now = CLIENT_TIMEOUT + 1
        assert slow.recv(1) == b""


def test_a_client_that_does_not_read_is_disconnected(clock: Clock) -> None:
    """An answer larger than the network takes at once would hold its thread."""
    metrics = Metrics()
    size = 0

    def text() -> bytes:
        return b"x" * 64 * 1024 * 1024

    metrics.text = text  # type: ignore[method-assign]
    server = MetricsServer(
        metrics,
        listen="127.0.0.1",
        port=0,
        alive=lambda: True,
        unready=lambda: None,
        monotonic=clock,
    )
    server.start()
    assert server.port is not None
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as slow:
        slow.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
        assert slow.recv(1) == b"H"
        clock.now = CLIENT_TIMEOUT + 1
        while server._http is not None and server._http._open:
            pass  # the next look at the clock ends it; read before, the answer would be whole
        while part := slow.recv(1 << 20):
            size += len(part)
    assert size < 64 * 1024 * 1024
    server.stop(timeout=1)


def test_no_name_server_is_asked_before_a_worker_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """If it is away, the standard library would wait for it, and delay every message."""
    asked: list[str] = []

    def ask(name: str) -> str:
        asked.append(name)
        return name

    monkeypatch.setattr(socket, "getfqdn", ask)
    server = MetricsServer(
        Metrics(), listen="127.0.0.1", port=0, alive=lambda: True, unready=lambda: None
    )
    server.start()
    server.stop(timeout=1)
    assert asked == []


NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("properties", "headers", "seconds"),
    [
        ({"timestamp": int(NOON.timestamp()) - 5}, {}, -5),
        ({"timestamp": 1}, {IN_MS: int(NOON.timestamp() * 1000) - 250}, -0.25),
        ({}, {}, 0),
        ({"timestamp": int(NOON.timestamp()) + 60}, {}, 0),
        ({"timestamp": 1}, {}, 0),
        ({"timestamp": "noon"}, {IN_MS: True}, 0),
        ({}, {IN_MS: 1 << 70}, 0),
    ],
    ids=["seconds", "ms", "nothing", "to come", "ages ago", "no number", "no time"],
)
def test_a_message_says_when_it_was_published_or_counts_from_its_receipt(
    properties: dict[str, object], headers: dict[str, object], seconds: float
) -> None:
    """A false time, or a wrong clock, can falsify only a message's age."""
    at = publication_time(properties, headers, now=NOON.timestamp())
    assert (at - NOON).total_seconds() == pytest.approx(seconds)


def test_the_backlog_is_at_most_as_old_as_the_last_received_message() -> None:
    """A queue is delivered in order; one that was empty has no older message."""
    backlog = Backlog(now=100)
    backlog.see(0, taken=None, now=110)
    backlog.see(4, taken=None, now=120)
    assert (backlog.oldest, backlog.drain) == (10, math.inf)
    backlog.see(3, taken=118, now=130)
    assert backlog.oldest == 12
    backlog.see(2, taken=118, now=150)
    assert (backlog.oldest, backlog.drain) == (32, math.inf)
    backlog.see(1, taken=118, now=176)
    assert backlog.drain == pytest.approx(1 / (3 / 56))
    backlog.see(0, taken=118, now=180)
    assert (backlog.oldest, backlog.drain) == (0, 0)


def _no_broker() -> amqp.Connection:
    raise ConfigError("no broker")


def test_health_reports_first_the_reason_that_explains_the_others(tmp_path: Path) -> None:
    """A worker that stops needs no alarm; one whose loop hangs does not know its broker."""
    now = [0.0]
    state = LoopState(alive=lambda: None, watchdog=None, monotonic=lambda: now[0])

    health = Health(
        state,
        queues=QueueWatch(["q"], connect=_no_broker),
        store=Store.open(f"sqlite:///{tmp_path}/none/notify.db"),
        monotonic=lambda: now[0],
    )
    health.check()
    assert health.unready() == "broker_away"
    state.connected = health.broker_up = True
    assert health.unready() == "record_away"
    health.record_up = True
    assert health.unready() is None
    state.paused = True
    assert health.unready() == "record_away"
    now[0] = HUNG
    assert (health.unready(), health.alive()) == ("loop_hangs", False)
    state.stopping = True
    assert health.unready() == "stopping"


@contextmanager
def _health(tmp_path: Path, *, host_ahead: float) -> Iterator[Health]:
    store = Store(connect(f"sqlite:///{tmp_path}/notify.db"), host=lambda: time.time() + host_ahead)
    state = LoopState(alive=lambda: None, watchdog=None)
    yield Health(state, queues=QueueWatch([], connect=_no_broker), store=store)
    store.close()


@pytest.mark.parametrize(
    ("host_ahead", "way"), [(3600.0, "ahead of"), (-3600.0, "behind")], ids=["ahead", "behind"]
)
def test_readyz_says_that_the_hosts_clock_is_off(
    tmp_path: Path, host_ahead: float, way: str
) -> None:
    """It does not stop a worker, so the first line stays `ok`; the second line shows it."""
    with _health(tmp_path, host_ahead=host_ahead) as health:
        health.check()
        server = MetricsServer(
            Metrics(),
            listen="127.0.0.1",
            port=0,
            alive=lambda: True,
            unready=lambda: None,
            remark=health.remark,
        )
        server.start()
        try:
            answer = ask(server, b"GET /readyz HTTP/1.0\r\n\r\n")
        finally:
            server.stop(timeout=1)
    assert answer.startswith(b"HTTP/1.0 200")
    lines = answer.decode().rpartition("\r\n\r\n")[2].splitlines()
    assert lines[0] == "ok"
    assert re.fullmatch(rf"clock_off: 3\d\d\d\.\d s {way} the database's", lines[1])


def test_a_clock_that_is_right_needs_no_remark(tmp_path: Path) -> None:
    """A second line always means a fault."""
    with _health(tmp_path, host_ahead=1.0) as health:
        health.check()
        assert health.record_up
        assert health.remark() is None


def test_a_worker_warns_at_its_start_that_its_clock_is_off() -> None:
    """The record does not use it; providers' tokens do."""
    with capture_logs() as logs:
        for host_ahead in (0.0, 4.9, -4.9, 3600.04, -5.1):
            warn_of_clock(host_ahead)
    assert [(each["event"], each["host_ahead"]) for each in logs] == [
        ("notify.clock_off", 3600.0),
        ("notify.clock_off", -5.1),
    ]
