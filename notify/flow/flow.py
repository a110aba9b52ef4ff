"""Flow control in one worker process: what may be sent now, through whom, and how long to wait."""

from __future__ import annotations

from dataclasses import dataclass

from notify.errors import StoreError
from notify.flow.circuits import Circuits
from notify.flow.guard import Guard
from notify.flow.holds import Holds
from notify.flow.limiter import Limiter
from notify.flow.own_limits import OwnLimits


@dataclass(frozen=True, slots=True)
class Flow:
    """What one process knows of all that may keep a message from being sent now."""

    circuits: Circuits
    limiter: Limiter
    holds: Holds
    guard: Guard
    own_limits: OwnLimits

    def refresh(self) -> None:
        """
        Exchange with the store what all workers share; each part tries, whatever the others met.

        Raises:
            StoreError: The store cannot be used; what was known before stays in force.
        """
        failed: StoreError | None = None
        for part in (self.holds, self.circuits, self.limiter, self.guard):
            try:
                part.refresh()
            except StoreError as error:
                failed = error
        if failed is not None:
            raise failed
