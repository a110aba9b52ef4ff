"""Faults of a cluster of brokers, and faults of two parts at once."""

from __future__ import annotations

import time

from notify.sandbox import Behaviour
from tests.faults.cluster import Cluster
from tests.faults.fleet import WORKERS
from tests.faults.stage import Stage

CUT_OFF = 30.0
"""Seconds that a cluster's node is cut off from the others."""
AWAY = 20.0
"""Seconds that a killed node or database stays away."""


def kill_leader(stage: Stage) -> None:
    """Kill the node that leads the queues: two of three continue, and the third returns later."""
    stage.broker.kill()
    stage.healed()
    time.sleep(AWAY)
    stage.broker.restart()


def cut_leader_off(stage: Stage) -> None:
    """Cut the node that leads the queues off from the other two, while clients still reach it."""
    cluster = stage.broker
    assert isinstance(cluster, Cluster)
    cluster.cut()
    time.sleep(CUT_OFF)
    cluster.heal()


def kill_broker_and_workers(stage: Stage) -> None:
    """Kill one worker of each channel and the broker in the same moment."""
    lost = WORKERS[:2]
    stage.broker.kill()
    stage.fleet.kill(*lost)
    stage.broker.restart()
    stage.healed()
    stage.fleet.start(*lost)
    stage.fleet.ready(*lost)


def kill_database_while_down(stage: Stage) -> None:
    """Kill the database while every vendor answers 503; both come back at the same time."""
    stage.sandbox.switch.set(behaviour=Behaviour.DOWN)
    time.sleep(1)
    stage.services.postgresql.kill()
    time.sleep(AWAY)
    stage.sandbox.switch.set(behaviour=None)
    stage.services.postgresql.resume()
