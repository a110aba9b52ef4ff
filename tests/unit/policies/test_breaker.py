"""The circuit's rules, by an injected clock: what opens it, how it is tried, what never counts."""

from __future__ import annotations

import math
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.errors import (
    InvalidRecipient,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.policies.breaker import (
    INCONCLUSIVE,
    Circuit,
    CircuitState,
    Counts,
    Kind,
    Mode,
    Rules,
    kind_of,
)
from tests.support.tables import each_of

NOW = 1_700_000_000.0
RULES = Rules()
CLOSED = Circuit("acme", since=NOW)
BAD = Counts(calls=20, failures=20)


class Longest(random.Random):
    """Draws the largest number, so that an open time shows its bound."""

    def random(self) -> float:
        """Return the largest value that can be drawn."""
        return 1.0


RNG = Longest()


def opened(*, rules: Rules = RULES, trips: int = 1, now: float = NOW) -> Circuit:
    """A circuit that has just opened for the *trips*-th time."""
    circuit = CLOSED.tripped("20 of 20 calls failed", now=now, rules=rules, rng=RNG)
    for _ in range(trips - 1):
        circuit = probed(circuit, Kind.FAILURE, rules=rules)
    return circuit


def leased(circuit: Circuit, *, rules: Rules = RULES) -> Circuit:
    """The circuit when its time is over and a probe has its permit."""
    assert circuit.open_until is not None or circuit.state is CircuitState.HALF_OPEN
    after = circuit.leased(now=circuit.open_until or circuit.since, rules=rules)
    assert after is not circuit
    return after


def ended(circuit: Circuit, kind: Kind, *, slow: bool = False, rules: Rules = RULES) -> Circuit:
    """The circuit after the probe that it let through has ended."""
    return circuit.answered(
        circuit.generation, kind, slow=slow, now=circuit.since, rules=rules, rng=RNG
    )


def probed(circuit: Circuit, kind: Kind, *, slow: bool = False, rules: Rules = RULES) -> Circuit:
    """The circuit after one probe from beginning to end."""
    return ended(leased(circuit, rules=rules), kind, slow=slow, rules=rules)


def overridden(
    circuit: Circuit, mode: Mode, *, now: float = NOW, until: float | None = None
) -> Circuit:
    """The circuit after an operator's override."""
    return circuit.overridden(mode, now=now, until=until, actor="ann@ops-1", reason="INC-7")


@each_of(
    ("error", "kind"),
    [
        (None, Kind.SUCCESS),
        (TransientError("", provider="a"), Kind.UNREACHABLE),
        (TransientError("", provider="a", status=503), Kind.FAILURE),
        (OutcomeUnknown("", provider="a"), Kind.FAILURE),
        (OutcomeUnknown("", provider="a", status=502), Kind.FAILURE),
        (ProviderError("", provider="a"), Kind.FAILURE),
        (Throttled("", provider="a", status=429), Kind.NEUTRAL),
        (Throttled("", provider="a"), Kind.NEUTRAL),
        (PermanentError("", provider="a", status=400), Kind.NEUTRAL),
        (InvalidRecipient("", provider="a"), Kind.NEUTRAL),
        (Unauthorized("", provider="a", status=401), Kind.FATAL),
        (Unauthorized("", provider="a"), Kind.FATAL),
        (KeyError("a fault in the adapter"), Kind.FAILURE),
    ],
)
def test_each_end_of_a_call_says_one_thing_about_the_provider(
    error: BaseException | None, kind: Kind
) -> None:
    """The recipient's fault and our own rate are not the provider's fault."""
    assert kind_of(error) is kind


@pytest.mark.parametrize("error", [SystemExit(), KeyboardInterrupt(), GeneratorExit()])
def test_a_call_that_was_cut_off_says_nothing(error: BaseException) -> None:
    """Its permit is released: a worker that stops says nothing about the provider."""
    assert kind_of(error) is None


@each_of(
    ("counts", "cause"),
    [
        (Counts(), None),
        (Counts(calls=19, failures=19), None),
        (Counts(calls=20, failures=9), None),
        (Counts(calls=20, failures=10), "10 of 20 calls failed"),
        (Counts(calls=20, slow=15), None),
        (Counts(calls=20, slow=16), "16 of 20 calls took 5 s or more"),
        (Counts(calls=4, failures=4, unreachable=4), None),
        (Counts(calls=5, failures=5, unreachable=5), "5 of 5 calls could not connect"),
        (Counts(calls=10, failures=5, unreachable=5), "5 of 10 calls could not connect"),
        (Counts(calls=11, failures=5, unreachable=5), None),
        (Counts(neutral=1000), None),
        (Counts(calls=19, failures=19, neutral=1000), None),
        (Counts(calls=20, failures=10, neutral=1000), "10 of 20 calls failed"),
    ],
)
def test_the_circuit_opens_at_the_rates_and_not_before(counts: Counts, cause: str | None) -> None:
    """Neutral calls neither make up the minimum nor thin out the failures."""
    assert RULES.trip_cause(counts) == cause


def test_a_bad_host_with_a_tenth_of_the_traffic_opens_nothing() -> None:
    """It fails to connect, always: the fleet's calls say that the provider works."""
    fleet = Counts(calls=900) + Counts(calls=100, failures=100, unreachable=100)
    assert RULES.trip_cause(fleet, fleet) is None


def test_a_busy_provider_that_goes_down_is_seen_in_the_latest_calls() -> None:
    """A minute of good calls does not hide for half a minute that none works any more."""
    begin = RULES.slice_at(NOW)
    slices = [(begin - second * 1000, Counts(calls=200)) for second in range(4, 60, 2)]
    slices += [(begin - 2000, Counts(calls=400, failures=400))]
    whole, latest = RULES.sums(slices, NOW)
    assert RULES.trip_cause(whole) is None
    assert RULES.trip_cause(whole, latest) == "400 of 400 calls failed"


def test_calls_count_for_the_window_and_no_longer() -> None:
    """Earlier slices, and future ones after a clock was set back, do not count."""
    begin = RULES.slice_at(NOW)
    slices = [(begin + second * 1000, Counts(calls=1)) for second in range(-100, 100, 2)]
    whole, latest = RULES.sums(slices, NOW)
    assert (whole.calls, latest.calls) == (30, 2)


@given(st.floats(1, 3600), st.floats(0, 4e9))
def test_a_window_has_at_least_two_slices_and_not_thousands(window: float, now: float) -> None:
    """The present slice has just begun: alone, it would be judged by a few calls."""
    rules = Rules(window=window)
    first, recent = rules.spans(now)
    assert first <= recent < rules.slice_at(now) <= now * 1000
    assert 1 <= (rules.slice_at(now) - first) / rules.slice_ms <= 3600 / 5 - 1


def test_an_open_circuit_lets_nothing_pass_before_its_time() -> None:
    """Then it lets one probe through."""
    circuit = opened()
    assert circuit.open_until == NOW + 5
    early = NOW + 4.999
    assert not circuit.flows(early)
    assert not circuit.probe_due(early)
    assert circuit.leased(now=early, rules=RULES) is circuit
    assert circuit.wait(NOW + 2) == pytest.approx(3)
    assert circuit.probe_due(NOW + 5)
    assert circuit.wait(NOW + 5) == 0
    assert not circuit.flows(NOW + 5)


def test_while_one_probes_no_other_does() -> None:
    """No call passes until the probe has ended, or its time is over."""
    circuit = leased(opened())
    assert circuit.state is CircuitState.HALF_OPEN
    assert circuit.leased(now=NOW + 34.9, rules=RULES) is circuit
    assert circuit.wait(NOW + 30) == pytest.approx(5)


def test_a_probe_whose_worker_died_gives_way_to_the_next() -> None:
    """Its later result is ignored."""
    circuit = leased(opened())
    next_one = circuit.leased(now=NOW + 35, rules=RULES)
    assert next_one.generation > circuit.generation
    late = next_one.answered(
        circuit.generation, Kind.SUCCESS, slow=False, now=NOW + 36, rules=RULES, rng=RNG
    )
    assert late is next_one


def test_good_probes_in_a_row_close_it() -> None:
    """Three by default; the calls of before are forgotten."""
    circuit = opened()
    for passed in (1, 2):
        circuit = probed(circuit, Kind.SUCCESS)
        assert (circuit.state, circuit.passed) == (CircuitState.HALF_OPEN, passed)
        assert circuit.probe_due(NOW + 5)
    circuit = probed(circuit, Kind.SUCCESS)
    assert (circuit.state, circuit.trips, circuit.cause) == (CircuitState.CLOSED, 0, None)
    assert circuit.flows(NOW + 5)


@pytest.mark.parametrize("kind", [Kind.FAILURE, Kind.UNREACHABLE])
def test_a_bad_probe_opens_it_for_longer(kind: Kind) -> None:
    """However many good ones came before it; no further one is let through at once."""
    circuit = probed(probed(probed(opened(), Kind.SUCCESS), Kind.SUCCESS), kind)
    assert (circuit.state, circuit.trips, circuit.passed) == (CircuitState.OPEN, 2, 0)
    assert circuit.open_until == circuit.since + 10
    assert circuit.cause == "20 of 20 calls failed"


def test_a_slow_probe_is_a_bad_one() -> None:
    """It would close a circuit that slow calls have opened."""
    assert probed(opened(), Kind.SUCCESS, slow=True).state is CircuitState.OPEN


@each_of(("trips", "seconds"), [(1, 5), (2, 10), (5, 80), (6, 120), (7, 120), (4000, 120)])
def test_the_open_time_doubles_up_to_the_longest(trips: int, seconds: float) -> None:
    """The default rules': five seconds, two minutes."""
    assert RULES.open_seconds(trips, RNG) == seconds


@given(st.integers(0, 2**32), st.integers(1, 100))
def test_an_open_time_is_drawn_below_its_bound(seed: int, trips: int) -> None:
    """By a fifth at most, so that it still grows each time until it meets the longest."""
    bound = RULES.open_seconds(trips, RNG)
    drawn = RULES.open_seconds(trips, random.Random(seed))
    assert 0.8 * bound <= drawn <= bound


def test_neutral_probes_free_the_way_and_then_wait_once_more() -> None:
    """After three in a row it opens again, for no longer than before."""
    circuit = opened(trips=2)
    for _ in range(INCONCLUSIVE - 1):
        circuit = probed(circuit, Kind.NEUTRAL)
        assert circuit.state is CircuitState.HALF_OPEN
        assert circuit.probe_due(circuit.since)
    circuit = probed(circuit, Kind.NEUTRAL)
    assert (circuit.state, circuit.trips) == (CircuitState.OPEN, 2)
    assert circuit.open_until == circuit.since + 10


def test_a_good_probe_between_neutral_ones_ends_their_row() -> None:
    """And a neutral one between good ones does not end theirs."""
    kinds = [Kind.NEUTRAL, Kind.NEUTRAL, Kind.SUCCESS] * 3
    circuit = opened()
    for kind in kinds:
        assert circuit.state is not CircuitState.CLOSED
        circuit = probed(circuit, kind)
    assert circuit.state is CircuitState.CLOSED


def test_a_probe_that_was_released_counts_nothing() -> None:
    """The next one is permitted at once; good and neutral ones in a row still count."""
    circuit = leased(probed(probed(opened(), Kind.SUCCESS), Kind.NEUTRAL))
    freed = circuit.freed(circuit.generation)
    assert freed == replace(circuit, probe_until=None)
    assert freed.probe_due(circuit.since)
    assert circuit.freed(circuit.generation - 1) is circuit


@pytest.mark.parametrize(
    "circuit", [CLOSED, opened(), leased(opened()), overridden(opened(), Mode.SHADOW)], ids=str
)
def test_a_fatal_call_opens_it_until_an_operators_word(circuit: Circuit) -> None:
    """No time ends that, nor another end of a call."""
    held = ended(circuit, Kind.FATAL)
    assert (held.state, held.open_until, held.stuck) == (CircuitState.OPEN, None, True)
    assert not held.probe_due(NOW + 1e9)
    assert held.leased(now=NOW + 1e9, rules=RULES) is held
    for kind in Kind:
        assert ended(held, kind) is held


def test_a_held_circuit_waits_for_ever() -> None:
    """There is no need to ask again soon."""
    assert ended(CLOSED, Kind.FATAL).wait(NOW) == math.inf


def test_what_a_call_of_an_earlier_generation_says_counts_no_more() -> None:
    """Not even that it was fatal: the key may have been mended since."""
    circuit = opened()
    for kind in Kind:
        late = circuit.answered(0, kind, slow=True, now=NOW + 1, rules=RULES, rng=RNG)
        assert late is circuit


def test_an_open_circuit_is_not_opened_again_by_the_calls_before() -> None:
    """Its time is not prolonged by another worker's count of the same calls."""
    circuit = opened()
    assert circuit.tripped("again", now=NOW + 3, rules=RULES, rng=RNG) is circuit


def test_an_operator_closes_a_circuit_whatever_calls_say() -> None:
    """All pass, and nothing opens it, until that is taken back."""
    closed = overridden(ended(CLOSED, Kind.FATAL), Mode.CLOSED)
    assert (closed.state, closed.trips) == (CircuitState.CLOSED, 0)
    assert closed.flows(NOW + 1e9)
    assert closed.tripped("20 of 20 calls failed", now=NOW, rules=RULES, rng=RNG) is closed
    assert ended(closed, Kind.FATAL) is closed


def test_an_operator_opens_a_circuit_and_no_probe_passes() -> None:
    """A provider that is switched off gets no call at all."""
    circuit = overridden(CLOSED, Mode.OPEN)
    assert not circuit.flows(NOW + 1e9)
    assert not circuit.probe_due(NOW + 1e9)
    assert circuit.wait(NOW) == math.inf


def test_a_forced_open_that_ends_by_itself_is_probed_first() -> None:
    """Whether the provider works after its maintenance is not known yet."""
    circuit = overridden(CLOSED, Mode.OPEN, until=NOW + 60)
    assert circuit.wait(NOW + 20) == pytest.approx(40)
    assert not circuit.probe_due(NOW + 59)
    after = circuit.at(NOW + 60)
    assert (after.mode, after.actor, after.reason) == (Mode.AUTO, None, None)
    assert after.probe_due(NOW + 60)
    assert circuit.probe_due(NOW + 60)
    assert not circuit.flows(NOW + 60)


def test_a_forced_closed_that_ends_by_itself_judges_again() -> None:
    """Calls during the override were counted, so that it may open at once."""
    circuit = overridden(CLOSED, Mode.CLOSED, until=NOW + 60).at(NOW + 60)
    assert circuit.generation == CLOSED.generation
    assert circuit.tripped("20 of 20 calls failed", now=NOW + 60, rules=RULES, rng=RNG).trips == 1


@each_of("mode", [Mode.AUTO, Mode.SHADOW])
@each_of(
    "circuit",
    [opened(), opened(trips=9), ended(CLOSED, Kind.FATAL), overridden(CLOSED, Mode.OPEN)],
    ids=str,
)
def test_after_an_operators_word_an_open_circuit_is_probed_at_once(
    circuit: Circuit, mode: Mode
) -> None:
    """That is how one says that the key is mended, or the provider back."""
    after = overridden(circuit, mode, now=NOW + 1)
    assert after.probe_due(NOW + 1)
    assert after.state is CircuitState.OPEN


def test_a_shadow_judges_and_lets_everything_pass() -> None:
    """So one sees what it would do before one trusts it."""
    circuit = overridden(CLOSED, Mode.SHADOW).tripped("all failed", now=NOW, rules=RULES, rng=RNG)
    assert circuit.state is CircuitState.OPEN
    assert circuit.flows(NOW)
    assert not circuit.probe_due(NOW)
    assert circuit.wait(NOW) == 0
    assert not circuit.at(NOW).leased(now=NOW + 5, rules=RULES).probe_due(NOW + 5)


def test_an_operators_word_leaves_the_rest_of_the_circuit_alone() -> None:
    """A shadow of a closed circuit goes on counting the same calls."""
    circuit = overridden(CLOSED, Mode.SHADOW, until=NOW + 1800)
    assert circuit == replace(
        CLOSED, mode=Mode.SHADOW, mode_until=NOW + 1800, actor="ann@ops-1", reason="INC-7"
    )
