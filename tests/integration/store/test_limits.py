"""The limits that the fleet shares, on both databases."""

from __future__ import annotations

import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, replace
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from notify.errors import StoreError
from notify.policies import ratelimit
from notify.policies.ratelimit import BookingRequest, Grant, Limit, LimitState
from notify.store import Store
from notify.store.audit import Actor
from notify.store.db.clock import read_clock
from notify.store.flow import bookings, limits
from notify.store.flow.bookings import book
from notify.store.tables import limits as table
from tests.support.clocks import Clock
from tests.support.migrated import migrated
from tests.support.patience import PATIENCE

NAME = "account"
LIMIT = Limit(NAME, 100.0)
ANN = Actor("ann@ops-1", "INC-7")


@pytest.fixture
def store(store: Store, clock: Clock) -> Store:
    """An empty record that reads the test's clock."""
    clock.keep(store)
    return store


@pytest.fixture
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """On PostgreSQL, wait longer for the lock than this process may stand still."""
    patient = bookings._BOOK.replace("'5s'", f"'{PATIENCE:.0f}s'")
    assert patient != bookings._BOOK
    monkeypatch.setattr(bookings, "_BOOK", patient)


def write(store: Store, standing: LimitState) -> None:
    """Set the limit to this state."""
    with store.writing() as connection:
        connection.execute(table.delete().where(table.c.name == NAME))
        values = {"name": NAME, "used": 0.0, "used_at": 0.0}
        connection.execute(insert(table).values(**values, **asdict(standing)))


def standing_of(store: Store, name: str = NAME) -> tuple[LimitState, float]:
    """Read how a limit stands, and the clock."""
    with store.reading() as connection:
        (found,), now = limits.read(connection, [name])
    return found.state, now


def booked(store: Store, ask: BookingRequest, limit: Limit = LIMIT) -> Grant:
    """Book as a worker does."""
    with store.booking() as connection:
        return book(connection, limit, ask)


def some_standing(rng: random.Random, now: float) -> LimitState:
    """Make up how a limit may stand."""
    around = (0.0, now - 5, now - 0.1, now + 0.1, now + 0.4, now + 3)
    standing = LimitState(tat=rng.choice(around))
    if rng.random() < 0.5:
        changes: dict[str, Any] = {"lowered": rng.choice([0.5, 30.0, 70.0])}
        changes |= {"lowered_from": rng.choice([1.0, 100.0]), "lowered_at": rng.choice(around)}
        standing = replace(standing, **changes)
    if rng.random() < 0.4:
        standing = replace(standing, paused_until=rng.choice(around))
    if rng.random() < 0.5:
        until = rng.choice([None, *around])
        standing = replace(standing, set_rate=rng.choice([2.0, 60.0, 900.0]), set_until=until)
    return standing


def some_ask(rng: random.Random) -> BookingRequest:
    """Make up what a worker may want."""
    costs = [rng.choice([0.5, 1.0, 3.0, 20.0]) for _ in range(rng.randint(1, 40))]
    return BookingRequest.of(
        costs,
        share=rng.choice([0.1, 0.6, 0.8, 1.0]),
        lease=rng.choice([0.0, 15.0, 400.0]),
        ahead=rng.choice([float("inf"), 0.0, 0.1]),
    )


@pytest.mark.parametrize("seed", range(4))
def test_the_database_books_as_the_formulas_say(store: Store, seed: int) -> None:
    """Whatever was configured, lowered, set, paused, booked and asked before."""
    rng = random.Random(seed)
    for _ in range(60):
        with store.reading() as connection:
            now = read_clock(connection)
        standing, ask = some_standing(rng, now), some_ask(rng)
        rate, burst = rng.choice([(None, None), (0.5, None), (100.0, None), (100.0, 7.0)])
        limit = Limit(NAME, rate, burst)
        write(store, standing)
        grant = booked(store, ask, limit)
        expected = ratelimit.book(standing, limit, ask, now=grant.now)
        assert asdict(grant) == pytest.approx(asdict(expected), abs=1e-4), (standing, limit, ask)
        after, _ = standing_of(store)
        assert replace(after, tat=0.0) == replace(standing, tat=0.0)
        assert after.tat == pytest.approx(expected.tat, abs=1e-4)


