"""The circuits' changes, from the record that all workers share."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from sqlalchemy import select

from notify.errors import StoreError
from notify.policies.breaker import CircuitState
from notify.store import Store
from notify.store.tables import circuits

EVERY = 0.1


@dataclass(frozen=True, slots=True)
class Sight:
    """A circuit as it was from a moment on."""

    at: float
    provider: str
    state: CircuitState
    since: float
    open_until: float | None
    cause: str | None


class Watch:
    """Reads the circuits ten times a second within a context, and records changes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._seen: dict[str, list[Sight]] = {}
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="watch", daemon=True)

    def __enter__(self) -> Self:
        """Start reading."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop reading."""
        self._over.set()
        self._thread.join()

    def of(self, provider: str) -> list[Sight]:
        """Return the changes of a provider's circuit, in order."""
        return list(self._seen.get(provider, ()))

    def opened(self, provider: str, *, after: float) -> Sight | None:
        """Find where a circuit first opened after a moment."""
        found = (each for each in self.of(provider) if each.state is CircuitState.OPEN)
        return next((each for each in found if each.since >= after), None)

    def spans(self, provider: str) -> list[tuple[float, float]]:
        """Return when a circuit opened, and when it might be probed, each time."""
        return sorted(
            {
                (each.since, each.open_until)
                for each in self.of(provider)
                if each.state is CircuitState.OPEN and each.open_until is not None
            }
        )

    def _run(self) -> None:
        while not self._over.wait(EVERY):
            try:
                self._look()
            except StoreError:
                continue

    def _look(self) -> None:
        with self._store.reading() as connection:
            rows = list(connection.execute(select(circuits)))
        for row in rows:
            told = (CircuitState(row.state), row.since, row.open_until, row.cause)
            sights = self._seen.setdefault(row.provider, [])
            last = sights[-1] if sights else None
            if last is None or (last.state, last.since, last.open_until, last.cause) != told:
                sights.append(Sight(time.time(), row.provider, *told))
