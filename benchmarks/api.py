"""
Notifications a second by HTTP, beside a bare endpoint that publishes with the same publisher.

    python -m benchmarks.api

runs it alone, on a broker and a record of its own.
"""

from __future__ import annotations

import json
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
import urllib3

from benchmarks.load import KEY, QUEUE, connect, request
from benchmarks.receipts import post
from benchmarks.stage import free_port, processes, wait_until
from benchmarks.throughput import PYTHON
from notify.apikeys import KeyScope, issue_key
from notify.publisher import Outgoing, Publisher
from notify.publisher import connect as connect_notify
from notify.receipt import Posted
from notify.service.broker import topology_of
from notify.settings import Settings
from notify.stack.rabbitmq import RabbitMQNode
from notify.store import Actor, Store
from notify.topology import apply

CONFIG = """
[api]
port = {port}
rate = 1000000
burst = 1000000
[metrics]
enabled = false
"""
JSON = {"Content-Type": "application/json"}
LONE = 300
"""Requests one after the other, for the times of a lone one."""


@dataclass(frozen=True, slots=True)
class ApiRates:
    """Notifications a second with one number of notifications in a request."""

    batch: int
    bare: float
    notify: float
    bare_cpu: float
    """Milliseconds of the process's CPU time for a notification."""
    notify_cpu: float

    @property
    def ratio(self) -> float:
        """The part of the bare endpoint's rate."""
        return self.notify / self.bare


@dataclass(frozen=True, slots=True)
class LoneTimes:
    """Milliseconds of a lone notification, median and 99th percentile."""

    publish: tuple[float, float]
    """The publisher alone, in this process."""
    bare: tuple[float, float]
    notify: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ApiResults:
    """All results of the API."""

    rates: list[ApiRates]
    lone: LoneTimes


def compare(amqp: str, config: Path, store_url: str, *, singles: int, many: int) -> ApiResults:
    """
    Measure both contenders on the same requests.

    Args:
        config: The service's configuration, with broker and record.
        singles: Notifications, one in a request.
        many: Notifications, a hundred in a request.
    """
    folder = config.parent
    with _bare(amqp, folder) as (bare, bare_pid), _api(config, store_url) as (ours, pid, key):
        loads = [(1, singles), (100, many)]
        rates = []
        for batch, count in loads:
            _empty(amqp)
            plain, plain_cpu = _rate(bare, bare_pid, count, batch, {})
            _empty(amqp)
            rate, cpu = _rate(ours, pid, count, batch, _headers(key))
            rates.append(ApiRates(batch, plain, rate, plain_cpu, cpu))
        lone = LoneTimes(
            publish=_lone(_publishing(amqp)),
            bare=_lone(_posting(bare, {})),
            notify=_lone(_posting(ours, _headers(key))),
        )
    _empty(amqp)
    return ApiResults(rates, lone)


@contextmanager
def _bare(amqp: str, folder: Path) -> Iterator[tuple[str, int]]:
    port = free_port()
    command = [PYTHON, "-m", "benchmarks.bare_api", str(port), amqp, KEY]
    with processes([command], environ={}, log=folder / "api.log") as (process,):
        yield f"http://127.0.0.1:{port}/v1/notifications", process.pid


@contextmanager
def _api(config: Path, store_url: str) -> Iterator[tuple[str, int, str]]:
    """Run the API; yield its address, its process and a key."""
    store = Store.open(store_url)
    store.migrate()
    actor = Actor("benchmark", "benchmark")
    issued = issue_key(
        store, source="bench", scopes=[KeyScope.SEND], name="", expires_at=None, actor=actor
    )
    store.close()
    port, own, ready = free_port(), config.with_name("api.toml"), config.with_name("api.ready")
    own.write_text(config.read_text() + CONFIG.format(port=port))
    command = [PYTHON, "-m", "notify", "web", "api", "--ready-file", str(ready)]
    environ = {"NOTIFY_CONFIG": str(own), "BENCH_KEY": "SG.bench"}
    with processes([command], environ=environ, log=config.with_name("api.log")) as (process,):
        wait_until(ready.exists, what="the API")
        yield f"http://127.0.0.1:{port}/v1/notifications", process.pid, issued.secret


def _headers(key: str) -> Mapping[str, str]:
    return {"Authorization": f"Bearer {key}"}


def _rate(
    url: str, pid: int, count: int, batch: int, headers: Mapping[str, str]
) -> tuple[float, float]:
    """Return the notifications a second, and the CPU milliseconds of the process for each."""
    requests = [
        Posted(query="", headers={**JSON, **headers}, body=_body(at, batch))
        for at in range(0, count, batch)
    ]
    before = _cpu(pid)
    rate = count / post(url, requests)
    return rate, 1000 * (_cpu(pid) - before) / count


def _cpu(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _body(at: int, batch: int) -> bytes:
    made = [{"channel": "email", "lane": "normal", **request(at + n)} for n in range(batch)]
    return json.dumps(made if batch > 1 else made[0]).encode()


def _posting(url: str, headers: Mapping[str, str]) -> Callable[[int], None]:
    http = urllib3.PoolManager(maxsize=1)

    def one(number: int) -> None:
        answer = http.request("POST", url, body=_body(number, 1), headers={**JSON, **headers})
        if answer.status != 202:
            raise RuntimeError(f"{url} answered {answer.status}")

    return one


def _publishing(amqp: str) -> Callable[[int], None]:
    publisher = Publisher(amqp)

    def one(number: int) -> None:
        made = request(number)
        publisher.publish(Outgoing(json.dumps(made).encode(), KEY, made["id"]))

    return one


def _lone(one: Callable[[int], None]) -> tuple[float, float]:
    for number in range(20):
        one(number)
    took = []
    for number in range(LONE):
        began = time.perf_counter()
        one(number)
        took.append(1000 * (time.perf_counter() - began))
    return statistics.median(took), statistics.quantiles(took, n=100)[98]


def _empty(amqp: str) -> None:
    with connect(amqp) as connection, connection.channel() as channel:
        channel.queue_purge(QUEUE)


def api_rates(results: ApiResults) -> Iterator[str]:
    """Yield the lines of the report."""
    yield f"{'by HTTP':28} {'bare':>9} {'notify':>9} {'ratio':>6}   CPU ms each, bare and notify"
    for each in results.rates:
        name = f"{each.batch} in a request"
        rates = f"{each.bare:7.0f}/s {each.notify:7.0f}/s {each.ratio:6.2f}"
        yield f"{name:28} {rates}   {each.bare_cpu:.3f} {each.notify_cpu:.3f}"
    yield f"{'a lone one, ms':28} {'median':>9} {'p99':>9}"
    for name in ("publish", "bare", "notify"):
        median, p99 = getattr(results.lone, name)
        yield f"{name:28} {median:9.2f} {p99:9.2f}"


def main() -> None:
    """Run it alone."""
    with tempfile.TemporaryDirectory(prefix="notify-bench-") as name:
        folder = Path(name)
        node = RabbitMQNode.start(folder / "rabbitmq")
        try:
            with connect_notify(node.url) as connection:
                apply(topology_of(Settings()), connection)
            url = f"sqlite:///{folder}/notify.db"
            config = folder / "notify.toml"
            config.write_text(f'[amqp]\nurl = "{node.url}"\n[store]\nurl = "{url}"\n')
            found = compare(node.url, config, url, singles=3_000, many=20_000)
            print("\n".join(api_rates(found)))
        finally:
            node.stop()


if __name__ == "__main__":
    main()