def test_a_limit_s_row_is_made_when_it_is_first_booked(store: Store) -> None:
    """Also if it was removed in between."""
    assert booked(store, BookingRequest.of([1.0], share=1.0)).units == 1.0
    with store.writing() as connection:
        connection.execute(table.delete())
    assert booked(store, BookingRequest.of([1.0], share=1.0)).units == 1.0


@pytest.mark.usefixtures("_patient")
def test_eight_threads_that_book_at_once_get_what_there_is_and_no_more(store: Store) -> None:
    """Each waits for the others; none decides by an older state."""
    limit = Limit(NAME, 0.001, 200.0)

    def work(_: int) -> float:
        return sum(
            booked(store, BookingRequest.of([1.0] * 3, share=1.0), limit).units for _ in range(20)
        )

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 100.0


@pytest.mark.usefixtures("_patient")
def test_the_clock_is_read_after_the_others_are_waited_for(
    store: Store, migrated_url: str, clock: Clock
) -> None:
    """Else a grant would carry the moment at which it began to wait."""
    booked(store, BookingRequest.of([1.0], share=1.0))
    other = Store.open(migrated_url)
    with ThreadPoolExecutor(1) as pool, other.writing() as connection:
        connection.execute(update(table).values(actor="somebody"))
        waiting = pool.submit(booked, store, BookingRequest.of([1.0], share=1.0))
        with pytest.raises(TimeoutError):
            waiting.result(0.3)
        clock.pass_(30)
        connection.commit()
        assert waiting.result(PATIENCE).now == pytest.approx(clock(), abs=0.01)
    other.close()


def test_nobody_waits_long_for_a_row_that_somebody_keeps_locked(postgres_url: str) -> None:
    """On PostgreSQL; a worker goes on by itself then, and other statements stay patient."""
    store, other = Store.open(postgres_url), migrated(postgres_url)
    booked(store, BookingRequest.of([1.0], share=1.0))
    with other.writing() as connection:
        connection.execute(update(table).values(actor="somebody"))
        with pytest.raises(StoreError, match="LockNotAvailable"):
            booked(store, BookingRequest.of([1.0], share=1.0))
    with store.booking() as connection:
        assert booked(store, BookingRequest.of([1.0], share=1.0)).units == 1.0
        for name, value in (("lock_timeout", "0"), ("synchronous_commit", "on")):
            assert connection.exec_driver_sql(f"SHOW {name}").scalar_one() == value
    store.close()
    other.close()


def test_use_is_what_was_granted_lately(store: Store, clock: Clock) -> None:
    """It fades within ten seconds or so."""
    for _ in range(5):
        booked(store, BookingRequest.of([4.0, 4.0], share=1.0))
    with store.reading() as connection:
        (found,), _ = limits.read_all(connection, changed_only=False)
    assert found.use == pytest.approx(4.0, rel=0.3)
    clock.pass_(30)
    with store.reading() as connection:
        (found,), _ = limits.read_all(connection, changed_only=False)
    assert found.use < 0.25
    booked(store, BookingRequest.of([1.0], share=1.0))
    with store.reading() as connection:
        (found,), _ = limits.read_all(connection, changed_only=False)
    assert 0.05 < found.use < 0.35


def test_a_row_that_was_never_used_has_no_use(store: Store) -> None:
    """After fifty years of fading, the number is not too small for the database."""
    write(store, LimitState())
    assert booked(store, BookingRequest.of([1.0], share=1.0)).units == 1.0
    with store.reading() as connection:
        assert connection.execute(select(table.c.used)).scalar_one() == pytest.approx(0.1)


