"""The providers' circuits as one process sees them: all workers share them through the store."""

from __future__ import annotations

import math
import random
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace

import structlog

from notify.breaker import Circuit, Counts, Kind, Rules, State
from notify.errors import StoreError
from notify.flow.tally import Tally
from notify.store import Store
from notify.store import circuits as shared

PACE = 0.5
"""Seconds between two looks at the store, and between two tries to get leave to probe."""
_KEPT = 600.0
_FORGET_EVERY = 60.0

log = structlog.get_logger("notify.circuits")


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave for one call through a provider; `ended` or `released` gives it back."""

    provider: str
    generation: int
    probe: bool
    """Whether it is the one that the whole fleet has, to find out how the provider does."""


class _Known:
    """What this process knows of one provider."""

    def __init__(self, name: str, rules: Rules) -> None:
        self.rules = rules
        self.circuit = Circuit(name)
        self.tally = Tally(rules)
        self.next_try = -math.inf
        self.suspected = False
        self.calls_per_second = 0.0


class Circuits:
    """
    Gives leave for calls, hears how they end, and opens and closes the circuits by that.

    Safe to share among threads. While all is well a call costs no look at the store; `refresh`,
    called every `PACE` seconds, exchanges counts and circuits with the other workers.
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
        self._known = {name: _Known(name, each) for name, each in rules.items()}
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
                self._trade(taken)
            except StoreError:
                self._alone = True
                self._judge_alone()
                raise
            self._alone = False

    def ask(self, provider: str) -> Pass | None:
        """Ask for leave to call a provider; None: not now, `wait` tells for how long."""
        known = self._known[provider]
        circuit = known.circuit
        now = self._now()
        flows = circuit.flows(now)
        if not flows or circuit.state is not State.CLOSED:
            probe = self._lease(known)
            if probe is not None or not flows:
                return probe
        return Pass(provider, circuit.generation, probe=False)

    def passes(self, provider: str) -> bool:
        """Tell whether asking is worth it by now, without taking leave."""
        return self.wait(provider) <= 0

    def wait(self, provider: str) -> float:
        """Tell the seconds until asking is worth it; infinity: not before an operator's word."""
        known = self._known[provider]
        circuit, now = known.circuit, self._now()
        seconds = circuit.wait(now)
        if circuit.flows(now) or math.isinf(seconds):
            return seconds
        if circuit.state is State.HALF_OPEN and circuit.at(now).judges:
            # Who probes will say sooner than its leave ends.
            seconds = min(seconds, PACE)
        return max(seconds, known.next_try - self._monotonic())

    def ended(self, pass_: Pass, kind: Kind, seconds: float) -> None:
        """
        Hear how a call ended, and how many seconds it took.

        A probe's end, and a fatal one, are written to the store at once; where the store is away
        they count for this process alone.
        """
        known = self._known[pass_.provider]
        if pass_.generation != known.circuit.generation:
            return
        if not pass_.probe and kind is not Kind.FATAL:
            known.tally.add(pass_.generation, kind, seconds)
            return
        slow = seconds >= known.rules.slow_call
        self._change(
            known,
            lambda circuit, now: circuit.answered(
                pass_.generation, kind, slow=slow, now=now, rules=known.rules, rng=self._rng
            ),
        )

    def released(self, pass_: Pass) -> None:
        """Give leave back without a word about the provider: no call was made, or it was cut off."""
        known = self._known[pass_.provider]
        if pass_.probe and pass_.generation == known.circuit.generation:
            self._change(known, lambda circuit, _now: circuit.freed(pass_.generation))

    def calls_per_second(self, provider: str) -> float:
        """Tell how many calls all workers made through a provider, over the last seconds."""
        return self._known[provider].calls_per_second

    def _now(self) -> float:
        """Tell the time by the database's clock, as it went on since it was last read."""
        return self._monotonic() + self._ahead

    def _lease(self, known: _Known) -> Pass | None:
        if not known.circuit.probe_due(self._now()):
            return None
        with self._exchange:
            if self._monotonic() < known.next_try or not known.circuit.probe_due(self._now()):
                return None
            known.next_try = self._monotonic() + PACE
            changed = self._attempt(
                known, lambda circuit, now: circuit.leased(now=now, rules=known.rules)
            )
            circuit = known.circuit
            return Pass(circuit.provider, circuit.generation, probe=True) if changed else None
