"""The providers' circuits in one process; all workers share them through the store."""

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
"""Seconds between two exchanges with the store, and between two requests for a probe."""
_KEEP_SECONDS = 600.0
"""The least age of counts in the store before they are deleted."""
_DELETE_EVERY = 60.0
"""Seconds between two deletions of old counts."""


@dataclass(frozen=True, slots=True)
class CircuitPermit:
    """A permit for one call through a provider; return it with `ended` or `released`."""

    provider: str
    generation: int
    probe: bool
    """Whether this is the fleet's only call, to check whether the provider works."""


class Circuits:
    """
    Permits calls, counts how they end, and opens and closes the circuits accordingly.

    Safe among threads. A call through a closed circuit costs no access to the store, unless it ends
    fatally; `refresh`, called every `EXCHANGE_PERIOD` seconds, exchanges counts and circuits with
    the other workers.
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
        Start with all circuits closed.

        Args:
            rules: By provider name.
            rng: Draws how long a circuit stays open.
        """
        self._store = store
        self._rng = rng
        self._monotonic = monotonic
        now = monotonic()
        self._views = {name: CircuitView(name, each, now=now) for name, each in rules.items()}
        # One exchange with the store at a time: an older reading must not replace a newer one.
        self._exchanging = threading.Lock()
        self._offset = 0.0
        self._store_away = False
        self._deleted_at = -math.inf

    def refresh(self) -> None:
        """
        Exchange counts and circuits with the other workers.

        Raises:
            StoreError: The store cannot be used; until it can, this process opens circuits by
                its own calls.
        """
        with self._exchanging:
            now = self._now()
            taken = {name: view.counts.take(now) for name, view in self._views.items()}
            try:
                self._write_pending()
                self._exchange_counts(taken)
            except StoreError:
                self._store_away = True
                self._judge_locally()
                raise

    def permit(self, provider: str) -> CircuitPermit | None:
        """Return a permit to call a provider; None if it may not be called for `wait` seconds."""
        view = self._views[provider]
        circuit, now = view.circuit, self._now()
        flows = circuit.flows(now)
        if flows and circuit.state is CircuitState.CLOSED:
            return CircuitPermit(provider, circuit.generation, probe=False)
        if circuit.probe_due(now) and (probe := self._lease(view)):
            return probe
        return CircuitPermit(provider, circuit.generation, probe=False) if flows else None

    def flows(self, provider: str) -> bool:
        """Return whether all calls to a provider may pass, not only probes."""
        return self._views[provider].circuit.flows(self._now())

    def state(self, provider: str) -> CircuitState:
        """Return a circuit's state, or the state that an operator forces."""
        return self._views[provider].circuit.effective_state(self._now())

    def wait(self, provider: str) -> float:
        """Return the seconds until a call may pass; infinity if only an operator can reset it."""
        view = self._views[provider]
        circuit, now = view.circuit, self._now()
        if circuit.flows(now):
            return 0.0
        seconds = circuit.wait(now)
        if circuit.state is CircuitState.HALF_OPEN:
            # The probe's result is known before its lease expires.
            seconds = min(seconds, EXCHANGE_PERIOD)
        return max(seconds, view.next_try - self._monotonic())

    def ended(self, permit: CircuitPermit, kind: Kind, seconds: float) -> None:
        """
        Count a call's result and its duration in seconds.

        The result of a probe, and a fatal result, are written to the store at once; while the
        store is away, by the next `refresh` that reaches it.
        """
        view = self._views[permit.provider]
        view.called(self._monotonic())
        if permit.generation != view.circuit.generation:
            return
        if not permit.probe and kind is not Kind.FATAL:
            view.counts.add(permit.generation, kind, seconds)
            return
        rules = view.rules
        slow = seconds >= rules.slow_call

        def transition(circuit: Circuit, now: float) -> Circuit:
            answered = partial(circuit.answered, permit.generation, kind, slow=slow)
            return answered(now=now, rules=rules, rng=self._rng)

        self._settle(view, permit, transition)

    def released(self, permit: CircuitPermit) -> None:
        """Release a permit without a result: no call was made, or it was interrupted."""
        view = self._views[permit.provider]
        if permit.probe and permit.generation == view.circuit.generation:
            self._settle(view, permit, lambda circuit, _now: circuit.freed(permit.generation))

    def calls_per_second(self, provider: str) -> float:
        """Return the recent calls a second of all workers through a provider."""
        return self._views[provider].calls_per_second(self._monotonic())

    def _now(self) -> float:
        """Return the time by the database's clock, extrapolated from its last reading."""
        return self._monotonic() + self._offset

    def _lease(self, view: CircuitView) -> CircuitPermit | None:
        with self._exchanging:
            moment = self._monotonic()
            if moment < view.next_try or not view.circuit.probe_due(self._now()):
                return None
            view.next_try = moment + EXCHANGE_PERIOD

            def transition(circuit: Circuit, now: float) -> Circuit:
                return circuit.leased(now=now, rules=view.rules)

            try:
                won = self._change(view, transition)
            except StoreError:
                return None
            return CircuitPermit(view.name, view.circuit.generation, probe=True) if won else None

    def _settle(
        self, view: CircuitView, permit: CircuitPermit, transition: CircuitTransition
    ) -> None:
        with self._exchanging:
            try:
                if not self._store_away:
                    self._change(view, transition)
                    return
            except StoreError:
                pass
            if permit.generation >= 0:
                view.unwritten.append(transition)
            view.change_here(transition, self._now())

    def _change(self, view: CircuitView, transition: CircuitTransition) -> bool:
        """Change a circuit for all workers; only here while the store is known to be away."""
        if self._store_away:
            return view.change_here(transition, self._now())
        with self._store.writing() as connection:
            circuit, changed = shared.change(connection, view.name, transition)
        view.update(circuit)
        return changed

    def _write_pending(self) -> None:
        for view in self._views.values():
            while view.unwritten:
                with self._store.writing() as connection:
                    shared.change(connection, view.name, view.unwritten[0])
                del view.unwritten[0]

    def _exchange_counts(self, taken: Mapping[str, tuple[int, Counts]]) -> None:
        # Calls counted while the store was away may have a generation that only this process has.
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
                Slice(name, generation, self._views[name].rules.slice_at(now), counts)
                for name, (generation, counts) in counted.items()
            ]
            shared.add_calls(connection, added)
            circuits = shared.current(connection, self._views)
            oldest = min((view.rules.spans(now)[0] for view in self._views.values()), default=0)
            slices = shared.read_calls(connection, self._views, since=oldest)
        self._offset, self._store_away = ahead, False
        for name, view in self._views.items():
            view.update(view.corrected(self._store, circuits[name], now))
            cause = view.trip_cause([each for each in slices if each.provider == name], now)
            if cause is not None:
                self._change(view, self._tripping(view, cause))
        self._delete_old_counts()

    def _tripping(self, view: CircuitView, cause: str) -> CircuitTransition:
        generation, rules = view.circuit.generation, view.rules

        def transition(circuit: Circuit, now: float) -> Circuit:
            if circuit.generation != generation:
                return circuit
            return circuit.tripped(cause, now=now, rules=rules, rng=self._rng)

        return transition

    def _judge_locally(self) -> None:
        for view in self._views.values():
            cause = view.own_trip_cause(self._now())
            if cause is not None:
                view.change_here(self._tripping(view, cause), self._now())

    def _delete_old_counts(self) -> None:
        if self._monotonic() - self._deleted_at < _DELETE_EVERY:
            return
        self._deleted_at = self._monotonic()
        longest = max((view.rules.window for view in self._views.values()), default=0.0)
        with self._store.writing() as connection:
            shared.delete_old_calls(connection, older=max(2 * longest, _KEEP_SECONDS))
