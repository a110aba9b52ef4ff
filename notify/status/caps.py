"""The caps: as they are configured, and how much of each is used in its current span."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from notify.policies.caps import Cap, CapPer
from notify.service.flow import caps
from notify.settings import Settings
from notify.status.plain import iso, moment
from notify.store import Store
from notify.store.db import read_clock
from notify.store.flow import read_cap_use


@dataclass(frozen=True, slots=True)
class CapUse:
    """The use of one count of a cap."""

    value: str
    """The source that it counts; empty if the cap counts all together."""
    used: float
    most: float

    @property
    def share(self) -> float:
        """The used part, from 0 to 1."""
        return min(1.0, max(0.0, self.used) / self.most) if self.most else 1.0


@dataclass(frozen=True, slots=True)
class CapStatus:
    """One cap, and its use."""

    cap: Cap
    ends: datetime
    """When its current span ends."""
    uses: Sequence[CapUse]
    """The most used counts first; of caps by recipient, none, since they are hashes."""

    def as_json(self) -> list[dict[str, Any]]:
        """Return a row for each count as `notify cap ls --json` prints it."""
        cap = self.cap
        none = 0.0 if cap.per is CapPer.ALL else None
        counts: list[tuple[str, float | None, float]] = [
            (each.value, each.used, each.most) for each in self.uses
        ]
        return [
            {
                "name": f"{cap.name}:{value}" if value else cap.name,
                "per": cap.per.value,
                "unit": cap.unit.value,
                "period": cap.period.value,
                "used": used,
                "most": most,
                "ends": iso(self.ends.timestamp()),
            }
            for value, used, most in counts or [("", none, cap.most)]
        ]


def read_caps(settings: Settings, store: Store) -> list[CapStatus]:
    """
    Read the caps in the order of their names.

    Raises:
        StoreError: The record cannot be read.
    """
    found = []
    for cap in sorted(caps(settings), key=lambda each: each.name):
        with store.reading() as connection:
            now = read_clock(connection)
            prefix = f"{cap.name}:" if cap.per is CapPer.SOURCE else ""
            wanted = cap.per is not CapPer.RECIPIENT
            rows = read_cap_use(connection, [cap.name], now=now, prefix=prefix) if wanted else []
        uses = [_use(cap, name.removeprefix(prefix or cap.name), used) for name, used in rows]
        found.append(CapStatus(cap, moment(cap.period.around(now)[1]), uses))
    return found


def _use(cap: Cap, value: str, used: float) -> CapUse:
    return CapUse(value, used, cap.sources.get(value, cap.most))
