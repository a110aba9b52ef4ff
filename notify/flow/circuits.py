"""The providers' circuits as one process sees them: all workers share them through the store."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from notify.errors import StoreError
from notify.flow.circuit_view import CircuitView
from notify.policies.breaker import Circuit, CircuitState, Counts, Kind, Rules
from notify.store import Store
from notify.store.db import read_clock
from notify.store.flow import CircuitTransition, Slice
from notify.store.flow import circuits as shared

EXCHANGE_PERIOD = 0.5
"""Seconds between two looks at the store, and between two tries to get leave to probe."""
_KEPT = 600.0
_FORGET_EVERY = 60.0


@dataclass(frozen=True, slots=True)
class CircuitPermit:
    """Leave for one call through a provider; `ended` or `released` gives it back."""

    provider: str
    generation: int
    probe: bool
    """Whether it is the one that the whole fleet has, to find out how the provider does."""


class Circuits:
    """
    Gives leave for calls, hears how they end, and opens and closes the circuits by that.

    Safe to share among threads. While all is well a call costs no look at the store; `refresh`,
    called every `EXCHANGE_PERIOD` seconds, exchanges counts and circuits with the other workers.
    """

    def __init__(
        self,
        store: Store,
        rules: Mapping[str, Rules],
        *,
        rng: random.Random,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Take the store and, by their names, the providers' rules.

        Args:
            rng: Draws how long a circuit stays open.
        """
        self._store = store
        self._rng = rng
        self._monotonic = monotonic
        now = monotonic()
        self._known = {name: CircuitView(name, each, now=now) for name, each in rules.items()}
        # One exchange with the store at a time: what was read first must not overwrite the rest.
        self._exchange = threading.Lock()
        self._ahead = 0.0
        self._alone = False
        self._forgot_at = -math.inf

    def refresh(self) -> None:
        """
        Tell the others what was counted, and hear from them.

        Raises:
            StoreError: The store cannot be used; until it can, this process judges by its own
                calls.
        """
        with self._exchange:
            now = self._now()
            taken = {name: known.tally.take(now) for name, known in self._known.items()}
            try:
                self._write_overdue()
                self._trade(taken)
            except StoreError:
                self._alone = True
                self._judge_alone()
                raise

    def ask(self, provider: str) -> CircuitPermit | None:
        """Ask for leave to call a provider; None: not now, `wait` tells for how long."""
        known = self._known[provider]
        circuit, now = known.circuit, self._now()
        flows = circuit.flows(now)
        if flows and circuit.state is CircuitState.CLOSED:
            return CircuitPermit(provider, circuit.generation, probe=False)
        if circuit.probe_due(now) and (probe := self._lease(known)):
            return probe
        return CircuitPermit(provider, circuit.generation, probe=False) if flows else None

    def flows(self, provider: str) -> bool:
        """Tell whether calls to a provider pass freely, not only as probes."""
        return self._known[provider].circuit.flows(self._now())

    def state(self, provider: str) -> CircuitState:
        """Tell where a circuit stands, with an operator's word."""
        return self._known[provider].circuit.effective_state(self._now())

    def wait(self, provider: str) -> float:
        """Tell the seconds until asking is worth it; infinity: not before an operator's word."""
        known = self._known[provider]
        circuit, now = known.circuit, self._now()
        if circuit.flows(now):
            return 0.0
        seconds = circuit.wait(now)
        if circuit.state is CircuitState.HALF_OPEN:
            # Who probes will say sooner than its leave ends.
            seconds = min(seconds, EXCHANGE_PERIOD)
        return max(seconds, known.next_try - self._monotonic())

    def ended(self, pass_: CircuitPermit, kind: Kind, seconds: float) -> None:
        """
        Hear how a call ended, and how many seconds it took.

        A probe's end, and a fatal one, are written to the store at once; where the store is away,
        by the next `refresh` that reaches it.
        """
        known = self._known[pass_.provider]
        known.called(self._monotonic())
        if pass_.generation != known.circuit.generation:
            return
        if not pass_.probe and kind is not Kind.FATAL:
            known.tally.add(pass_.generation, kind, seconds)
            return
        rules = known.rules
        slow = seconds >= rules.slow_call

        def transition(circuit: Circuit, now: float) -> Circuit:
            answered = partial(circuit.answered, pass_.generation, kind, slow=slow)
            return answered(now=now, rules=rules, rng=self._rng)

        self._settle(known, pass_, transition)

    def released(self, pass_: CircuitPermit) -> None:
        """Give leave back, and say nothing of the provider: no call was made, or it was cut off."""
        known = self._known[pass_.provider]
        if pass_.probe and pass_.generation == known.circuit.generation:
            self._settle(known, pass_, lambda circuit, _now: circuit.freed(pass_.generation))

    def calls_per_second(self, provider: str) -> float:
        """Tell how many calls all workers made through a provider, over the last seconds."""
        return self._known[provider].calls_per_second(self._monotonic())

    def _now(self) -> float:
        """Tell the time by the database's clock, as it went on since it was last read."""
        return self._monotonic() + self._ahead

    def _lease(self, known: CircuitView) -> CircuitPermit | None:
        with self._exchange:
            moment = self._monotonic()
            if moment < known.next_try or not known.circuit.probe_due(self._now()):
                return None
            known.next_try = moment + EXCHANGE_PERIOD

            def transition(circuit: Circuit, now: float) -> Circuit:
                return circuit.leased(now=now, rules=known.rules)

            try:
                won = self._change(known, transition)
            except StoreError:
                return None
            return CircuitPermit(known.name, known.circuit.generation, probe=True) if won else None

    def _settle(
        self, known: CircuitView, pass_: CircuitPermit, transition: CircuitTransition
    ) -> None:
        with self._exchange:
            try:
                if not self._alone:
                    self._change(known, transition)
                    return
            except StoreError:
                pass
            if pass_.generation >= 0:
                known.unwritten.append(transition)
            known.follow(transition, self._now())

    def _change(self, known: CircuitView, transition: CircuitTransition) -> bool:
        """Change a circuit for all or, where the store is known to be away, for this process."""
        if self._alone:
            return known.follow(transition, self._now())
        with self._store.writing() as connection:
            circuit, changed = shared.change(connection, known.name, transition)
        known.see(circuit)
        return changed

    def _write_overdue(self) -> None:
        for known in self._known.values():
            while known.unwritten:
                with self._store.writing() as connection:
                    shared.change(connection, known.name, known.unwritten[0])
                del known.unwritten[0]

    def _trade(self, taken: Mapping[str, tuple[int, Counts]]) -> None:
        # What was counted while the store was away is of no generation that the others know.
        counted = {
            name: (generation, counts)
            for name, (generation, counts) in taken.items()
            if counts != Counts() and generation >= 0
        }
        with self._store.writing() if counted else self._store.reading() as connection:
            now = read_clock(connection)
            self._store.clock.learn(now)
            ahead = now - self._monotonic()
            added = [
                Slice(name, generation, self._known[name].rules.slice_at(now), counts)
                for name, (generation, counts) in counted.items()
            ]
            shared.add_calls(connection, added)
            circuits = shared.current(connection, self._known)
            oldest = min((known.rules.spans(now)[0] for known in self._known.values()), default=0)
            slices = shared.read_calls(connection, self._known, since=oldest)
        self._ahead, self._alone = ahead, False
        for name, known in self._known.items():
            known.see(known.corrected(self._store, circuits[name], now))
            cause = known.weigh([each for each in slices if each.provider == name], now)
            if cause is not None:
                self._change(known, self._tripping(known, cause))
        self._forget()

    def _tripping(self, known: CircuitView, cause: str) -> CircuitTransition:
        generation, rules = known.circuit.generation, known.rules

        def transition(circuit: Circuit, now: float) -> Circuit:
            if circuit.generation != generation:
                return circuit
            return circuit.tripped(cause, now=now, rules=rules, rng=self._rng)

        return transition

    def _judge_alone(self) -> None:
        for known in self._known.values():
            cause = known.weigh_alone(self._now())
            if cause is not None:
                known.follow(self._tripping(known, cause), self._now())

    def _forget(self) -> None:
        if self._monotonic() - self._forgot_at < _FORGET_EVERY:
            return
        self._forgot_at = self._monotonic()
        longest = max((known.rules.window for known in self._known.values()), default=0.0)
        with self._store.writing() as connection:
            shared.delete_old_calls(connection, older=max(2 * longest, _KEPT))
