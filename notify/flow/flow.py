"""The parts of flow control of one worker process."""

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
    """The limits, circuits, holds and caps in force, as one process last read them."""

    circuits: Circuits
    limiter: Limiter
    holds: Holds
    guard: Guard
    own_limits: OwnLimits

    def refresh(self) -> None:
        """
        Exchange the shared state with the store; a part that fails does not stop the others.

        Raises:
            StoreError: The store cannot be used; the known states stay in force.
        """
        failed: StoreError | None = None
        for part in (self.holds, self.circuits, self.limiter, self.guard):
            try:
                part.refresh()
            except StoreError as error:
                failed = error
        if failed is not None:
            raise failed