def test_a_complaint_is_heeded_once_a_second_by_all(store: Store) -> None:
    """Four threads complain of the same moment."""

    def complain(_: int) -> float | None:
        with store.writing() as connection:
            return limits.cut(connection, LIMIT, retry_after=2.0, calls_per_second=9.0)[0].lowered

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(complain, range(4))) == [pytest.approx(70.0)] * 4
    standing, now = standing_of(store)
    assert standing.paused(now) == pytest.approx(2.0, abs=0.01)


def test_a_pause_ends_by_the_database_s_clock(store: Store, clock: Clock) -> None:
    """And makes the row, if there was none."""
    with store.writing() as connection:
        limits.pause(connection, NAME, seconds=30.0)
    standing, now = standing_of(store)
    assert standing.paused(now) == pytest.approx(30.0, abs=0.01)
    assert booked(store, BookingRequest.of([1.0], share=1.0)).units == 0.0
    clock.pass_(30.1)
    assert booked(store, BookingRequest.of([1.0], share=1.0)).units == 1.0


def test_an_operator_s_rate_is_in_force_until_it_ends(store: Store) -> None:
    """With who set it, and why."""
    with store.writing() as connection:
        limits.set_rate(connection, NAME, 7.0, seconds=60.0, actor=ANN)
    standing, now = standing_of(store)
    assert standing.rate(LIMIT, now) == 7.0
    assert standing.rate(LIMIT, now + 61) == 100.0
    with store.reading() as connection:
        (found,), _ = limits.read_all(connection, changed_only=False)
    assert (found.actor, found.reason) == ("ann@ops-1", "INC-7")
    with store.writing() as connection:
        limits.set_rate(connection, NAME, 9.0, seconds=None, actor=ANN)
    standing, now = standing_of(store)
    assert standing.rate(LIMIT, now + 1e6) == 9.0


def test_a_reset_leaves_what_was_booked_and_nothing_else(store: Store) -> None:
    """Lowered, paused and set: all of it is forgotten; the schedule is not."""
    booked(store, BookingRequest.of([50.0], share=1.0))
    with store.writing() as connection:
        limits.cut(connection, LIMIT, retry_after=60.0, calls_per_second=9.0)
        limits.set_rate(connection, NAME, 7.0, seconds=60.0, actor=ANN)
    before, _ = standing_of(store)
    with store.writing() as connection:
        assert limits.reset(connection, NAME)
        assert not limits.reset(connection, NAME)
        assert not limits.reset(connection, "nobody")
    assert standing_of(store)[0] == LimitState(tat=before.tat)


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        ({}, False),
        ({"tat": 1.0}, True),
        ({"used_at": 1.0}, True),
        ({"lowered_at": 1.0}, True),
        ({"paused_until": 1.0}, True),
        ({"set_rate": 5.0}, True),
        ({"set_rate": 5.0, "set_until": 1.0}, True),
        ({"set_rate": 5.0, "set_until": -7200.0}, False),
        ({"lowered_at": -7200.0, "paused_until": -7200.0}, False),
    ],
)
def test_a_row_is_removed_when_it_says_nothing_any_more(
    store: Store, changes: dict[str, float], *, kept: bool
) -> None:
    """An hour after its last use: the next booking creates it again."""
    with store.reading() as connection:
        now = read_clock(connection)
    values: dict[str, Any] = {"name": NAME, "tat": now - 7200, "used": 0.0, "used_at": now - 7200}
    values |= {name: each if name == "set_rate" else now + each for name, each in changes.items()}
    with store.writing() as connection:
        connection.execute(insert(table).values(values))
    with store.writing() as connection:
        assert limits.clean(connection) == (not kept)
    names: Sequence[str] = []
    with store.reading() as connection:
        names = [each.name for each in limits.read_all(connection, changed_only=False)[0]]
    assert names == [NAME] * kept
