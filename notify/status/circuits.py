"""The providers' circuits as all workers share them, and how they changed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from notify.policies.breaker import Circuit, Counts, Rules
from notify.status.plain import iso
from notify.store import Store
from notify.store.db import read_clock
from notify.store.flow import CircuitChange, circuits


@dataclass(frozen=True, slots=True)
class CircuitStatus:
    """One provider's circuit, and how all workers' recent calls ended."""

    circuit: Circuit
    now: float
    """The time by the database's clock, in seconds since 1970."""
    window: float
    """Seconds that the counts reach back."""
    counts: Counts

    def as_json(self) -> dict[str, Any]:
        """Return the circuit as `notify breaker ls --json` prints it."""
        circuit, counts = self.circuit, self.counts
        return {
            "provider": circuit.provider,
            "state": circuit.state.value,
            "since": iso(circuit.since or None),
            "open_until": iso(circuit.open_until),
            "probe_until": iso(circuit.probe_until),
            "locked_open": circuit.stuck,
            "trips": circuit.trips,
            "cause": circuit.cause,
            "mode": circuit.mode.value,
            "mode_until": iso(circuit.mode_until),
            "actor": circuit.actor,
            "reason": circuit.reason,
            "window_seconds": self.window,
            **{name: getattr(counts, name) for name in _COUNTS},
            "failure_rate": _rate(counts.failures, counts.calls),
            "slow_rate": _rate(counts.slow, counts.calls),
        }


_COUNTS = ("calls", "failures", "slow", "unreachable", "neutral")


def read_circuits(store: Store, rules: Mapping[str, Rules]) -> list[CircuitStatus]:
    """
    Read the circuits of providers, in the order of their names.

    Args:
        rules: By provider, the rules of its circuit.

    Raises:
        StoreError: The record cannot be read.
    """
    return [_read(store, name, rules[name]) for name in sorted(rules)]


def _read(store: Store, provider: str, rules: Rules) -> CircuitStatus:
    with store.reading() as connection:
        now = read_clock(connection)
        circuit = circuits.current(connection, [provider])[provider].at(now)
        slices = circuits.read_calls(connection, [provider], since=rules.spans(now)[0])
    whole, _ = rules.sums([(each.bucket, each.counts) for each in slices], now)
    return CircuitStatus(circuit, now, rules.window, whole)


def change_as_json(change: CircuitChange) -> dict[str, Any]:
    """Return a change of a circuit as `notify breaker history --json` prints it."""
    values = asdict(change)
    return {"id": values.pop("id"), "at": iso(values.pop("at")), **values}


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None
