"""How exactly a limit is kept by four workers, and how much of it they use."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence

from benchmarks import load as plain_load
from benchmarks import plain_queue
from benchmarks.flow.config import FIRST, SMS, Terms
from benchmarks.flow.figures import Figure
from benchmarks.flow.measure import excess, used
from benchmarks.flow.messages import maker
from benchmarks.flow.stage import WORKERS, Stage
from benchmarks.stage import processes, wait_until
from notify.message import Channel

SETTLE = 4.0
"""Seconds between the workers' start and the measurement: the burst is used up by then."""
SPARE = 15.0
"""Seconds that the backlog lasts beyond the measured span."""
SEGMENTS = 3.0
BASELINE = 50.0


def terms(name: str, rate: float, *, on_sqlite: bool) -> Terms:
    """Limit one provider; its burst is the default, one second's units."""
    return Terms(providers=(name,), rates={name: rate}, on_sqlite=on_sqlite)


def email(rate: float) -> Callable[[Stage], Sequence[Figure]]:
    """Return a scene of emails at a limit."""
    return lambda stage: _play(stage, Channel.EMAIL, FIRST, rate=rate, cost=1.0)


def sms(rate: float) -> Callable[[Stage], Sequence[Figure]]:
    """Return a scene of SMS at a limit in segments; each message has three."""
    return lambda stage: _play(stage, Channel.SMS, SMS, rate=rate, cost=SEGMENTS)


def _play(
    stage: Stage, channel: Channel, account: str, *, rate: float, cost: float
) -> list[Figure]:
    seconds = stage.seconds(30.0, 10.0)
    stage.backlog(int(rate / cost * (seconds + SPARE)), maker(channel))
    stage.start(*(name.replace("email", channel) for name in WORKERS))
    time.sleep(SETTLE)
    begin = time.time()
    time.sleep(seconds)
    stage.stop()
    times = stage.times(account)
    wrong = sum(not each.accepted for each in stage.arrivals(account))
    if wrong:
        stage.faults.append(f"{wrong} calls were refused")
    share = used(times, rate=rate, begin=begin, seconds=seconds, cost=cost)
    over = excess(times, rate=rate, burst=rate, cost=cost)
    return [
        Figure("used", 100 * share, "%", least=97.0),
        Figure("beyond rate x T + burst", over, most=0.0),
    ]


def celery(stage: Stage) -> list[Figure]:
    """Run plain Celery at the same limit by its own `rate_limit`: one worker, and four."""
    plain_queue.declare(stage.url)
    shares = [(number, _celery(stage, number)) for number in (1, len(WORKERS))]
    plain_queue.delete(stage.url)
    return [Figure(f"used by {number}", 100 * share, "%") for number, share in shares]


def _celery(stage: Stage, number: int) -> float:
    seconds = stage.seconds(15.0, 10.0)
    route = (plain_queue.NAME, plain_queue.NAME)
    messages = int(BASELINE * (seconds + SPARE))
    plain_load.backlog(stage.url, messages, build=plain_load.task, route=route)
    command = [sys.executable, "-m", "celery", "-A", "benchmarks.plain_celery", "worker"]
    options = ["-l", "warning", "-P", "threads", "-c", "8"]
    environ = {
        "BENCH_AMQP": stage.url,
        "BENCH_PROVIDER": f"{stage.sandbox.ready_text}/{FIRST}",
        # It counts per worker, so each gets its part.
        "BENCH_RATE_LIMIT": f"{BASELINE / number}/s",
    }
    commands = [[*command, *options, "-n", f"{name}@%h"] for name in WORKERS[:number]]
    before = len(stage.times(FIRST))
    with processes(commands, environ=environ, log=stage.folder / f"celery-{number}.log"):
        wait_until(lambda: len(stage.times(FIRST)) > before, what="Celery")
        time.sleep(SETTLE)
        begin = time.time()
        time.sleep(seconds)
    return used(stage.times(FIRST), rate=BASELINE, begin=begin, seconds=seconds)
