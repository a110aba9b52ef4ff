"""Circuits that many workers share, on both databases: one probe, one sum, one operator's word."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack, closing
from dataclasses import replace
from functools import partial
from threading import Barrier
from typing import TypeVar

import pytest
from sqlalchemy import select, text

from notify.errors import StoreError
from notify.flow.circuits import EXCHANGE_PERIOD, CircuitPermit, Circuits
from notify.flow.overrides import set_breaker_mode
from notify.policies.breaker import INCONCLUSIVE, Circuit, CircuitState, Counts, Kind, Mode, Rules
from notify.store import Store
from notify.store.audit import Actor
from notify.store.db.clock import read_clock
from notify.store.flow import circuits as record
from notify.store.flow.circuits import Slice
from notify.store.tables import audit, circuit_calls
from tests.support import clocks
from tests.support.forked import forks
from tests.support.patience import PATIENCE

T = TypeVar("T")
RULES = Rules()
ANN = Actor("ann@ops-1", "INC-7: their status page says so")
TIMES = ("since", "open_until", "probe_until", "mode_until")


class Clock:
    """A monotonic clock that stands until a test moves it."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        """Return the time."""
        return self.now


class Worker:
    """One worker process's view, with connections and a clock of its own."""

    def __init__(self, store: Store, *, rules: Rules = RULES) -> None:
        self.clock = Clock()
        self.circuits = Circuits(
            store, {"acme": rules, "other": rules}, rng=random.Random(7), monotonic=self.clock
        )
        self.look()

    def look(self) -> None:
        """Exchange with the others, as it does twice a second."""
        self.clock.now += EXCHANGE_PERIOD
        self.circuits.refresh()

    def ask(self) -> CircuitPermit | None:
        """Ask for leave, later than it may have asked before."""
        self.clock.now += EXCHANGE_PERIOD
        return self.circuits.permit("acme")

    def call(self, kind: Kind, number: int = 1, *, seconds: float = 0.1) -> None:
        """Make calls that end so."""
        for _ in range(number):
            pass_ = self.ask()
            assert pass_ is not None
            self.circuits.ended(pass_, kind, seconds)

    def probe(self) -> CircuitPermit:
        """Get leave to probe."""
        pass_ = self.ask()
        assert pass_ is not None
        assert pass_.probe
        return pass_


@pytest.fixture
def database_clock() -> clocks.Clock:
    """The database's clock: it stands still, and `time_goes_by` ages the record instead."""
    return clocks.Clock()


@pytest.fixture
def store(store: Store, database_clock: clocks.Clock) -> Store:
    """An empty record that reads the test's clock."""
    database_clock.keep(store)
    return store


@pytest.fixture
def workers(
    migrated_url: str, store: Store, database_clock: clocks.Clock
) -> Iterator[Callable[[int], list[Worker]]]:
    """Starts workers on the empty record, each with a store of its own."""
    assert store is not None
    with ExitStack() as stack:

        def start(number: int) -> list[Worker]:
            stores = [Store.open(migrated_url, pool_size=2) for _ in range(number)]
            for each in stores:
                database_clock.keep(stack.enter_context(closing(each)))
            return [Worker(each) for each in stores]

        yield start


def circuit_in(store: Store) -> Circuit:
    """The circuit that all workers share."""
    with store.reading() as connection:
        return record.current(connection, ["acme"])["acme"]


def time_goes_by(store: Store, seconds: float) -> None:
    """Move all that is on record into the past."""
    columns = ", ".join(f"{name} = {name} - :seconds" for name in TIMES)
    with store.writing() as connection:
        connection.execute(text(f"UPDATE circuits SET {columns}"), {"seconds": seconds})  # noqa: S608
        counted: list[int] = list(
            connection.execute(select(circuit_calls.c.bucket).distinct()).scalars()
        )
        for bucket in sorted(counted):
            connection.execute(
                text("UPDATE circuit_calls SET bucket = :new WHERE bucket = :old"),
                {"new": bucket - round(seconds * 1000), "old": bucket},
            )


def open_circuit(store: Store, *, due: bool = False) -> Circuit:
    """Open the circuit, and maybe let its time go by."""
    with store.writing() as connection:
        record.change(
            connection,
            "acme",
            lambda circuit, now: circuit.tripped("x", now=now, rules=RULES, rng=random.Random(1)),
        )
    if due:
        time_goes_by(store, 6)
    return circuit_in(store)


def tell(store: Store, mode: Mode, *, seconds: float | None = None) -> Circuit:
    """Say something as an operator does."""
    (circuit,) = set_breaker_mode(store, ["acme"], mode, ANN, seconds=seconds)
    return circuit


