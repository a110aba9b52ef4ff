"""What flow control and operators keep from going on: circuits, limits, holds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from notify.doctor.finding import Finding, fail, ok, warn
from notify.flow import LONG
from notify.message import Channel
from notify.policies.breaker import Circuit, CircuitState, Mode
from notify.policies.holds import Hold
from notify.service import lines_limits
from notify.settings import Settings
from notify.store import Store
from notify.store.flow import LimitRow, circuits, holds, limits


@dataclass(frozen=True, slots=True)
class OverridesSnapshot:
    """All of it at one moment."""

    now: float
    """By the database's clock."""
    circuits: Mapping[str, Circuit]
    holds: Sequence[Hold]
    limits: Mapping[str, LimitRow]

    @classmethod
    def read(cls, store: Store, settings: Settings) -> OverridesSnapshot:
        """
        Read it as the workers do.

        Raises:
            StoreError: It cannot be read.
        """
        with store.reading() as connection:
            stand, now = holds.current(connection)
            known = circuits.current(connection, settings.providers)
            seen, _ = limits.read(connection, _limits_in_use(settings))
        return cls(
            now,
            {name: each.at(now) for name, each in known.items()},
            stand,
            {each.name: each for each in seen},
        )

    def pause(self, settings: Settings, channel: Channel, lane: str) -> str | None:
        """Tell why workers do not consume a queue; None where they should."""
        for hold in self.holds:
            if hold.stops_queue(channel, lane):
                return f"hold {hold.id} stops it"
        shut = {
            name: self._shut(settings, channel, name)
            for name in settings.channels[channel].providers
        }
        if all(shut.values()):
            return "; ".join(f"{name}: {why}" for name, why in shut.items())
        return None

    def _shut(self, settings: Settings, channel: Channel, provider: str) -> str | None:
        for hold in self.holds:
            if hold.stops_provider(provider):
                return f"hold {hold.id} stops it"
        if self.circuits[provider].wait(self.now) > LONG:
            return "its circuit is open"
        for name in lines_limits(settings, channel, provider)["limits"]:
            seen = self.limits.get(name)
            if seen and max(seen.standing.paused(self.now), seen.standing.tat - self.now) > LONG:
                return f"its limit {name} is used up or paused"
        return None


def _limits_in_use(settings: Settings) -> list[str]:
    return [
        name
        for channel, wanted in settings.channels.items()
        for provider in wanted.providers
        for name in lines_limits(settings, channel, provider)["limits"]
    ]


def findings(standing: OverridesSnapshot) -> Iterator[Finding]:
    """Tell which circuits are not closed, and which holds nobody will end."""
    told = [*_circuits(standing), *_holds(standing)]
    yield from told
    names = {each.check for each in told}
    if "circuits" not in names:
        yield ok("circuits", f"all {len(standing.circuits)} are closed")
    if "holds" not in names:
        count = len(standing.holds)
        yield ok("holds", f"{count} stand, each with an end" if count else "none stands")


def _circuits(standing: OverridesSnapshot) -> Iterator[Finding]:
    for name, circuit in standing.circuits.items():
        auto = f'notify breaker auto {name} --reason "..."'
        if circuit.mode is not Mode.AUTO:
            words = {Mode.OPEN: "forced open", Mode.CLOSED: "forced closed"}
            how = words.get(circuit.mode, "in the shadow")
            ends = f"until {_time(circuit.mode_until)} UTC" if circuit.mode_until else "without end"
            text = f"{name} is {how} {ends}, by {circuit.actor}: {circuit.reason}"
            yield warn("circuits", text, fix=auto)
        elif circuit.stuck:
            text = f"{name} stays open until an operator's word: {circuit.cause}"
            yield fail("circuits", text, fix=f"mend the cause, then: {auto}")
        elif circuit.state is not CircuitState.CLOSED:
            yield warn("circuits", f"{name} is open: {circuit.cause}", fix="notify breaker ls")


def _holds(standing: OverridesSnapshot) -> Iterator[Finding]:
    for hold in standing.holds:
        if hold.until is None:
            since = f"since {_time(hold.since)} UTC"
            text = f"hold {hold.id} has no end: {hold}, {since} by {hold.actor}: {hold.reason}"
            yield warn("holds", text, fix=f'notify release --id {hold.id} --reason "..."')


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M}"
