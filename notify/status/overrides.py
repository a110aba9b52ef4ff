"""Circuits, limits and holds that keep messages from being sent, at one moment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from notify.flow import LONGEST_WAIT
from notify.message import Channel
from notify.policies.breaker import Circuit
from notify.policies.holds import Hold
from notify.service.flow import lines_limits
from notify.settings import Settings
from notify.store import Store
from notify.store.flow import LimitRow, circuits, holds, limits


@dataclass(frozen=True, slots=True)
class OverridesSnapshot:
    """The circuits, holds and used limits that the workers act on."""

    now: float
    """The time by the database's clock, in seconds since 1970."""
    circuits: Mapping[str, Circuit]
    holds: Sequence[Hold]
    limits: Mapping[str, LimitRow]

    @classmethod
    def read(cls, store: Store, settings: Settings) -> OverridesSnapshot:
        """
        Read the same rows as the workers.

        Raises:
            StoreError: The record cannot be read.
        """
        with store.reading() as connection:
            current, now = holds.current(connection)
            known = circuits.current(connection, settings.providers)
            seen, _ = limits.read(connection, _limits_in_use(settings))
        return cls(
            now,
            {name: circuit.at(now) for name, circuit in known.items()},
            current,
            {row.name: row for row in seen},
        )

    def pause(self, settings: Settings, channel: Channel, lane: str) -> str | None:
        """Return why workers do not consume a queue; None if they should."""
        for hold in self.holds:
            if hold.stops_queue(channel, lane):
                return f"hold {hold.id} stops it"
        reasons = {
            name: self._unavailable(settings, channel, name)
            for name in settings.channels[channel].providers
        }
        if all(reasons.values()):
            return "; ".join(f"{name}: {why}" for name, why in reasons.items())
        return None

    def _unavailable(self, settings: Settings, channel: Channel, provider: str) -> str | None:
        for hold in self.holds:
            if hold.stops_provider(provider):
                return f"hold {hold.id} stops it"
        if self.circuits[provider].wait(self.now) > LONGEST_WAIT:
            return "its circuit is open"
        for name in lines_limits(settings, channel, provider)["limits"]:
            seen = self.limits.get(name)
            if seen and max(seen.state.paused(self.now), seen.state.tat - self.now) > LONGEST_WAIT:
                return f"its limit {name} is used up or paused"
        return None


def _limits_in_use(settings: Settings) -> list[str]:
    return [
        name
        for channel, wanted in settings.channels.items()
        for provider in wanted.providers
        for name in lines_limits(settings, channel, provider)["limits"]
    ]
