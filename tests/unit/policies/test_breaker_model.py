"""A circuit among many workers, against a plain model of it, by an injected clock."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    consumes,
    invariant,
    multiple,
    rule,
    run_state_machine_as_test,
)

from notify.flow.call_counts import CallCounts
from notify.policies.breaker import INCONCLUSIVE, Circuit, CircuitState, Counts, Kind, Mode, Rules
from tests.support.examples import examples

RULES = Rules(
    window=8,
    minimum_calls=4,
    slow_call=1,
    unreachable=3,
    first_open=2,
    longest_open=12,
    probes=2,
    probe_timeout=3,
)
START = 1_700_000_000.0
TINY = 1e-6
LONG = 60.0

numbers = st.integers(0, 2**32)
kinds = st.sampled_from(list(Kind))
probe_ends = st.sampled_from(
    [Kind.SUCCESS, Kind.NEUTRAL, Kind.NEUTRAL, None, None, Kind.FAILURE, Kind.FATAL]
)
durations = st.sampled_from([0.1, 1.0])
spans = st.sampled_from([0.25, 1.0, 2.0, 5.0, 20.0])


@dataclass(frozen=True, slots=True)
class _Call:
    """A call in flight. The model keeps calls apart by their era, the circuit by generation."""

    era: int
    generation: int
    probe: bool


@dataclass(slots=True)
class _Model:
    """The model of the circuit: a list of the events since its last change."""

    era: int = 0
    state: CircuitState = CircuitState.CLOSED
    mode: Mode = Mode.AUTO
    mode_until: float | None = None
    since: float = START
    bound: float | None = None
    """At most how long it stays open from `since`; None: until an operator's word."""
    trips: int = 0
    prober: int | None = None
    probed_at: float = START
    row: list[Kind] = field(default_factory=list)
    """How the probes ended since it was last open, without what was released."""
    calls: list[tuple[float, Kind, bool]] = field(default_factory=list)

    def become(self, state: CircuitState, now: float) -> None:
        """Come into a state: what happened before is history."""
        self.era += 1
        self.state, self.since, self.prober = state, now, None
        self.row, self.calls = [], []

    def open(self, now: float, *, trips: int, hold: bool = False) -> None:
        """Open for the *trips*-th time."""
        self.become(CircuitState.OPEN, now)
        self.trips = trips
        self.bound = None if hold else min(2.0 * 2 ** max(trips - 1, 0), 12.0)

    @property
    def judges(self) -> bool:
        """Whether calls change it."""
        return self.mode in (Mode.AUTO, Mode.SHADOW)

    @property
    def good(self) -> int:
        """How many probes went well."""
        return self.row.count(Kind.SUCCESS)

    @property
    def vain(self) -> int:
        """The inconclusive probes at the end of the row."""
        turned = self.row[::-1]
        return next((n for n, kind in enumerate(turned) if kind is Kind.SUCCESS), len(turned))


