"""Circuits as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text

from notify.cli.console import Table
from notify.cli.output import plain_table, until, utc
from notify.policies.breaker import Circuit, CircuitState, Mode
from notify.status.circuits import CircuitStatus

COLOURS = {CircuitState.CLOSED: "green", CircuitState.OPEN: "red", CircuitState.HALF_OPEN: "yellow"}
"""The colour of each state."""
_FORCED = {Mode.OPEN: "forced open", Mode.CLOSED: "forced closed"}


def listing(circuits: Sequence[CircuitStatus]) -> Table:
    """Return a table with a row for each circuit."""
    table = plain_table()
    for title in ("provider", "state", "since (UTC)", "next"):
        table.add_column(title, no_wrap=True)
    for title in ("calls", "failed", "slow"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("why", min_width=20)
    for each in circuits:
        circuit, counts = each.circuit, each.counts
        table.add_row(
            circuit.provider,
            Text(_state(circuit), style=COLOURS[circuit.state]),
            utc(circuit.since) if circuit.since else "",
            _next(each),
            f"{counts.calls:,}",
            _percent(counts.failures, counts.calls),
            _percent(counts.slow, counts.calls),
            Text("; ".join(_why(circuit))),
        )
    return table


def ends(circuit: Circuit) -> str:
    """Return when an operator's mode ends."""
    return until(circuit.mode_until, otherwise="further notice", timespec="seconds")


def _state(circuit: Circuit) -> str:
    words = _FORCED.get(circuit.mode) or circuit.state.value.replace("_", "-")
    return f"{words} (shadow)" if circuit.mode is Mode.SHADOW else words


def _next(status: CircuitStatus) -> str:
    circuit = status.circuit
    if circuit.mode in _FORCED:
        return ends(circuit)
    if circuit.stuck:
        return "waits for an operator"
    if circuit.probe_due(status.now):
        return "probed by the next call"
    if circuit.state is CircuitState.HALF_OPEN:
        return "is being probed"
    wait = (circuit.open_until or status.now) - status.now
    return f"probed in {max(wait, 0):.0f} s" if circuit.state is CircuitState.OPEN else ""


def _why(circuit: Circuit) -> Iterator[str]:
    if circuit.cause is not None:
        times = f" (opened {circuit.trips} times)" if circuit.trips > 1 else ""
        yield circuit.cause + times
    if circuit.actor is not None:
        shadow = f", shadow {ends(circuit)}" if circuit.mode is Mode.SHADOW else ""
        yield f"{circuit.actor}{shadow}: {circuit.reason}"


def _percent(part: int, whole: int) -> str:
    return f"{part / whole:.0%}" if whole else ""
