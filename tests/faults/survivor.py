"""All workers but one of each channel are lost at once, with most of their calls open."""

from __future__ import annotations

import time

from sqlalchemy import func, select

from notify.message import Status
from notify.store.tables import notifications
from tests.faults.load import CHANNELS
from tests.faults.stage import LATENCY, Stage, until

WORKERS = tuple(f"{channel}-{number}" for channel in CHANNELS for number in range(1, 6))
SURVIVORS = tuple(f"{channel}-1" for channel in CHANNELS)
SLOW = 1.2
"""Seconds that the vendors take before the kill, so that most calls of all workers are open."""
OPEN = 90
"""Open calls at the kill, of 160 at most: those of the dead exceed a survivor's prefetch,
which is 32 for each channel."""
TAKEN = 3.0
"""Seconds after which the survivors have received all that the dead ones had."""


def kill_all_but_one(stage: Stage) -> None:
    """
    Kill four of five workers of each channel, and start no others.

    The service must continue without waiting for the leases of their calls. Acceptances
    are counted from a moment at which the survivors' own calls have ended.
    """
    stage.sandbox.switch.set(latency=SLOW)
    if not until(lambda: _open_calls(stage) >= OPEN, timeout=60):
        raise TimeoutError("too few calls are open")
    stage.fleet.kill(*(name for name in WORKERS if name not in SURVIVORS))
    stage.sandbox.switch.set(latency=LATENCY)
    time.sleep(TAKEN)
    stage.healed()


def _open_calls(stage: Stage) -> int:
    sending = select(func.count()).where(notifications.c.status == Status.SENDING)
    with stage.store.reading() as connection:
        return connection.scalar(sending) or 0