def take_away(store: Store) -> None:
    """Make the circuits' tables unusable."""
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE circuits RENAME TO circuits_gone"))


def give_back(store: Store) -> None:
    """Make them usable again."""
    with store.writing() as connection:
        connection.execute(text("ALTER TABLE circuits_gone RENAME TO circuits"))


def test_a_circuit_that_nobody_wrote_is_closed(store: Store) -> None:
    """It has no row until something happens."""
    assert circuit_in(store) == Circuit("acme")


def test_a_circuit_is_read_as_it_was_written(store: Store) -> None:
    """All of it, words and times."""
    written = []

    def transition(circuit: Circuit, now: float) -> Circuit:
        after = circuit.overridden(Mode.SHADOW, now=now, until=now + 60, actor="ann", reason="ü 😀")
        after = after.tripped("all failed", now=now, rules=RULES, rng=random.Random(1))
        written.append(after.leased(now=now + 60, rules=RULES))
        return written[0]

    with store.writing() as connection:
        after, changed = record.change(connection, "acme", transition)
    assert changed
    assert circuit_in(store) == after == written[0]


def test_a_transition_to_the_same_writes_nothing(store: Store) -> None:
    """And says so."""
    with store.writing() as connection:
        after, changed = record.change(connection, "acme", lambda circuit, _now: circuit)
        assert after.since == pytest.approx(read_clock(connection), abs=5)
    assert not changed
    assert after == circuit_in(store)


def test_counts_of_many_workers_add_up(store: Store, migrated_url: str) -> None:
    """At the same time, for several providers: no change is lost, and there is no deadlock."""
    barrier = Barrier(6)

    def add(number: int) -> None:
        names = ["a", "b", "c"] if number % 2 else ["c", "b", "a"]
        with closing(Store.open(migrated_url, pool_size=1)) as own:
            barrier.wait(PATIENCE)
            for _ in range(20):
                slices = [Slice(name, 3, 5000, Counts(1, 2, 3, 4, 5)) for name in names]
                with own.writing() as connection:
                    record.add_calls(connection, slices)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(add, range(6)))
    with store.reading() as connection:
        found = record.read_calls(connection, ["a", "c"], since=5000)
    whole = Counts(120, 240, 360, 480, 600)
    assert sorted(found, key=lambda each: each.provider) == [
        Slice("a", 3, 5000, whole),
        Slice("c", 3, 5000, whole),
    ]
    with store.reading() as connection:
        assert record.read_calls(connection, ["a"], since=5001) == []


def test_old_counts_are_forgotten(store: Store) -> None:
    """By their slices, on the database's clock."""
    with store.writing() as connection:
        now = round(read_clock(connection)) * 1000
        added = [Slice("a", 0, now - age * 1000, Counts(calls=age)) for age in (0, 50, 70)]
        record.add_calls(connection, added)
        record.delete_old_calls(connection, older=60)
        left = record.read_calls(connection, ["a"], since=0)
    assert sorted(each.counts.calls for each in left) == [0, 50]


