"""Circuits as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from notify.cli.console import Table
from notify.policies.breaker import Circuit, CircuitState, Counts, Mode, Rules
from notify.store import Store
from notify.store.db import read_clock
from notify.store.flow import circuits as shared

COLOURS = {CircuitState.CLOSED: "green", CircuitState.OPEN: "red", CircuitState.HALF_OPEN: "yellow"}
"""The colour of each state."""
_WORDS = {Mode.OPEN: "forced open", Mode.CLOSED: "forced closed"}


@dataclass(frozen=True, slots=True)
class CircuitStatus:
    """One provider's circuit, and how all workers' calls ended lately."""

    circuit: Circuit
    now: float
    """The time, by the database's clock."""
    window: float
    """Seconds that the counts reach back."""
    counts: Counts


def look(store: Store, provider: str, rules: Rules) -> CircuitStatus:
    """Look at one provider's circuit, as all workers share it."""
    with store.reading() as connection:
        now = read_clock(connection)
        circuit = shared.current(connection, [provider])[provider].at(now)
        slices = shared.read_calls(connection, [provider], since=rules.spans(now)[0])
    whole, _ = rules.sums([(each.bucket, each.counts) for each in slices], now)
    return CircuitStatus(circuit, now, rules.window, whole)


def listing(looks: Sequence[CircuitStatus]) -> Table:
    """Make a line of each circuit."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("provider", "state", "since (UTC)", "next"):
        table.add_column(title, no_wrap=True)
    for title in ("calls", "failed", "slow"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("why", min_width=20)
    for each in looks:
        counts = each.counts
        table.add_row(
            each.circuit.provider,
            Text(state(each.circuit), style=COLOURS[each.circuit.state]),
            _time(each.circuit.since),
            _next(each),
            f"{counts.calls:,}",
            _percent(counts.failures, counts.calls),
            _percent(counts.slow, counts.calls),
            Text("; ".join(_why(each.circuit))),
        )
    return table


def state(circuit: Circuit) -> str:
    """Tell in words where a circuit stands."""
    told = _WORDS.get(circuit.mode)
    words = told or circuit.state.value.replace("_", "-")
    return f"{words} (shadow)" if circuit.mode is Mode.SHADOW else words


def dumped(look: CircuitStatus) -> dict[str, Any]:
    """Make of a circuit what JSON can hold."""
    circuit, counts = look.circuit, look.counts
    return {
        "provider": circuit.provider,
        "state": circuit.state.value,
        "since": _iso(circuit.since or None),
        "open_until": _iso(circuit.open_until),
        "probe_until": _iso(circuit.probe_until),
        "held": circuit.stuck,
        "trips": circuit.trips,
        "cause": circuit.cause,
        "mode": circuit.mode.value,
        "mode_until": _iso(circuit.mode_until),
        "actor": circuit.actor,
        "reason": circuit.reason,
        "window_seconds": look.window,
        "calls": counts.calls,
        "failures": counts.failures,
        "slow": counts.slow,
        "unreachable": counts.unreachable,
        "neutral": counts.neutral,
        "failure_rate": _rate(counts.failures, counts.calls),
        "slow_rate": _rate(counts.slow, counts.calls),
    }


def until(seconds: float | None) -> str:
    """Tell when an operator's word ends."""
    return "until further notice" if seconds is None else f"until {_time(seconds)} UTC"


def _next(look: CircuitStatus) -> str:
    circuit = look.circuit
    if circuit.mode in _WORDS:
        return until(circuit.mode_until)
    if circuit.stuck:
        return "waits for an operator"
    if circuit.probe_due(look.now):
        return "probed by the next call"
    if circuit.state is CircuitState.HALF_OPEN:
        return "is being probed"
    wait = (circuit.open_until or look.now) - look.now
    return f"probed in {max(wait, 0):.0f} s" if circuit.state is CircuitState.OPEN else ""


def _why(circuit: Circuit) -> Iterator[str]:
    if circuit.cause is not None:
        times = f" (opened {circuit.trips} times)" if circuit.trips > 1 else ""
        yield circuit.cause + times
    if circuit.actor is not None:
        shadow = circuit.mode is Mode.SHADOW
        span = f", shadow {until(circuit.mode_until)}" if shadow else ""
        yield f"{circuit.actor}{span}: {circuit.reason}"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""


def _rate(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def _time(seconds: float) -> str:
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M:%S}" if seconds else ""


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
