"""Failing providers without an outage: a lower limit, slow answers, a bad key."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from benchmarks.flow.config import FIRST, SECOND
from benchmarks.flow.figures import Figure
from benchmarks.flow.measure import count, flows_from, quiet_since
from benchmarks.flow.messages import maker
from benchmarks.flow.outage import GAP, RATE, WITHIN, flowing_again, last_open, not_sent, under_way
from benchmarks.flow.stage import REST, WORKERS, Stage
from benchmarks.flow.watch import Watch
from notify.message import Channel
from notify.policies.breaker import CircuitState
from notify.sandbox import Behaviour

LOWER = 100
"""Calls that the provider accepts in each second of the storm: half as many as before."""
OFFERED = 150
"""Messages a second that are published: above the lower limit, below the higher."""
FAST, SLOW = 0.1, 1.0
"""Seconds that the provider takes to answer."""
SLOW_CALL = 0.5


def storm(stage: Stage) -> Sequence[Figure]:
    """Halve the provider's limit under load; it answers 429 to calls beyond it."""
    # The provider counts calls: with several messages in each, they would stay below its limit.
    stage.configure("[lanes.normal]\nbatch_size = 1\n")
    with Watch(stage.store) as watch:
        stage.behave(FIRST, rate=2 * LOWER)
        stage.start(*WORKERS)
        load = stage.load(OFFERED, maker(Channel.EMAIL))
        under_way(stage)
        begin = stage.behave(FIRST, rate=LOWER)
        lasted = stage.seconds(40.0, 15.0)
        time.sleep(lasted)
        end = stage.behave(FIRST, rate=2 * LOWER)
        load.finish(timeout=REST, tail=0)
        published = load.journal.latest()
        stage.come_to_rest(len(published))
    findings = stage.judged(published)
    calls = [each for each in stage.arrivals(FIRST) if begin + WITHIN <= each.at < end]
    taken = sum(each.accepted for each in calls)
    opened = sum(each.state is not CircuitState.CLOSED for each in watch.of(FIRST))
    return [
        Figure("of the lower limit used", 100 * taken / (LOWER * (lasted - WITHIN)), "%", least=60),
        Figure("calls refused", 100 * (len(calls) - taken) / len(calls), "%", most=10),
        Figure("times the circuit opened", opened, most=0),
        Figure("lost", findings.lost, most=0),
        Figure("not sent", not_sent(stage), most=0),
    ]


def slow(stage: Stage) -> Sequence[Figure]:
    """Make the first provider answer ten times slower; no call shows it any sooner."""
    with Watch(stage.store) as watch:
        stage.behave(FIRST, latency=FAST)
        stage.start(*WORKERS)
        load = stage.load(RATE, maker(Channel.EMAIL))
        under_way(stage)
        begin = stage.behave(FIRST, latency=SLOW)
        time.sleep(stage.seconds(20.0, 10.0))
        end = stage.behave(FIRST, latency=FAST)
        recovered = flowing_again(stage, FIRST, since=end, timeout=60)
        load.finish(timeout=REST, tail=0)
    published = load.journal.latest()
    stage.come_to_rest(len(published))
    findings = stage.judged(published)
    sight = watch.opened(FIRST, after=begin)
    stopped = quiet_since(stage.times(FIRST), begin=begin, end=end, gap=GAP)
    moved = flows_from(stage.times(SECOND), begin=begin, rate=RATE)
    if sight is not None and "took" not in (sight.cause or ""):
        stage.faults.append(f"the circuit opened for another reason: {sight.cause}")
    return [
        Figure("opened after", sight.since - begin if sight else math.inf, "s", most=WITHIN + SLOW),
        Figure("stopped after", stopped - begin, "s", most=WITHIN + SLOW),
        Figure("on the second after", moved - begin, "s", most=WITHIN + SLOW),
        Figure("recovered after", recovered, "s", most=last_open(watch, end) + WITHIN),
        Figure("lost", findings.lost, most=0),
        Figure("not sent", not_sent(stage), most=0),
    ]


def bad_key(stage: Stage) -> Sequence[Figure]:
    """Make the first provider refuse our key, then accept it before an operator runs `auto`."""
    with Watch(stage.store) as watch:
        stage.start(*WORKERS)
        load = stage.load(RATE, maker(Channel.EMAIL))
        under_way(stage)
        begin = stage.behave(FIRST, behaviour=Behaviour.DENIED)
        time.sleep(stage.seconds(10.0, 5.0))
        mended = stage.behave(FIRST, behaviour=None)
        time.sleep(stage.seconds(15.0, 8.0))
        asked = time.time()
        told = stage.notify("breaker", "auto", FIRST, "--reason", "the key is mended")
        recovered = flowing_again(stage, FIRST, since=asked, timeout=60) - (told - asked)
        load.finish(timeout=REST, tail=0)
    published = load.journal.latest()
    stage.come_to_rest(len(published))
    findings = stage.judged(published)
    times = stage.times(FIRST)
    sight = watch.opened(FIRST, after=begin)
    moved = flows_from(stage.times(SECOND), begin=begin, rate=RATE)
    stopped = quiet_since(times, begin=begin, end=mended, gap=GAP)
    alerts = [
        each for each in stage.log_lines("notify.circuit_locked_open") if each["level"] == "error"
    ]
    return [
        Figure("opened after", sight.since - begin if sight else math.inf, "s", most=1.0),
        Figure("stopped after", stopped - begin, "s", most=WITHIN),
        Figure("on the second after", moved - begin, "s", most=WITHIN),
        Figure("calls while held", count(times, stopped + 0.001, asked), most=0),
        Figure("alerts", len(alerts), least=1),
        Figure("recovered after the word", max(recovered, 0.0), "s", most=WITHIN),
        Figure("lost", findings.lost, most=0),
        Figure("not sent", not_sent(stage), most=0),
    ]
