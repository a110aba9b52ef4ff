"""The effect of 100,000 bulk emails on login codes and push messages."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from benchmarks.flow.config import FIRST, PUSH
from benchmarks.flow.figures import Figure
from benchmarks.flow.measure import count, delays, p95
from benchmarks.flow.messages import maker
from benchmarks.flow.stage import Stage
from notify.message import Channel
from notify.publisher import Publisher

BULK_RATE = 200.0
"""Emails a second: the provider's limit, for all lanes."""
PULSE = 5.0
"""Messages a second, for each of the two measured streams."""
WARM_UP = 5.0
BACKLOG = 100_000


@dataclass(slots=True)
class Pulse:
    """Publishes single messages at a steady pace within a context, and records the times."""

    url: str
    channel: Channel
    published: dict[str, float] = field(default_factory=dict)
    """When each was published, by its id."""
    _over: threading.Event = field(default_factory=threading.Event)
    _thread: threading.Thread | None = None

    def __enter__(self) -> Self:
        """Begin."""
        self._thread = threading.Thread(target=self._run, name="pulse", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End."""
        self._over.set()
        assert self._thread is not None
        self._thread.join()

    def _run(self) -> None:
        make = maker(self.channel, "critical")
        with Publisher(self.url) as publisher:
            number = 0
            while not self._over.wait(1 / PULSE):
                message = make(number)
                self.published[message.message_id] = time.time()
                publisher.publish(message)
                number += 1


def play(stage: Stage) -> Sequence[Figure]:
    """Measure critical email and push beside bulk at its limit, and on an idle system around it."""
    stage.start("email-1", "email-2", "push-1")
    with Pulse(stage.url, Channel.EMAIL) as critical, Pulse(stage.url, Channel.PUSH) as push:
        time.sleep(WARM_UP)
        idle = [span_of(stage, 30.0, 8.0)]
        stage.backlog(int(stage.seconds(BACKLOG, BACKLOG / 20)), maker(Channel.EMAIL, "bulk"))
        time.sleep(WARM_UP)
        busy = span_of(stage, 60.0, 12.0)
        queued = stage.purge("bulk")
        time.sleep(WARM_UP)
        idle.append(span_of(stage, 30.0, 8.0))
    stage.stop()
    flowed = count(stage.times(FIRST), *busy) / (busy[1] - busy[0])
    figures = [
        Figure("bulk left in the queue", queued, least=1),
        Figure("emails a second", flowed, least=0.97 * BULK_RATE, most=1.03 * BULK_RATE),
    ]
    for name, pulse, bound in ((FIRST, critical, 2.0), (PUSH, push, 1.2)):
        before = p95([each for span in idle for each in span_delays(stage, pulse, span, name)])
        after = p95(span_delays(stage, pulse, busy, name))
        who = "critical email" if name == FIRST else "push"
        figures += [
            Figure(f"{who}, p95 idle", 1000 * before, "ms"),
            Figure(f"{who}, p95 beside bulk", 1000 * after, "ms"),
            Figure(f"{who}, ratio", after / before, most=bound),
        ]
    return figures


def span_of(stage: Stage, full: float, quick: float) -> tuple[float, float]:
    """Run the pulses for this many seconds; return the span."""
    begin = time.time()
    time.sleep(stage.seconds(full, quick))
    return begin, time.time()


def span_delays(stage: Stage, pulse: Pulse, span: tuple[float, float], account: str) -> list[float]:
    """Return how long the messages of a span took to reach their provider."""
    begin, end = span
    published = {id_: at for id_, at in pulse.published.items() if begin <= at < end}
    found = delays(published, stage.arrivals(account))
    if missing := len(published) - len(found):
        stage.faults.append(f"{missing} messages never reached {account}")
    return found
