"""Running one drill: load, fault, rest, three ledgers, findings."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self

from tests.faults.checker import Findings, check
from tests.faults.drills import PASSING, Drill
from tests.faults.failover import relayed
from tests.faults.fleet import WorkerEnded
from tests.faults.ledgers import Recorded, Seen, read_sandbox
from tests.faults.load import CHANNELS
from tests.faults.stage import Services, Stage, staged, until

UNDER_WAY = 200
"""Notifications that the vendors have received when the fault begins."""
RESUMED_WITHIN = 15.0
AT_REST_WITHIN = 180.0


@dataclass(frozen=True, slots=True)
class Result:
    """A drill's result."""

    drill: Drill
    findings: Findings | None
    """None if it could not be played, which proves nothing."""
    resumed: float | None
    """Seconds from the fault's end to the first new acceptance, of the slower channel."""
    took: float
    violations: tuple[str, ...]
    obstacle: str = ""
    """Why it could not be played."""

    @classmethod
    def not_played(cls, drill: Drill, obstacle: str, *, took: float) -> Self:
        """Return the result of a drill that could not be played."""
        return cls(drill, None, None, took, (), obstacle)

    @property
    def good(self) -> bool:
        """Whether it was played and no promise was broken."""
        return self.findings is not None and not self.violations


def run(drill: Drill, shared: Services, folder: Path, *, within: float = RESUMED_WITHIN) -> Result:
    """
    Run one drill on running services, which stay up.

    Args:
        drill: The fault and its terms.
        shared: The services.
        folder: For its ledgers and logs.
        within: Seconds after the fault's end in which deliveries must resume.

    Raises:
        Exception: One of `OBSTACLES`: the drill could not be played. The services may be broken.
    """
    began = time.monotonic()
    with staged(shared, folder, drill.terms) as stage:
        try:
            _play(drill, stage)
        except WorkerEnded as error:
            stage.load.abandon()
            stage.fleet.faulty.append(f"the drill broke off: {error}")
        recorded = stage.recorded()
        by_relay = list(relayed(stage.relay, recorded))
        published = stage.load.journal.latest()
        faulty = stage.fleet.faulty
        healed_at = stage.healed_at
    seen = [*read_sandbox(folder / "sandbox.jsonl"), *by_relay]
    findings = check(published, recorded, seen, cuts=drill.cuts)
    resumed = _resumed(healed_at, seen, recorded)
    violations = (*findings.violations, *faulty)
    if resumed is None or resumed > within:
        violations += (f"the service did not resume within {within:g} s: {resumed}",)
    return Result(drill, findings, resumed, time.monotonic() - began, violations)


def _play(drill: Drill, stage: Stage) -> None:
    die_at = f"{drill.die_at}:{PASSING[drill.die_at]}" if drill.die_at else ""
    stage.fleet.start(*drill.workers, die_at=die_at)
    stage.fleet.ready(*drill.workers)
    stage.load.start()
    # Workers that kill themselves choose the moment; other faults begin under load.
    if drill.die_at is None and not until(lambda: _under_way(stage), timeout=60):
        raise TimeoutError("the workers deliver nothing")
    drill.fault(stage)
    if stage.healed_at is None:
        stage.healed()
    stage.load.finish(timeout=AT_REST_WITHIN)
    expected = sum(not each.poison for each in stage.load.journal.latest())
    until(lambda: stage.settled(expected=expected), timeout=AT_REST_WITHIN)
    until(stage.announced, timeout=AT_REST_WITHIN)
    # The product's own ledger must agree with ours, while its workers still run.
    stage.fleet.at_once([("ledger",)])
    stage.fleet.stop_all()


def _under_way(stage: Stage) -> bool:
    return stage.seen() >= UNDER_WAY


def _resumed(
    healed_at: datetime | None, seen: Collection[Seen], recorded: Recorded
) -> float | None:
    """Measure until the slower channel's first acceptance after the fault's end."""
    if healed_at is None:
        return None
    channels = {row.id: row.channel for row in recorded.rows}
    firsts = [
        min(
            (
                (each.at - healed_at).total_seconds()
                for each in seen
                if each.accepted and each.at >= healed_at and channels.get(each.id) is channel
            ),
            default=None,
        )
        for channel in CHANNELS
    ]
    if None in firsts:
        return None
    return max(first for first in firsts if first is not None)
