"""The rate limits: as they are configured, and as all workers share them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from notify.policies.ratelimit import Limit
from notify.service.flow import limits
from notify.settings import Settings
from notify.status.plain import iso
from notify.store import Store
from notify.store.flow import LimitRow
from notify.store.flow import limits as shared


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """One limit: as it is configured, and as all workers share it."""

    limit: Limit
    per: str | None
    """`source`, `recipient` or `country` if each value of it has its own limit; else None."""
    seen: LimitRow
    now: float
    """The time by the database's clock, in seconds since 1970."""

    @property
    def ceiling(self) -> float | None:
        """The rate that is set or configured."""
        return self.seen.state.ceiling(self.limit, self.now)

    @property
    def rate(self) -> float | None:
        """The rate in force, once a pause is over."""
        return self.seen.state.rate(self.limit, self.now)

    @property
    def set(self) -> bool:
        """Whether an operator's rate is in force."""
        state = self.seen.state
        ends = state.set_until
        return state.set_rate is not None and (ends is None or ends > self.now)

    @property
    def lowered(self) -> bool:
        """Whether the provider's complaints keep the rate below the ceiling."""
        return self.rate is not None and self.rate == self.seen.state.recovered(self.now)

    @property
    def pause(self) -> float:
        """Seconds for which the limit grants nothing."""
        return self.seen.state.paused(self.now)

    @property
    def differs(self) -> bool:
        """Whether anything but the configuration is in force."""
        return self.set or self.lowered or self.pause > 0

    def as_json(self) -> dict[str, Any]:
        """Return the limit as `notify limit ls --json` prints it."""
        state = self.seen.state
        return {
            "name": self.limit.name,
            "per": self.per,
            "configured_rate": self.limit.rate,
            "burst": 2 * self.limit.half if self.limit.rate else None,
            "rate": self.rate,
            "use": round(self.seen.use, 2),
            "lowered": self.lowered,
            "lowered_from": state.lowered_from if self.lowered else None,
            "paused_seconds": round(self.pause, 1),
            "set_rate": state.set_rate if self.set else None,
            "set_until": iso(state.set_until) if self.set else None,
            "actor": self.seen.actor if self.set else None,
            "reason": self.seen.reason if self.set else None,
        }


def parent_limit(settings: Settings, name: str) -> str | None:
    """Return the configured per-value limit that *name* belongs to: `each-source:crm` → its own."""
    parent, colon, value = name.partition(":")
    configured = settings.limits.get(parent)
    return parent if colon and value and configured and configured.per else None


def read_limits(settings: Settings, store: Store, *, everything: bool) -> list[LimitStatus]:
    """
    Read the configured limits, and those of single values, in the order of their names.

    Args:
        everything: Also the limits of single values that are as configured.

    Raises:
        StoreError: The record cannot be read.
    """
    known = limits(settings)
    with store.reading() as connection:
        rows, now = shared.read_all(connection, changed_only=not everything)
        rows += shared.read(connection, list(known))[0]
    seen = {row.name: row for row in rows}
    found = [_status(settings, limit, seen, now) for limit in known.values()]
    for name in seen.keys() - known.keys():
        parent = parent_limit(settings, name)
        if parent is None:
            continue
        rate = _status(settings, known[parent], seen, now).ceiling
        status = _status(settings, Limit(name, rate, known[parent].burst), seen, now)
        if everything or status.differs:
            found.append(status)
    return sorted(found, key=lambda status: status.limit.name)


def _status(
    settings: Settings, limit: Limit, seen: Mapping[str, LimitRow], now: float
) -> LimitStatus:
    configured = settings.limits.get(limit.name)
    per = configured.per if configured else None
    return LimitStatus(limit, per, seen.get(limit.name, LimitRow(limit.name)), now)
