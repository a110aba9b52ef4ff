"""How soon `notify hold` stops messages under load, and how they end."""

from __future__ import annotations

import time
from collections.abc import Sequence

from benchmarks.flow.config import FIRST
from benchmarks.flow.figures import Figure
from benchmarks.flow.measure import count
from benchmarks.flow.messages import SOURCE, maker
from benchmarks.flow.outage import RATE, flowing_again, not_sent, under_way
from benchmarks.flow.stage import REST, WORKERS, Stage
from notify.message import Channel

EFFECTIVE = 2.0
"""Seconds in which a hold is in effect on all workers."""
SCOPES = (("--channel", "email"), ("--source", SOURCE))
"""A hold that stops consumption, and one that defers messages one by one."""


def play(stage: Stage) -> Sequence[Figure]:
    """Hold a whole channel and then a source, each for a while, and release it."""
    stage.start(*WORKERS)
    load = stage.load(RATE, maker(Channel.EMAIL))
    under_way(stage)
    figures: list[Figure] = []
    for option, value in SCOPES:
        figures += _round(stage, option, value)
    load.finish(timeout=REST, tail=0)
    published = load.journal.latest()
    stage.come_to_rest(len(published))
    findings = stage.judged(published)
    return [
        *figures,
        Figure("lost", findings.lost, most=0),
        Figure("not sent", not_sent(stage), most=0),
    ]


def _round(stage: Stage, option: str, value: str) -> list[Figure]:
    held = stage.notify("hold", option, value, "--reason", "bench")
    time.sleep(stage.seconds(10.0, 6.0))
    asked = time.time()
    released = stage.notify("release", option, value, "--reason", "bench")
    flowing = flowing_again(stage, FIRST, since=asked, timeout=60)
    # Twice the rate, since the held messages are sent too.
    time.sleep(stage.seconds(10.0, 5.0))
    times = stage.times(FIRST)
    after = [at for at in times if held <= at < asked]
    name = f"hold {option} {value}"
    return [
        Figure(f"{name}: last call after", max(after, default=held) - held, "s"),
        Figure(f"{name}: calls after 2 s", count(times, held + EFFECTIVE, asked), most=0),
        Figure(f"{name}: flowing after release", max(flowing - (released - asked), 0), "s"),
    ]
