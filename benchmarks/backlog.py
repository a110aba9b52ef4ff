"""
A long backlog: the workers' memory and rate over time.

Run it alone with `python -m benchmarks.backlog`; a million messages take a quarter of an hour.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass

import psutil

from benchmarks import load
from benchmarks.__main__ import Stage, staged
from benchmarks.report import table
from benchmarks.stage import Nginx, processes
from benchmarks.throughput import notify

PERIOD = 10.0
"""Seconds between two samples."""
WARM = 0.1
"""The part of the backlog after which memory must not grow."""
MB = 1_000_000


@dataclass(frozen=True, slots=True)
class Sample:
    """One moment of the delivery."""

    seconds: float
    delivered: int
    rss: Sequence[float]
    """MB of each worker."""


def deliver(stage: Stage, *, messages: int) -> list[Sample]:
    """Publish the backlog, let two workers deliver it, and return samples until its end."""
    provider = Nginx(stage.folder)
    contender = notify("backlog", config=stage.config("PostgreSQL", provider.url))
    print(f"publishing {messages:,} messages", flush=True)
    load.backlog(stage.amqp, messages, build=load.plain, route=load.PLAIN_ROUTE)
    samples: list[Sample] = []
    log = stage.folder / "backlog.log"
    try:
        before, began = provider.served(), time.monotonic()
        with processes(contender.commands, environ=contender.environ, log=log) as workers:
            while not samples or samples[-1].delivered < messages:
                time.sleep(PERIOD)
                if any(worker.poll() is not None for worker in workers):
                    raise RuntimeError(f"a worker ended; see {log}")
                sizes = [psutil.Process(each.pid).memory_info().rss / MB for each in workers]
                seconds, delivered = time.monotonic() - began, provider.served() - before
                samples.append(Sample(seconds, delivered, sizes))
    finally:
        provider.stop()
    return samples


def growth(samples: Sequence[Sample], *, messages: int) -> float:
    """Return the most MB by which a worker grew after the first tenth of the backlog."""
    warm = [each for each in samples if each.delivered >= messages * WARM]
    first = warm[0]
    return max(max(each.rss[n] for each in warm) - first.rss[n] for n in range(len(first.rss)))


def main() -> None:
    """Deliver the backlog, and print a row for each tenth of it."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backlog", description=__doc__)
    parser.add_argument("--messages", type=int, default=1_000_000)
    messages: int = parser.parse_args().messages
    with staged() as stage:
        samples = deliver(stage, messages=messages)
    shown = [samples[len(samples) * part // 10] for part in range(10)] + [samples[-1]]
    rows = [
        [f"{each.seconds:,.0f}", f"{each.delivered:,}", *(f"{size:.0f}" for size in each.rss)]
        for each in shown
    ]
    print(table(["seconds", "delivered", "worker 1 MB", "worker 2 MB"], rows))
    rate = samples[-1].delivered / samples[-1].seconds
    print(
        f"backlog={messages} rate={rate:.0f} rss_growth_mb={growth(samples, messages=messages):.1f}"
    )


if __name__ == "__main__":
    main()
