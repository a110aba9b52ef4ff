"""Circuits and holds that keep messages from being sent."""

from __future__ import annotations

from collections.abc import Iterator

from notify.doctor.finding import Finding, fail, ok, warn
from notify.policies.breaker import CircuitState, Mode
from notify.status.overrides import OverridesSnapshot
from notify.status.plain import utc

_MODES = {Mode.OPEN: "forced open", Mode.CLOSED: "forced closed", Mode.SHADOW: "in shadow mode"}


def findings(snapshot: OverridesSnapshot) -> Iterator[Finding]:
    """Report circuits that are not closed or are overridden, and holds without an end."""
    found = [*_circuits(snapshot), *_holds(snapshot)]
    yield from found
    names = {finding.check for finding in found}
    if "circuits" not in names:
        yield ok("circuits", f"all {len(snapshot.circuits)} are closed")
    if "holds" not in names:
        count = len(snapshot.holds)
        yield ok("holds", f"{count} in force, each with an end" if count else "none in force")


def _circuits(snapshot: OverridesSnapshot) -> Iterator[Finding]:
    for name, circuit in snapshot.circuits.items():
        auto = f'notify breaker auto {name} --reason "..."'
        if circuit.mode is not Mode.AUTO:
            until = circuit.mode_until
            ends = f"until {utc(until, timespec='minutes')} UTC" if until else "without end"
            text = f"{name} is {_MODES[circuit.mode]} {ends}, by {circuit.actor}: {circuit.reason}"
            yield warn("circuits", text, fix=auto)
        elif circuit.stuck:
            text = f"{name} stays open until an operator resets it: {circuit.cause}"
            yield fail("circuits", text, fix=f"remove the cause, then: {auto}")
        elif circuit.state is not CircuitState.CLOSED:
            yield warn("circuits", f"{name} is open: {circuit.cause}", fix="notify breaker ls")


def _holds(snapshot: OverridesSnapshot) -> Iterator[Finding]:
    for hold in snapshot.holds:
        if hold.until is None:
            since = f"since {utc(hold.since, timespec='minutes')} UTC"
            text = f"hold {hold.id} has no end: {hold}, {since} by {hold.actor}: {hold.reason}"
            yield warn("holds", text, fix=f'notify release --id {hold.id} --reason "..."')
