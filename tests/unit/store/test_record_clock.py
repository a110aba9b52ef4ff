"""The database's clock as one process keeps it, with all three clocks in the test's hand."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

import pytest

from notify.errors import StoreError
from notify.store.db.record_clock import FRESH, RETRY, RecordClock

HOUR = 3600.0
NOON = datetime(2026, 11, 20, 12, 0, tzinfo=UTC).timestamp()


@dataclass
class World:
    """A database and a host, each with its clock."""

    database: float = NOON
    host: float = NOON + HOUR
    monotonic: float = 5.0
    away: bool = False
    takes: float = 0.0
    """Seconds that a look takes until the database answers."""
    looks: int = 0
    clock: RecordClock = field(init=False)

    def __post_init__(self) -> None:
        self.clock = RecordClock(
            self._look, host=lambda: self.host, monotonic=lambda: self.monotonic
        )

    def _look(self) -> None:
        if self.away:
            raise StoreError("away")
        self.looks += 1
        self.passes(self.takes)
        self.clock.learn(self.database)

    def passes(self, seconds: float) -> None:
        """Advance the time, for all of them."""
        self.database += seconds
        self.host += seconds
        self.monotonic += seconds

    def error(self) -> float:
        """Return how far the kept clock is from the database's."""
        return self.clock().timestamp() - self.database


@pytest.fixture
def world() -> World:
    """A host that is an hour ahead of its database."""
    return World()


def test_the_hosts_clock_does_not_matter(world: World) -> None:
    """A host an hour ahead would take over what another worker holds."""
    assert world.error() == pytest.approx(0.0, abs=1e-3)
    assert world.clock.host_ahead == pytest.approx(HOUR)


def test_a_time_costs_no_look_while_the_last_one_is_fresh(world: World) -> None:
    """The hot path asks for the time several times a batch."""
    world.clock()
    world.passes(FRESH / 2)
    for _ in range(1000):
        assert world.error() == pytest.approx(0.0, abs=1e-3)
    assert world.looks == 1
    world.passes(FRESH)
    world.clock()
    assert world.looks == 2


def _database_steps(world: World, by: float) -> None:
    world.database += by
    world.passes(FRESH)


def _suspended(world: World, by: float) -> None:
    world.database += by
    world.host += by


@pytest.mark.parametrize("by", [-HOUR, -2.0, 2.0, HOUR])
def test_a_step_of_the_databases_clock_is_followed(world: World, by: float) -> None:
    """The database's clock is right by definition, also when it is set back."""
    world.clock()
    _database_steps(world, by)
    assert world.error() == pytest.approx(0.0, abs=1e-3)


def test_a_suspended_host_looks_before_it_goes_on(world: World) -> None:
    """Its monotonic clock stood still: a lease written by it would be over already."""
    world.clock()
    _suspended(world, HOUR)
    assert world.error() == pytest.approx(0.0, abs=1e-3)


def test_a_step_of_the_hosts_clock_changes_nothing(world: World) -> None:
    """NTP may correct a host at any moment."""
    world.clock()
    world.host -= HOUR
    assert world.error() == pytest.approx(0.0, abs=1e-3)
    assert world.clock.host_ahead == pytest.approx(0.0)


def test_the_clock_goes_on_while_the_database_is_away(world: World) -> None:
    """Calls that end in between are dated; and one failed read is not repeated for each message."""
    world.clock()
    world.away = True
    world.passes(HOUR)
    assert world.error() == pytest.approx(0.0, abs=1e-3)
    world.away = False
    assert world.looks == 1
    world.clock()
    assert world.looks == 1
    world.passes(RETRY)
    world.clock()
    assert world.looks == 2


def test_nothing_stands_in_for_a_clock_that_was_never_read(world: World) -> None:
    """A lease by the host's clock is what this is to prevent."""
    world.away = True
    with pytest.raises(StoreError):
        world.clock()


def test_a_slow_look_makes_no_time_late(world: World) -> None:
    """A lease by a clock that was read before a look of some seconds would be that much shorter."""
    world.takes = 5.0
    for _ in range(2):
        assert world.error() == pytest.approx(0.0, abs=1e-3)
        world.passes(FRESH)
