"""One provider's circuit as one process last read it."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import replace

import structlog

from notify.flow.call_counts import CallCounts
from notify.flow.meter import Meter
from notify.policies.breaker import Circuit, CircuitState, Rules
from notify.store import Store
from notify.store.flow import CircuitTransition, Slice
from notify.store.flow import circuits as shared

log = structlog.get_logger("notify.circuits")

RATE_SPAN = 0.5
"""Seconds over which a process's own rate of calls is measured."""


class CircuitView:
    """
    A circuit as it was last read, the calls since then, and the changes still to be written.

    Attributes:
        counts: This process's calls.
        next_try: When a probe may be requested again, by the monotonic clock.
        unwritten: The changes that are not in the store yet.
    """

    def __init__(self, name: str, rules: Rules, *, now: float) -> None:
        self.name = name
        self.rules = rules
        self.circuit = Circuit(name)
        self.counts = CallCounts(rules)
        self.next_try = -math.inf
        self.unwritten: list[CircuitTransition] = []
        self._calls_per_second = 0.0
        self._lock = threading.Lock()
        self._calls = Meter(RATE_SPAN, now=now)
        self._suspected: int | None = None

    def called(self, now: float) -> None:
        """Count a call of this process that ended, by the monotonic clock."""
        with self._lock:
            self._calls.add(1, now)

    def calls_per_second(self, now: float) -> float:
        """
        Return the calls a second of all workers, as far as this process knows.

        Counts of other workers arrive late. When calls have just started, this process's own rate
        is the better estimate.
        """
        with self._lock:
            return max(self._calls_per_second, self._calls.rate(now))

    def update(self, circuit: Circuit) -> None:
        """Replace the circuit, and log the change."""
        before, self.circuit = self.circuit, circuit
        self.counts.begin(circuit.generation)
        _log_change(before, circuit)

    def corrected(self, store: Store, found: Circuit, now: float) -> Circuit:
        """Correct, for all workers, a circuit with times from before the clock was set back."""
        circuit = found.at(now)
        if circuit.corrected(now=now, rules=self.rules) == circuit:
            return circuit
        log.warning("notify.clock_set_back", circuit=self.name)
        with store.writing() as connection:
            return shared.change(
                connection, self.name, lambda it, at: it.corrected(now=at, rules=self.rules)
            )[0]

    def change_here(self, transition: CircuitTransition, now: float) -> bool:
        """Change the circuit for this process alone; return whether it did change."""
        before = self.circuit.at(now)
        after = transition(before, now)
        if after is before:
            return False
        if after.generation != before.generation:
            # Negative, so never a generation of the store: other workers do not count these calls.
            after = replace(after, generation=-abs(before.generation) - 1)
        self.update(after)
        return True

    def trip_cause(self, slices: Sequence[Slice], now: float) -> str | None:
        """Return why the circuit must open by the calls of all workers; None if it need not."""
        rules, circuit = self.rules, self.circuit
        _, latest = rules.sums([(each.bucket, each.counts) for each in slices], now)
        seconds = now - rules.spans(now)[1] / 1000
        self._calls_per_second = (latest.calls + latest.neutral) / seconds
        of_now = [each for each in slices if each.generation == circuit.generation]
        cause = rules.trip_cause(*rules.sums([(each.bucket, each.counts) for each in of_now], now))
        if cause is None or circuit.state is not CircuitState.CLOSED or not circuit.judges:
            self._suspected = None
            return None
        if self._suspected != circuit.generation:
            # Other workers may not have written their successful calls yet: decide next time.
            self._suspected = circuit.generation
            return None
        return cause

    def own_trip_cause(self, now: float) -> str | None:
        """Return why the circuit must open by this process's calls alone; None if it need not."""
        return self.rules.trip_cause(*self.counts.spans(now))


def _log_change(before: Circuit, after: Circuit) -> None:
    if before.mode is not after.mode:
        log.warning("notify.circuit_overridden", provider=after.provider, mode=after.mode.value)
    was_closed, is_closed = (each.state is CircuitState.CLOSED for each in (before, after))
    if after.stuck and after.judges and not before.stuck:
        log.error("notify.circuit_locked_open", provider=after.provider, cause=after.cause)
    elif was_closed and not is_closed:
        log.warning("notify.circuit_opened", provider=after.provider, cause=after.cause)
    elif is_closed and not was_closed:
        log.info("notify.circuit_closed", provider=after.provider)
