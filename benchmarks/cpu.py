"""CPU seconds of the processes that take part in a delivery, by their role."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import psutil

WORKER = "worker"


@dataclass(frozen=True, slots=True)
class CpuWatch:
    """
    Reads the CPU time of processes and all their descendants.

    On a noisy machine rates change by a third within minutes; CPU time for a message does not.

    Attributes:
        roles: Process ids by role, such as PostgreSQL; the contender's own are added by `of`.
    """

    roles: Mapping[str, Sequence[int]] = field(default_factory=dict)

    def of(self, pids: Sequence[int]) -> CpuWatch:
        """Return a watch of these workers and of the services."""
        return CpuWatch({WORKER: pids, **self.roles})

    def read(self) -> dict[str, float]:
        """Return the CPU seconds so far, by role."""
        return {role: sum(map(_seconds, pids)) for role, pids in self.roles.items()}


def cpu_between(before: Mapping[str, float], after: Mapping[str, float]) -> dict[str, float]:
    """Return the CPU seconds between two readings, by role."""
    return {role: after[role] - before[role] for role in after}


def _seconds(pid: int) -> float:
    """Return the time of a process and its descendants, those that ended included."""
    total = 0.0
    root = psutil.Process(pid)
    for process in [root, *root.children(recursive=True)]:
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system + times.children_user + times.children_system
    return total
