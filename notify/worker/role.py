"""The role of a worker process: its queues and its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from notify.arrival import Decision
from notify.settings import Settings
from notify.worker.work import Component, Work


@dataclass(frozen=True, slots=True)
class WorkerRole:
    """
    The queues of one worker process, and its parts.

    Attributes:
        queues: The queues that it consumes.
        prefetch: Returns at once how many messages of a queue may be unacknowledged, 0 for none.
        work: Processes the messages.
        on_crash: The decision on messages whose batch raises an unexpected error.
        change: Applies a changed configuration, or raises `ConfigError`.
        before: Components to start before the work and to stop after it.
        after: Components to start after the work and to stop before it.
        close: Closes the resources of all parts, once these are stopped.
        linger: Seconds that a message waits for others of its batch at most.
    """

    queues: Sequence[str]
    prefetch: Callable[[str], int]
    work: Work
    on_crash: Decision
    change: Callable[[Settings], None]
    before: Sequence[Component]
    after: Sequence[Component]
    close: Callable[[], None]
    linger: float = 0.0
