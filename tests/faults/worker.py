"""
A worker that kills itself at a chosen point: `python -m tests.faults.worker POOL [OPTIONS]`.

It is the product's own worker, with wrappers around the product's own functions. DIE_AT has
the point and how often it is passed, such as `after_claim:20`; LEASE sets the seconds
that others wait for a dead worker.
"""

from __future__ import annotations

import enum
import itertools
import os
import signal
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from functools import wraps
from typing import Any

from notify.cli import main
from notify.delivery.claiming import Claimer
from notify.gateway import ConfiguredProvider
from notify.relays import DueRows, announcer
from notify.store import Store
from notify.worker import settling


class Point(enum.StrEnum):
    """Where a worker dies."""

    BEFORE_CLAIM = "before_claim"
    AFTER_CLAIM = "after_claim"
    DURING_CALL = "during_call"
    AFTER_ANSWER = "after_answer"
    DURING_BATCH = "during_batch"
    BEFORE_ACK = "before_ack"
    ANNOUNCED = "announced"


IN_THE_MIDST = 0.1
"""Seconds after the request left, before the vendor answers."""
LARGE = 900
"""The fewest messages of a request that `Point.DURING_BATCH` counts."""

_PLACES: Mapping[Point, tuple[Any, str]] = {
    Point.BEFORE_CLAIM: (Store, "claim"),
    Point.AFTER_CLAIM: (Store, "claim"),
    Point.DURING_CALL: (ConfiguredProvider, "send"),
    Point.AFTER_ANSWER: (ConfiguredProvider, "send"),
    Point.DURING_BATCH: (ConfiguredProvider, "send_many"),
    Point.BEFORE_ACK: (settling, "write_acks"),
    Point.ANNOUNCED: (announcer, "mark_events_published"),
}


_MIDST = (Point.DURING_CALL, Point.DURING_BATCH)
_BEFORE = (Point.BEFORE_CLAIM, Point.BEFORE_ACK, Point.ANNOUNCED)
"""The points before the call of the function, not after it."""


def arm(point: Point, passing: int) -> None:
    """Wrap the function at the point, so that its n-th call ends the process."""
    owner, name = _PLACES[point]
    passings = itertools.count(1)
    plain = getattr(owner, name)

    @wraps(plain)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        small = point is Point.DURING_BATCH and len(args[1]) < LARGE
        if small or next(passings) != passing:
            return plain(*args, **kwargs)
        if point in _MIDST:
            threading.Timer(IN_THE_MIDST, die).start()
        elif point in _BEFORE:
            die()
        result = plain(*args, **kwargs)
        die()
        return result

    setattr(owner, name, wrapped)


def die() -> None:
    """End this process as a power cut would."""
    os.kill(os.getpid(), signal.SIGKILL)


def shorten(seconds: float) -> None:
    """Shorten the leases of dead workers, which a drill would mostly wait for."""
    Claimer.lease = timedelta(seconds=seconds)
    DueRows.lease_length = timedelta(seconds=seconds)


def run(start: Callable[[], object], environ: Mapping[str, str] = os.environ) -> None:
    """Configure the worker from the environment, and start it."""
    shorten(float(environ.get("LEASE", "60")))
    if where := environ.get("DIE_AT"):
        point, _, passing = where.partition(":")
        arm(Point(point), int(passing))
    start()


if __name__ == "__main__":
    run(main)