class _Machine(RuleBasedStateMachine):
    """Calls begin, end in any order and way, or never; time passes; operators speak."""

    calls: Bundle[_Call] = Bundle("calls")

    def __init__(self) -> None:
        super().__init__()
        self.now = START
        self.circuit = Circuit("acme", since=START)
        self.counts = CallCounts(RULES)
        self.slices: list[tuple[int, int, Counts]] = []
        self.model = _Model()

    def see(self, circuit: Circuit) -> None:
        """Store the circuit's new state, as a process does."""
        self.circuit = circuit
        self.counts.begin(circuit.generation)

    @rule(seconds=spans)
    def time_passes(self, seconds: float) -> None:
        """The clock goes on, and an operator's word may end."""
        self.now += seconds
        model = self.model
        if model.mode_until is not None and self.now >= model.mode_until:
            model.mode, model.mode_until = Mode.AUTO, None
        self.see(self.circuit.at(self.now))

    @rule(target=calls)
    def a_worker_asks(self) -> _Call | MultipleResults[_Call]:
        """It gets a permit exactly when the model says so."""
        model, circuit = self.model, self.circuit
        free = (
            model.state is CircuitState.CLOSED
            if model.mode is Mode.AUTO
            else model.mode is not Mode.OPEN
        )
        after = circuit.leased(now=self.now, rules=RULES)
        assert circuit.flows(self.now) is free
        assert (circuit.wait(self.now) == 0) is (free or after is not circuit)
        if after is not circuit:
            self.may_probe()
            self.see(after)
            return _Call(model.era, after.generation, probe=True)
        return _Call(model.era, circuit.generation, probe=False) if free else multiple()

    @rule(kind=kinds, seconds=durations, number=st.integers(1, 6), seed=numbers)
    def calls_go_alike(self, kind: Kind, seconds: float, number: int, seed: int) -> None:
        """Several in a row, as when a provider is down; then they are judged."""
        for _ in range(number):
            if isinstance(call := self.a_worker_asks(), _Call):
                self.a_call_ends(call, kind, seconds, seed)
        self.the_counts_are_judged(seed)

    @rule(ends=st.lists(probe_ends, min_size=1, max_size=5), seconds=durations, seed=numbers)
    def probes_come_in_time(self, ends: list[Kind | None], seconds: float, seed: int) -> None:
        """One after the other, as soon as the circuit may be tried; some are cut off."""
        for kind in ends:
            wait = self.circuit.wait(self.now)
            if wait <= LONG:
                self.time_passes(wait)
            call = self.a_worker_asks()
            if isinstance(call, _Call) and kind is None:
                self.a_call_is_cut_off(call)
            elif isinstance(call, _Call) and kind is not None:
                self.a_call_ends(call, kind, seconds, seed)

    def may_probe(self) -> None:
        """Check that a probe is due, and note that one is under way."""
        model = self.model
        assert model.judges
        if model.state is CircuitState.OPEN:
            assert model.bound is not None
            assert self.now - model.since >= 0.8 * model.bound
            model.become(CircuitState.HALF_OPEN, self.now)
        else:
            assert model.state is CircuitState.HALF_OPEN
            assert model.prober is None or self.now - model.probed_at >= RULES.probe_timeout
            model.era += 1
            model.calls = []
        model.prober, model.probed_at = model.era, self.now

    @rule(target=calls)
    def a_prober_hangs(self) -> _Call | MultipleResults[_Call]:
        """Until its permit ends; the call may still end later, or never."""
        wait = self.circuit.wait(self.now)
        if wait > LONG:
            return multiple()
        self.time_passes(wait)
        call = self.a_worker_asks()
        self.time_passes(RULES.probe_timeout)
        return call

    @rule(call=consumes(calls), kind=kinds, seconds=durations, seed=numbers)
    def a_call_ends(self, call: _Call, kind: Kind, seconds: float, seed: int) -> None:
        """At once or much later, when its word may count no more."""
        rng = random.Random(seed)
        before = self.circuit
        if call.probe or kind is Kind.FATAL:
            after = before.answered(
                call.generation, kind, slow=seconds >= 1, now=self.now, rules=RULES, rng=rng
            )
            self.see(after)
        else:
            self.counts.add(call.generation, kind, seconds)
        if call.era != self.model.era or not (self.model.judges or not call.probe):
            assert self.circuit is before
            return
        self.heard(call, kind, slow=seconds >= 1)

    def heard(self, call: _Call, kind: Kind, *, slow: bool) -> None:
        """Record in the model how a call of its present era ended."""
        model = self.model
        if kind is Kind.FATAL:
            if model.judges and not (model.state is CircuitState.OPEN and model.bound is None):
                model.open(self.now, trips=model.trips + 1, hold=True)
        elif not call.probe:
            if kind is not Kind.NEUTRAL:
                model.calls.append((self.now, kind, slow))
        else:
            self.heard_probe(kind, slow=slow)

    def heard_probe(self, kind: Kind, *, slow: bool) -> None:
        """Record in the model how its probe ended."""
        model = self.model
        model.prober = None
        model.row.append(kind)
        if kind is Kind.NEUTRAL:
            if model.vain == INCONCLUSIVE:
                model.open(self.now, trips=model.trips)
        elif kind is Kind.SUCCESS and not slow:
            if model.good == RULES.probes:
                model.become(CircuitState.CLOSED, self.now)
                model.trips = 0
        else:
            model.open(self.now, trips=model.trips + 1)

    @rule(call=consumes(calls))
    def a_call_is_cut_off(self, call: _Call) -> None:
        """It counts nothing, and frees the way for the next probe."""
        before = self.circuit
        if call.probe:
            self.see(before.freed(call.generation))
        current = call.probe and call.era == self.model.era
        if current:
            self.model.prober = None
        assert current or self.circuit is before

    def the_counts_are_judged(self, seed: int) -> None:
        """Judge, as each process does from time to time."""
        generation, counts = self.counts.take(self.now)
        self.slices.append((generation, RULES.slice_at(self.now), counts))
        own = [(begin, each) for number, begin, each in self.slices if number == generation]
        assert RULES.sums(own, self.now) == self.counts.spans(self.now)
        cause = RULES.trip_cause(*RULES.sums(own, self.now))
        if cause is None:
            return
        self.is_bad_enough()
        before = self.circuit
        self.see(before.tripped(cause, now=self.now, rules=RULES, rng=random.Random(seed)))
        model = self.model
        if model.judges and model.state is CircuitState.CLOSED:
            model.open(self.now, trips=1)
        else:
            assert self.circuit is before

    def is_bad_enough(self) -> None:
        """Check that the calls the model knows of allow for it: never without bad ones."""
        ended = self.model.calls
        bad = [kind for _, kind, slow in ended if slow or kind is not Kind.SUCCESS]
        cannot = [kind for kind in bad if kind is Kind.UNREACHABLE]
        assert len(bad) >= RULES.minimum_calls / 2 or len(cannot) >= RULES.unreachable

    @rule(mode=st.sampled_from(list(Mode)), seconds=st.none() | spans, seldom=st.integers(0, 3))
    def an_operator_speaks(self, mode: Mode, seconds: float | None, seldom: int) -> None:
        """Their overrides apply at once, until they end; mostly there are none."""
        if seldom:
            return
        model = self.model
        until = None if seconds is None else self.now + seconds
        self.see(self.circuit.overridden(mode, now=self.now, until=until, actor="ann", reason="x"))
        if mode is Mode.OPEN:
            model.open(self.now, trips=model.trips)
            model.bound = seconds
        elif mode is Mode.CLOSED and model.state is not CircuitState.CLOSED:
            model.become(CircuitState.CLOSED, self.now)
            model.trips = 0
        elif mode in (Mode.AUTO, Mode.SHADOW) and model.state is CircuitState.OPEN:
            model.bound = 0.0
        model.mode, model.mode_until = mode, until

    @invariant()
    def both_agree(self) -> None:
        """On the state, on how often it opened, and on how long it stays open."""
        model, circuit = self.model, self.circuit
        assert (circuit.state, circuit.trips) == (model.state, model.trips)
        assert circuit.mode is model.mode
        assert circuit.stuck is (model.state is CircuitState.OPEN and model.bound is None)

    @invariant()
    def it_is_probed_in_time_and_not_before(self) -> None:
        """However the open time is drawn, it lies between the bound and four fifths of that."""
        model, circuit = self.model, self.circuit
        if model.state is CircuitState.OPEN and model.bound:
            least, most = model.since + 0.8 * model.bound, model.since + model.bound
            assert not circuit.probe_due(least - TINY)
            assert circuit.probe_due(most + TINY)
        if model.prober is not None:
            over = model.probed_at + RULES.probe_timeout
            assert not circuit.probe_due(over - TINY)
            assert circuit.probe_due(over)

    @invariant()
    def at_most_one_has_leave_to_probe(self) -> None:
        """And it is the one that the model knows."""
        has = self.circuit.probe_until is not None
        assert has is (self.model.prober is not None)
        assert not has or self.circuit.state is CircuitState.HALF_OPEN

    @invariant()
    def neutral_and_late_calls_are_not_counted(self) -> None:
        """The process has counted what the model has, in this era."""
        _, fresh = self.counts.take(self.now)
        self.slices.append((self.circuit.generation, RULES.slice_at(self.now), fresh))
        counted = sum(
            each.calls for number, _, each in self.slices if number == self.circuit.generation
        )
        assert counted == len(self.model.calls)


def test_a_circuit_does_what_the_model_does() -> None:
    """Whatever workers, the clock and operators do, in any order."""
    run_state_machine_as_test(
        _Machine,
        settings=settings(max_examples=examples(150), stateful_step_count=40, deadline=None),
    )
