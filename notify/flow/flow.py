"""The parts of flow control of one worker process."""

from __future__ import annotations

from contextlib import ExitStack, suppress
from dataclasses import dataclass

from notify.errors import StoreError
from notify.flow.circuits import Circuits
from notify.flow.guard import Guard
from notify.flow.holds import Holds
from notify.flow.limiter import Limiter
from notify.flow.own_limits import OwnLimits
from notify.store import Store


@dataclass(frozen=True, slots=True)
class Flow:
    """The limits, circuits, holds and caps in force, as one process last read them."""

    store: Store
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
        with ExitStack() as transaction:
            # If it cannot begin, each part finds that out by itself, and goes on without the store.
            with suppress(StoreError):
                transaction.enter_context(self.store.reads.together())
            for part in (self.holds, self.circuits, self.limiter, self.guard):
                try:
                    part.refresh()
                except StoreError as error:
                    failed = error
        if failed is not None:
            raise failed
