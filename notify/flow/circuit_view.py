"""What one process knows of one provider's circuit."""

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

LATELY = 0.5
"""Seconds over which a process's own calls are told by the second."""


class CircuitView:
    """
    A circuit as it was last seen, the calls since then, and what is still to be written.

    Attributes:
        next_try: When leave to probe may be asked for again, by the monotonic clock.
        unwritten: What the store could not be told.
    """

    def __init__(self, name: str, rules: Rules, *, now: float) -> None:
        self.name = name
        self.rules = rules
        self.circuit = Circuit(name)
        self.tally = CallCounts(rules)
        self.next_try = -math.inf
        self.unwritten: list[CircuitTransition] = []
        self._calls_per_second = 0.0
        self._lock = threading.Lock()
        self._calls = Meter(LATELY, now=now)
        self._suspected: int | None = None

    def called(self, now: float) -> None:
        """Note that a call of this process ended, by the monotonic clock."""
        with self._lock:
            self._calls.add(1, now)

    def calls_per_second(self, now: float) -> float:
        """
        Tell how many calls all workers make, as far as this one knows.

        What they told lags behind where they have just begun: then its own tell more.
        """
        with self._lock:
            return max(self._calls_per_second, self._calls.rate(now))

    def see(self, circuit: Circuit) -> None:
        """Take the circuit as it is now, and log what an operator should hear of."""
        before, self.circuit = self.circuit, circuit
        self.tally.begin(circuit.generation)
        _tell(before, circuit)

    def corrected(self, store: Store, found: Circuit, now: float) -> Circuit:
        """Right the circuit, for all, if a clock wrote its times that was set back since."""
        circuit = found.at(now)
        if circuit.corrected(now=now, rules=self.rules) == circuit:
            return circuit
        log.warning("notify.clock_set_back", circuit=self.name)
        with store.writing() as connection:
            return shared.change(
                connection, self.name, lambda it, at: it.corrected(now=at, rules=self.rules)
            )[0]

    def follow(self, transition: CircuitTransition, now: float) -> bool:
        """Change the circuit for this process alone; tells whether it did change."""
        before = self.circuit.at(now)
        after = transition(before, now)
        if after is before:
            return False
        if after.generation != before.generation:
            # Never one that the store may come to: what this process saw alone counts for no other.
            after = replace(after, generation=-abs(before.generation) - 1)
        self.see(after)
        return True

    def weigh(self, slices: Sequence[Slice], now: float) -> str | None:
        """Tell why the calls of all workers open the circuit now; None: they do not."""
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
            # Others may not have told yet how well their calls went: by the next look they have.
            self._suspected = circuit.generation
            return None
        return cause

    def weigh_alone(self, now: float) -> str | None:
        """Tell why this process's own calls open the circuit; None: they do not."""
        return self.rules.trip_cause(*self.tally.spans(now))


def _tell(before: Circuit, after: Circuit) -> None:
    if before.mode is not after.mode:
        log.warning("notify.circuit_told", provider=after.provider, mode=after.mode.value)
    was_closed, is_closed = (each.state is CircuitState.CLOSED for each in (before, after))
    if after.stuck and after.judges and not before.stuck:
        log.error("notify.circuit_held", provider=after.provider, cause=after.cause)
    elif was_closed and not is_closed:
        log.warning("notify.circuit_opened", provider=after.provider, cause=after.cause)
    elif is_closed and not was_closed:
        log.info("notify.circuit_closed", provider=after.provider)
