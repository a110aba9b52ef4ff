"""A bulk plan whose runner is killed while it replays the dead letters of an outage."""

from __future__ import annotations

from sqlalchemy import select

from notify.sandbox import Behaviour
from notify.store import Store
from notify.store.tables import plans
from tests.faults.fleet import ARCHIVER
from tests.faults.stage import Stage, until

DEAD_AT_LEAST = 300
"""Dead letters that the plan replays."""
KILLED_AT = 60
"""Items of the plan that are settled when its runner is killed."""
_PLAN = ("plan", "new", "replay", "--cause", "failed", "--rate", "40", "--reason", "drill")


def kill_runner(stage: Stage) -> None:
    """
    Kill the runner of a plan, and start it again.

    Raises:
        TimeoutError: There was nothing to replay, or the plan does not end.
    """
    stage.fleet.start(ARCHIVER)
    stage.fleet.ready(ARCHIVER)
    stage.sandbox.switch.set(behaviour=Behaviour.DOWN)
    if not until(lambda: stage.archived() >= DEAD_AT_LEAST, timeout=60):
        raise TimeoutError("nothing is archived")
    stage.sandbox.switch.set(behaviour=None)
    stage.healed()
    stage.fleet.at_once([(*_PLAN, "--start", "--yes")])
    if not until(lambda: position(stage.store) >= KILLED_AT, timeout=60):
        raise TimeoutError("the plan does not begin")
    stage.fleet.kill(ARCHIVER)
    if state(stage.store) != "running":
        raise ValueError("the plan was over before its runner was killed")
    stage.fleet.start(ARCHIVER)
    stage.fleet.ready(ARCHIVER)
    if not until(lambda: state(stage.store) == "done", timeout=120):
        raise TimeoutError("the plan does not go on")


def position(store: Store) -> int:
    """Return how many items of the only plan are settled; 0 without a plan."""
    with store.reading() as connection:
        return connection.execute(select(plans.c.position)).scalar() or 0


def state(store: Store) -> str:
    """Return the state of the only plan."""
    with store.reading() as connection:
        return str(connection.execute(select(plans.c.state)).scalar())
