"""A provider that answers 503 to everything: with a second one, without, and repeatedly."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.flow.config import FIRST, SECOND
from benchmarks.flow.figures import Figure
from benchmarks.flow.measure import count, flows_from, most_in_one, quiet_since
from benchmarks.flow.messages import maker
from benchmarks.flow.stage import REST, WORKERS, Stage
from benchmarks.flow.watch import Watch
from notify.message import Channel
from notify.sandbox import Behaviour
from tests.faults.stage import until

RATE = 200
"""Messages a second."""
GAP = 2.0
"""Seconds without a call after which all workers have stopped; a circuit is open for longer."""
WITHIN = 5.0
"""Seconds in which all workers must have stopped, and another provider has the traffic."""
LOOKED_AT = 1.0
"""Seconds in which workers that stopped consuming settle their messages."""


LATE = 1.5
"""Seconds after an outage until the end of the last bad call, which may open a circuit again."""


@dataclass(frozen=True, slots=True)
class Outage:
    """When the provider was down."""

    begin: float
    end: float


def under_way(stage: Stage, *, account: str = FIRST) -> None:
    """Wait until the stream is steady, and for a few seconds more."""
    flowing = until(lambda: len(stage.arrivals(account)) >= RATE, timeout=60)
    if not flowing:
        raise TimeoutError("the workers deliver nothing")
    time.sleep(stage.seconds(6.0, 3.0))


def flowing_again(stage: Stage, account: str, *, since: float, timeout: float) -> float:
    """Wait until an account gets the stream again; return the seconds since a moment."""

    def flows() -> bool:
        times = stage.times(account)
        return not math.isinf(flows_from(times, begin=since, rate=RATE))

    until(flows, timeout=timeout, pause=1.0)
    return flows_from(stage.times(account), begin=since, rate=RATE) - since


def dead(stage: Stage) -> Sequence[Figure]:
    """Stop the first provider under load and restore it, with a second one."""
    with Watch(stage.store) as watch:
        stage.start(*WORKERS)
        load = stage.load(RATE, maker(Channel.EMAIL))
        under_way(stage)
        outage = _down(stage, stage.seconds(30.0, 14.0))
        recovered = flowing_again(stage, FIRST, since=outage.end, timeout=60)
        load.finish(timeout=REST, tail=0)
    published = load.journal.latest()
    stage.come_to_rest(len(published))
    moved = flows_from(stage.times(SECOND), begin=outage.begin, rate=RATE) - outage.begin
    findings = stage.judged(published)
    return [
        *open_figures(stage, watch, outage),
        Figure("on the second after", moved, "s", most=WITHIN),
        Figure("recovered after", recovered, "s", most=last_open(watch, outage.end) + 5),
        Figure("lost", findings.lost, most=0),
        Figure("not sent", not_sent(stage), most=0),
    ]


def alone(stage: Stage) -> Sequence[Figure]:
    """Stop the only provider under load and restore it."""
    with Watch(stage.store) as watch:
        stage.start(*WORKERS)
        load = stage.load(RATE, maker(Channel.EMAIL))
        under_way(stage)
        outage = _down(stage, stage.seconds(30.0, 14.0))
        recovered = flowing_again(stage, FIRST, since=outage.end, timeout=60)
        load.finish(timeout=REST, tail=0)
    published = load.journal.latest()
    stage.come_to_rest(len(published))
    drained = max(stage.times(FIRST)) - outage.end
    findings = stage.judged(published)
    stopped = quiet_since(stage.times(FIRST), begin=outage.begin, end=outage.end, gap=GAP)
    came = RATE * (outage.end - stopped - LOOKED_AT)
    taken = count(stage.received(), stopped + LOOKED_AT, outage.end)
    return [
        *open_figures(stage, watch, outage),
        Figure("left in RabbitMQ", 100 * (1 - taken / came), "%", least=95.0),
        Figure("recovered after", recovered, "s", most=last_open(watch, outage.end) + 5),
        Figure("drained after", drained, "s", most=last_open(watch, outage.end) + 60),
        Figure("lost", findings.lost, most=0),
        Figure("not sent", not_sent(stage), most=0),
    ]


def flapping(stage: Stage) -> Sequence[Figure]:
    """Stop the first provider repeatedly, with a few seconds up in between."""
    outages = []
    with Watch(stage.store) as watch:
        stage.start(*WORKERS)
        load = stage.load(RATE, maker(Channel.EMAIL))
        under_way(stage)
        for _ in range(int(stage.seconds(3, 1))):
            outages.append(_down(stage, 30.0))
            time.sleep(5.0)
        recovered = flowing_again(stage, FIRST, since=outages[-1].end, timeout=150)
        load.finish(timeout=REST, tail=0)
    published = load.journal.latest()
    stage.come_to_rest(len(published))
    findings = stage.judged(published)
    times = stage.times(FIRST)
    stops = [quiet_since(times, begin=each.begin, end=each.end, gap=GAP) for each in outages]
    slowest = max(stop - each.begin for stop, each in zip(stops, outages, strict=True))
    refused = sum(not each.accepted for each in stage.arrivals(FIRST))
    return [
        Figure("rounds", len(outages)),
        Figure("stopped after, at worst", slowest, "s", most=WITHIN),
        Figure("calls refused", 100 * refused / len(published), "%", most=20.0),
        Figure("recovered after", recovered, "s", most=last_open(watch, outages[-1].end) + WITHIN),
        Figure("lost", findings.lost, most=0),
        Figure("not sent", not_sent(stage), most=0),
    ]


def open_figures(stage: Stage, watch: Watch, outage: Outage) -> list[Figure]:
    """Return how soon all workers stopped calling a dead provider, and how completely."""
    times = stage.times(FIRST)
    stopped = quiet_since(times, begin=outage.begin, end=outage.end, gap=GAP)
    spans = [each for each in watch.spans(FIRST) if outage.begin <= each[0] < outage.end]
    probes = [at for at in times if stopped < at < outage.end]
    attempts = count(stage.attempts(FIRST), stopped + 0.1, outage.end)
    return [
        Figure("stopped after", stopped - outage.begin, "s", most=WITHIN),
        Figure("opened", len(spans)),
        Figure("probes in an open interval", most_in_one(probes, spans=spans), most=1),
        Figure("attempts besides probes", attempts - len(probes), most=0),
    ]


def last_open(watch: Watch, end: float) -> float:
    """Return how long the circuit was set to stay open when the provider was restored."""
    lasted = [until - begin for begin, until in watch.spans(FIRST) if begin < end + LATE]
    return lasted[-1] if lasted else 0.0


def not_sent(stage: Stage) -> int:
    """Count the notifications that did not end as sent."""
    return sum(number for status, number in stage.statuses().items() if status != "sent")


def _down(stage: Stage, seconds: float) -> Outage:
    begin = stage.behave(FIRST, behaviour=Behaviour.DOWN)
    time.sleep(seconds)
    return Outage(begin, stage.behave(FIRST, behaviour=None))
