"""The drills: faults while four workers deliver a steady stream of notifications."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from notify.sandbox import Behaviour
from tests.faults import bulk, bulk_plan, failover, survivor
from tests.faults.combined import (
    cut_leader_off,
    kill_broker_and_workers,
    kill_database_while_down,
    kill_leader,
)
from tests.faults.fleet import ARCHIVER, WORKERS
from tests.faults.load import CHANNELS, request
from tests.faults.stage import Stage, until
from tests.faults.terms import CONCURRENCY, Terms
from tests.faults.worker import Point
from tests.support.malformed import MALFORMED

PLAIN = Terms()
CLUSTERED = Terms(clustered=True)
OUTAGE = 5.0
"""Seconds that a vendor fails."""
BULK = Terms(batch_size=bulk.BATCH, minimum=600)
DEAD_AT_LEAST = 500
"""Dead letters that are replayed twice at once."""
PASSING = {
    Point.BEFORE_CLAIM: 30,
    Point.AFTER_CLAIM: 30,
    Point.DURING_CALL: 60,
    Point.AFTER_ANSWER: 60,
    Point.BEFORE_ACK: 40,
    Point.DURING_BATCH: 1,
    Point.ANNOUNCED: 2,
}
"""How often a worker passes each point; it dies at the last one."""


@dataclass(frozen=True, slots=True)
class Drill:
    """One fault, and its highest permitted cost."""

    name: str
    fault: Callable[[Stage], None]
    """Runs under load; returns when the fault ends."""
    cut_workers: int = 0
    """How many workers of each channel lose their calls in flight."""
    die_at: Point | None = None
    """Where all four workers kill themselves, once each."""
    batch: int = 0
    """The recipients of the batch that the fault cuts off, if it does."""
    terms: Terms = PLAIN
    workers: Sequence[str] = WORKERS
    """The workers that run when the fault begins."""

    @property
    def cuts(self) -> int:
        """How many messages of each channel may be cut off."""
        return self.cut_workers * (CONCURRENCY if self.batch == 0 else CONCURRENCY + self.batch)


def _killed_at_a_point(stage: Stage) -> None:
    stage.fleet.killed(*WORKERS)
    stage.healed()
    stage.fleet.start(*WORKERS)
    stage.fleet.ready(*WORKERS)


def _kill_all(stage: Stage) -> None:
    stage.fleet.kill(*WORKERS)
    stage.healed()
    stage.fleet.start(*WORKERS)
    stage.fleet.ready(*WORKERS)


def sigterms(rounds: int) -> Callable[[Stage], None]:
    """Return a fault that stops one worker of each channel under load, and starts it, in turn."""

    def fault(stage: Stage) -> None:
        for number in range(rounds):
            pair = WORKERS[:2] if number % 2 else WORKERS[2:]
            stage.fleet.stop(*pair)
            stage.fleet.start(*pair)
            stage.fleet.ready(*pair)

    return fault


def _roll(stage: Stage) -> None:
    for name in WORKERS:
        fresh = f"{name}-new"
        stage.fleet.start(fresh)
        stage.fleet.ready(fresh)
        stage.fleet.stop(name)


def _freeze(stage: Stage) -> None:
    stage.fleet.freeze(*WORKERS[:2])
    time.sleep(25)
    stage.fleet.thaw(*WORKERS[:2])


def _restart_broker(stage: Stage) -> None:
    stage.broker.restart()


def _kill_broker(stage: Stage) -> None:
    stage.broker.kill()
    stage.broker.restart()


def _alarm(stage: Stage) -> None:
    stage.broker.ctl("set_vm_memory_high_watermark", "absolute", "1MB")
    time.sleep(10)
    stage.broker.ctl("set_vm_memory_high_watermark", "0.6")


def _stop_database(stage: Stage) -> None:
    stage.services.postgresql.pause()
    time.sleep(60)
    stage.services.postgresql.resume()


def _kill_database(stage: Stage) -> None:
    stage.services.postgresql.kill()
    time.sleep(60)
    stage.services.postgresql.resume()


def vendors(behaviour: Behaviour, *, seconds: float = OUTAGE) -> Callable[[Stage], None]:
    """Return a fault in which every vendor has one behaviour for a while."""

    def fault(stage: Stage) -> None:
        stage.vendors(behaviour, seconds=seconds)

    return fault


def _refuse(stage: Stage) -> None:
    stage.refuse(seconds=OUTAGE)


def _flood(stage: Stage) -> None:
    for number in range(2):
        stage.load.flood(request(number), copies=1000)


def _poison(stage: Stage) -> None:
    """Publish poison among healthy messages; kill the archiver while it archives."""
    stage.fleet.start(ARCHIVER)
    stage.fleet.ready(ARCHIVER)
    rows = [row for row in MALFORMED if row.routing_key.startswith(tuple(CHANNELS))]
    stage.load.poison(rows)
    stage.fleet.kill(ARCHIVER)
    stage.load.poison(rows)
    stage.fleet.start(ARCHIVER)
    stage.fleet.ready(ARCHIVER)


def _replay_twice(stage: Stage) -> None:
    """Two operators replay the dead letters of an outage at the same moment."""
    stage.fleet.start(ARCHIVER)
    stage.fleet.ready(ARCHIVER)
    stage.sandbox.switch.set(behaviour=Behaviour.DOWN)
    if not until(lambda: stage.archived() >= DEAD_AT_LEAST, timeout=60):
        raise TimeoutError("nothing is archived")
    stage.sandbox.switch.set(behaviour=None)
    stage.healed()
    chosen = ("--cause", "failed", "--rate", "200", "--limit", "1000")
    replay = ("dead", "replay", *chosen, "--reason", "drill", "--yes")
    stage.fleet.at_once([replay, replay])


_POINTS = {
    Point.BEFORE_CLAIM: "kill -9 before the claim",
    Point.AFTER_CLAIM: "kill -9 after the claim",
    Point.DURING_CALL: "kill -9 during the call",
    Point.AFTER_ANSWER: "kill -9 after the answer",
    Point.BEFORE_ACK: "kill -9 after the record, before the ack",
    Point.ANNOUNCED: "kill -9 after an event is published, before it is marked",
}

_ALL = (
    *(
        Drill(name, _killed_at_a_point, cut_workers=2, die_at=point)
        for point, name in _POINTS.items()
    ),
    Drill(
        "kill -9 during a request of 1,000",
        bulk.killed_in_a_batch,
        cut_workers=1,
        die_at=Point.DURING_BATCH,
        batch=bulk.BATCH,
        terms=BULK,
    ),
    Drill("a lost answer for 1,000", bulk.lost_batch, terms=BULK),
    Drill("kill -9 of all workers, real lease", _kill_all, cut_workers=2, terms=Terms(lease=60)),
    Drill(
        "kill -9 of 4 of 5 workers, real lease",
        survivor.kill_all_but_one,
        cut_workers=4,
        terms=Terms(lease=60, timeout=10),
        workers=survivor.WORKERS,
    ),
    Drill("kill -9 of all workers, SQLite", _kill_all, cut_workers=2, terms=Terms(on_sqlite=True)),
    Drill("SIGTERM under load x 20", sigterms(10)),
    Drill("rolling restart", _roll),
    Drill("SIGSTOP past the lease", _freeze, cut_workers=1),
    Drill("broker restart", _restart_broker),
    Drill("broker kill -9", _kill_broker),
    Drill("broker memory alarm", _alarm),
    Drill("PostgreSQL stopped for 60 s", _stop_database, cut_workers=2, terms=Terms(rate=50)),
    Drill("PostgreSQL kill -9, away for 60 s", _kill_database, cut_workers=2, terms=Terms(rate=50)),
    Drill("cluster: leader kill -9", kill_leader, terms=CLUSTERED),
    Drill("cluster: leader cut off for 30 s", cut_leader_off, terms=CLUSTERED),
    Drill("broker and a worker kill -9 at once", kill_broker_and_workers, cut_workers=1),
    Drill(
        "PostgreSQL kill -9 while the provider answers 503",
        kill_database_while_down,
        cut_workers=2,
        terms=Terms(rate=50),
    ),
    Drill("provider: refused", _refuse, cut_workers=2),
    Drill("provider: 500", vendors(Behaviour.ERROR)),
    Drill("provider: 503", vendors(Behaviour.DOWN)),
    Drill("provider: 429 storm", vendors(Behaviour.THROTTLED)),
    Drill("provider: hang", vendors(Behaviour.HANG)),
    Drill("provider: reset", vendors(Behaviour.RESET)),
    Drill("provider: accepted, then reset", vendors(Behaviour.LOST, seconds=0.5)),
    Drill("provider: accepted, then timeout", vendors(Behaviour.MUTE, seconds=1.0)),
    Drill("provider: invalid JSON", vendors(Behaviour.GARBLED)),
    Drill(
        "SendGrid down, an SMTP relay takes over",
        failover.second_takes_over,
        terms=Terms(relayed=True),
    ),
    Drill("1,000 duplicates of one id at once", _flood),
    Drill("poison among healthy neighbours", _poison),
    # With a circuit, an outage leaves no dead letters to replay.
    Drill(
        "the same replay twice at once",
        _replay_twice,
        terms=Terms(attempts=2, judged_calls=1_000_000),
    ),
    Drill(
        "kill -9 of a plan's runner",
        bulk_plan.kill_runner,
        terms=Terms(attempts=2, judged_calls=1_000_000),
    ),
)
DRILLS: Mapping[str, Drill] = {drill.name: drill for drill in _ALL}

_FEW = Terms(minimum=600)
QUICK: Mapping[str, Drill] = {
    drill.name: drill
    for drill in (
        replace(DRILLS[_POINTS[Point.DURING_CALL]], terms=_FEW),
        replace(DRILLS[_POINTS[Point.BEFORE_ACK]], terms=_FEW),
        Drill("SIGTERM under load x 6", sigterms(3), terms=_FEW),
        replace(DRILLS["broker kill -9"], terms=_FEW),
        replace(DRILLS["provider: accepted, then reset"], terms=_FEW),
        replace(DRILLS["1,000 duplicates of one id at once"], terms=_FEW),
    )
}
"""The drills for every change, with fewer notifications each."""