def test_two_workers_calls_add_up_to_what_neither_would_see_alone(
    workers: Callable[[int], list[Worker]],
) -> None:
    """Each has made half of the calls that are needed to judge."""
    one, other = workers(2)
    for worker in (one, other):
        worker.call(Kind.FAILURE, RULES.minimum_calls // 2)
        worker.look()
        assert worker.ask() is not None
    one.look()
    assert one.ask() is not None, "others may not have told yet how well their calls went"
    one.look()
    assert one.ask() is None
    other.look()
    assert other.ask() is None
    assert 2 < other.circuits.wait("acme") <= 5
    assert one.circuits.permit("other") is not None


def test_several_workers_that_see_it_open_it_once(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """The first to write wins; the others take what it wrote."""
    fleet = workers(5)
    for worker in fleet:
        worker.call(Kind.FAILURE, 20)
    for _ in range(3):
        together([worker.look for worker in fleet])
    circuit = circuit_in(store)
    assert (circuit.state, circuit.generation, circuit.trips) == (CircuitState.OPEN, 1, 1)
    assert all(worker.ask() is None for worker in fleet)


def test_one_bad_host_with_a_tenth_of_the_traffic_opens_nothing(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """Though it fails in all its calls, and in whichever order the workers tell theirs."""
    fleet = workers(4)
    bad, rng = fleet[0], random.Random(3)
    for _ in range(6):
        bad.call(Kind.UNREACHABLE, 6)
        for good in set(fleet) - {bad}:
            good.call(Kind.SUCCESS, 18)
        for worker in fleet:
            worker.look()
        # The bad one was the first to tell of its calls, and need not be the next time.
        rng.shuffle(fleet)
    assert circuit_in(store).state is CircuitState.CLOSED
    assert all(worker.ask() is not None for worker in fleet)


def test_slow_calls_open_it(workers: Callable[[int], list[Worker]]) -> None:
    """Though all of them go well in the end."""
    (worker,) = workers(1)
    worker.call(Kind.SUCCESS, 20, seconds=RULES.slow_call)
    worker.look()
    worker.look()
    assert worker.ask() is None


def test_neutral_calls_open_nothing_and_are_seen_in_the_rate(
    workers: Callable[[int], list[Worker]],
) -> None:
    """The limiter wants to know how many calls it took until the provider complained."""
    one, other = workers(2)
    one.call(Kind.NEUTRAL, 300)
    one.call(Kind.SUCCESS, 100)
    one.look()
    for _ in range(3):
        other.look()
    # 400 calls of just now, in the last two to four seconds.
    assert 90 < other.circuits.calls_per_second("acme") < 250
    assert other.circuits.calls_per_second("other") == 0
    assert other.ask() is not None


def test_exactly_one_worker_of_many_gets_the_probe(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """Over their own connections, all at once, each time that one is due."""
    fleet = workers(8)
    for _ in range(5):
        with store.writing() as connection:
            connection.execute(text("DELETE FROM circuits"))
        open_circuit(store, due=True)
        for worker in fleet:
            worker.look()
        passes = together([worker.ask for worker in fleet])
        assert [each.probe for each in passes if each is not None] == [True]


def test_exactly_one_thread_of_many_processes_gets_the_probe(
    store: Store, migrated_url: str
) -> None:
    """Threads of one process share a view, processes share the row."""
    open_circuit(store, due=True)
    ask = partial(_ask_from_threads, migrated_url, threads=4)
    with ProcessPoolExecutor(3, mp_context=forks()) as pool:
        found = list(pool.map(ask, range(3)))
    assert sum(found) == 1
    assert circuit_in(store).generation == 2


def _ask_from_threads(url: str, _process: int, *, threads: int) -> int:
    """Ask from all threads at once; count the leaves. Run in a process of its own."""
    with closing(Store.open(url)) as store:
        # The processes start seconds apart, and read the real clock: no lease may lapse until then.
        worker = Worker(store, rules=replace(RULES, probe_timeout=PATIENCE * 10))
        passes = together([worker.ask] * threads)
    return sum(each is not None for each in passes)


def test_a_failed_probe_keeps_all_away_for_longer(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """No call passes until the doubled time is over."""
    one, other = workers(2)
    open_circuit(store, due=True)
    one.look()
    other.look()
    one.circuits.ended(one.probe(), Kind.FAILURE, 0.1)
    assert one.ask() is None
    assert other.ask() is None, "it asks the store, and is told"
    assert 7.9 < other.circuits.wait("acme") <= 10
    time_goes_by(store, 7)
    other.look()
    assert other.ask() is None
    time_goes_by(store, 3)
    other.look()
    assert other.probe().probe


def test_good_probes_from_whichever_worker_close_it_for_all(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """Each takes its turn; in between the others wait for half a second at most."""
    fleet = workers(3)
    open_circuit(store, due=True)
    for worker in fleet:
        worker.look()
        pass_ = worker.probe()
        for other in fleet:
            if other is not worker:
                other.look()
                assert other.ask() is None
                assert other.circuits.wait("acme") <= EXCHANGE_PERIOD
        worker.circuits.ended(pass_, Kind.SUCCESS, 0.1)
        for other in fleet:
            other.look()
    assert circuit_in(store).state is CircuitState.CLOSED
    assert [worker.ask() for worker in fleet] == [CircuitPermit("acme", 5, probe=False)] * 3


def test_a_lapsed_lease_goes_to_another_and_the_first_word_counts_no_more(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """Its worker was killed, or slept: others do not wait for it for ever."""
    one, other = workers(2)
    open_circuit(store, due=True)
    one.look()
    late = one.probe()
    time_goes_by(store, RULES.probe_timeout - 1)
    other.look()
    assert other.ask() is None
    time_goes_by(store, 1.1)
    other.look()
    pass_ = other.probe()
    one.circuits.ended(late, Kind.FAILURE, 0.1)
    assert circuit_in(store).state is CircuitState.HALF_OPEN
    other.circuits.ended(pass_, Kind.SUCCESS, 0.1)
    assert circuit_in(store).passed == 1


def test_a_released_probe_is_anothers_at_once(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """No call was made with it, or the worker was stopped in the midst of it."""
    one, other = workers(2)
    open_circuit(store, due=True)
    one.look()
    one.circuits.released(one.probe())
    other.look()
    assert other.probe().probe


def test_one_process_tries_for_the_probe_at_most_twice_a_second(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """However many of its messages want to go."""
    (worker,) = workers(1)
    open_circuit(store, due=True)
    worker.look()
    worker.circuits.released(worker.probe())
    assert worker.circuits.wait("acme") > 0
    assert worker.circuits.permit("acme") is None
    assert worker.circuits.wait("acme") == pytest.approx(EXCHANGE_PERIOD)
    worker.clock.now += EXCHANGE_PERIOD
    assert worker.circuits.wait("acme") <= 0
    assert worker.circuits.permit("acme") is not None


def test_inconclusive_probes_open_it_again_for_no_longer(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """The provider answers, but not to the question."""
    (worker,) = workers(1)
    open_circuit(store, due=True)
    worker.look()
    for _ in range(INCONCLUSIVE):
        worker.circuits.ended(worker.probe(), Kind.NEUTRAL, 0.1)
    circuit = circuit_in(store)
    assert (circuit.state, circuit.trips) == (CircuitState.OPEN, 1)
    assert worker.ask() is None


def test_late_calls_of_before_do_not_open_a_circuit_that_was_closed_again(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """Calls that hung while it was open come to their end in a new generation."""
    one, other = workers(2)
    hanging = [one.ask() for _ in range(100)]
    open_circuit(store, due=True)
    one.look()
    other.look()
    for _ in range(RULES.probes):
        other.circuits.ended(other.probe(), Kind.SUCCESS, 0.1)
    one.look()
    for number, late in enumerate(hanging):
        assert late is not None
        one.circuits.ended(late, Kind.FAILURE if number else Kind.FATAL, 60)
    for _ in range(3):
        one.look()
    assert circuit_in(store).state is CircuitState.CLOSED
    assert one.ask() is not None


def test_the_calls_that_opened_it_do_not_open_it_again_once_it_closed(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """They are still in the window, and of a generation that is over."""
    (worker,) = workers(1)
    worker.call(Kind.FAILURE, 30)
    worker.look()
    worker.look()
    time_goes_by(store, 6)
    worker.look()
    for _ in range(RULES.probes):
        worker.circuits.ended(worker.probe(), Kind.SUCCESS, 0.1)
    worker.call(Kind.SUCCESS)
    for _ in range(3):
        worker.look()
    assert circuit_in(store).state is CircuitState.CLOSED
    worker.call(Kind.SUCCESS)


def test_a_fatal_call_opens_it_at_once_and_for_good(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """For this process without a look, for the others at their next; no time ends it."""
    one, other = workers(2)
    one.call(Kind.FATAL)
    assert one.ask() is None
    assert one.circuits.wait("acme") == math.inf
    time_goes_by(store, 1e6)
    other.look()
    assert other.ask() is None
    assert other.circuits.wait("acme") == math.inf
    tell(store, Mode.AUTO)
    other.look()
    for _ in range(RULES.probes):
        other.circuits.ended(other.probe(), Kind.SUCCESS, 0.1)
    one.look()
    one.call(Kind.SUCCESS)


def test_many_fatal_calls_at_once_open_it_once(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """All that are in flight come back with the same refusal."""
    fleet = workers(2)
    passes = [(worker, worker.ask()) for worker in fleet for _ in range(8)]

    def end(worker: Worker, pass_: CircuitPermit | None) -> None:
        assert pass_ is not None
        worker.circuits.ended(pass_, Kind.FATAL, 0.1)

    together([partial(end, worker, pass_) for worker, pass_ in passes])
    assert circuit_in(store).generation == 1


@pytest.mark.parametrize("mode", [Mode.OPEN, Mode.CLOSED, Mode.SHADOW])
def test_an_operators_word_holds_everywhere_until_its_time_is_over(
    workers: Callable[[int], list[Worker]], store: Store, mode: Mode
) -> None:
    """Then the circuit follows its rules again; after an open one it is probed first."""
    one, other = workers(2)
    tell(store, mode, seconds=60)
    time_goes_by(store, 59)
    for worker in (one, other):
        worker.look()
        pass_ = worker.ask()
        assert (pass_ is not None) is (mode is not Mode.OPEN)
    time_goes_by(store, 2)
    one.look()
    assert one.circuits.wait("acme") <= 0
    one.call(Kind.FATAL)
    assert one.circuits.wait("acme") == math.inf


def test_an_operators_word_ends_in_time_without_a_look(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """By this process's own clock, where the store cannot be asked."""
    (worker,) = workers(1)
    tell(store, Mode.OPEN, seconds=60)
    worker.look()
    take_away(store)
    try:
        assert worker.circuits.wait("acme") == pytest.approx(60, abs=1)
        worker.clock.now += 61
        assert worker.circuits.wait("acme") <= 0
    finally:
        give_back(store)


@pytest.mark.parametrize("by", ["a word", "time"])
def test_a_forced_closed_circuit_passes_everything(
    workers: Callable[[int], list[Worker]], store: Store, by: str
) -> None:
    """Whatever the calls say, until `auto` or until its time is over; then they count."""
    (worker,) = workers(1)
    tell(store, Mode.CLOSED, seconds=60)
    worker.look()
    worker.call(Kind.FAILURE, 30)
    worker.call(Kind.FATAL)
    for _ in range(3):
        worker.look()
    worker.call(Kind.FAILURE)
    if by == "time":
        time_goes_by(store, 61)
        worker.look()
        worker.call(Kind.FAILURE, 20)
    else:
        tell(store, Mode.AUTO)
    worker.look()
    worker.look()
    assert worker.ask() is None


def test_a_shadow_opens_and_probes_and_lets_everything_pass(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """One sees in the record what it would have done."""
    (worker,) = workers(1)
    tell(store, Mode.SHADOW)
    worker.look()
    worker.call(Kind.FAILURE, 30)
    worker.look()
    worker.look()
    assert circuit_in(store).state is CircuitState.OPEN
    worker.call(Kind.FAILURE, 30)
    assert circuit_in(store).trips == 1
    time_goes_by(store, 6)
    worker.look()
    pass_ = worker.probe()
    worker.call(Kind.SUCCESS, 5)
    worker.circuits.ended(pass_, Kind.FAILURE, 0.1)
    assert (circuit_in(store).state, circuit_in(store).trips) == (CircuitState.OPEN, 2)


def test_what_operators_say_is_in_the_audit(store: Store) -> None:
    """Who, what, why, for how long, and what it was before."""
    open_circuit(store)
    tell(store, Mode.CLOSED, seconds=60)
    with store.reading() as connection:
        (entry,) = connection.execute(select(audit)).mappings()
    assert (entry["actor"], entry["action"]) == (ANN.name, "breaker.closed")
    assert entry["reason"] == ANN.reason
    assert entry["details"] == {
        "provider": "acme",
        "seconds": 60,
        "state_before": "open",
        "mode_before": "auto",
    }


def test_while_the_store_is_away_a_process_judges_by_its_own_calls(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """It opens, probes and closes for itself, and takes the others' view once the store is back."""
    (worker,) = workers(1)
    worker.call(Kind.FAILURE, 19)
    take_away(store)
    try:
        worker.call(Kind.FAILURE)
        with pytest.raises(StoreError):
            worker.look()
        assert worker.ask() is None
        worker.clock.now += 5
        first = worker.probe()
        assert worker.ask() is None
        worker.circuits.ended(first, Kind.FAILURE, 0.1)
        assert 7.9 < worker.circuits.wait("acme") <= 10
        worker.clock.now += 10
        for _ in range(RULES.probes):
            worker.circuits.ended(worker.probe(), Kind.SUCCESS, 0.1)
    finally:
        give_back(store)
    worker.look()
    assert circuit_in(store) == Circuit("acme")
    assert worker.ask() == CircuitPermit("acme", 0, probe=False)


def test_what_the_store_could_not_be_told_is_told_later(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """A refused key must not be forgotten, nor a probe's answer."""
    one, other = workers(2)
    one.call(Kind.SUCCESS)
    open_circuit(store, due=True)
    one.look()
    pass_ = one.probe()
    take_away(store)
    try:
        one.circuits.ended(pass_, Kind.FATAL, 0.1)
        assert one.ask() is None
        with pytest.raises(StoreError):
            one.look()
    finally:
        give_back(store)
    one.look()
    other.look()
    assert other.circuits.wait("acme") == math.inf


def test_nobody_probes_on_a_store_that_fails_this_once(
    workers: Callable[[int], list[Worker]], store: Store
) -> None:
    """Another worker may have the leave; to guess, one must know that the store is away."""
    (worker,) = workers(1)
    open_circuit(store, due=True)
    worker.look()
    take_away(store)
    try:
        assert worker.ask() is None
    finally:
        give_back(store)
    assert worker.probe().probe


def together(works: Sequence[Callable[[], T]]) -> list[T]:
    """Run all at once; give the answers in order."""
    barrier = Barrier(len(works))

    def run(work: Callable[[], T]) -> T:
        barrier.wait(PATIENCE)
        return work()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))
