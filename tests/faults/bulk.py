"""Faults while a thousand emails are in one request."""

from __future__ import annotations

from notify.sandbox import Behaviour
from tests.faults.stage import Stage, until

BATCH = 1000
"""The recipients of a batch."""


def killed_in_a_batch(stage: Stage) -> None:
    """Publish a batch; the worker that has it in one request kills itself."""
    stage.load.batch(BATCH)
    name = stage.fleet.one_killed("email-1", "email-2")
    stage.healed()
    stage.fleet.start(name)
    stage.fleet.ready(name)


def lost_batch(stage: Stage) -> None:
    """Publish a batch while the vendors accept messages and lose their answers."""
    before = stage.seen()
    stage.sandbox.switch.set(behaviour=Behaviour.LOST)
    stage.load.batch(BATCH)
    reached = until(lambda: stage.seen() >= before + BATCH, timeout=60, pause=0.05)
    stage.sandbox.switch.set(behaviour=None)
    if not reached:
        raise TimeoutError("the batch was not sent")
