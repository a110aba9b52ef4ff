"""The wait before the next try: bounds, jitter, growth."""

from __future__ import annotations

import random
import statistics
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.policies.backoff import delay
from tests.support.tables import each_of

SECOND = timedelta(seconds=1)

tries = st.integers(1, 10**9)
waits = st.timedeltas(timedelta(milliseconds=1), timedelta(days=30))
shorter_than_a_day = st.timedeltas(timedelta(milliseconds=1), timedelta(days=1))


class Highest(random.Random):
    """Draws the largest number, so that a wait shows its ceiling."""

    def random(self) -> float:
        """Return the largest value that can be drawn."""
        return 1.0


def ceiling(number: int, *, first: timedelta, most: timedelta) -> timedelta:
    """The longest wait that may be drawn."""
    return delay(number, first=first, most=most, rng=Highest())


@given(tries, waits, waits, st.integers())
def test_a_wait_is_never_negative_and_never_longer_than_the_longest(
    number: int, first: timedelta, most: timedelta, seed: int
) -> None:
    """However many tries there were: floats neither overflow nor pass the bound."""
    wait = delay(number, first=first, most=most, rng=random.Random(seed))
    assert timedelta() <= wait <= most


@given(tries, waits, waits)
def test_the_ceiling_never_falls(number: int, first: timedelta, most: timedelta) -> None:
    """A further failure never makes the next wait's bound smaller."""
    now, then = (ceiling(each, first=first, most=most) for each in (number, number + 1))
    assert now <= then


@given(waits, waits)
def test_the_first_ceiling_is_the_first_wait(first: timedelta, most: timedelta) -> None:
    """Or the longest, where that is shorter."""
    assert ceiling(1, first=first, most=most) == min(first, most)


@each_of(("number", "seconds"), [(1, 2), (2, 4), (3, 8), (8, 256), (9, 512), (10, 600), (999, 600)])
def test_the_ceiling_doubles_up_to_the_longest(number: int, seconds: int) -> None:
    """The default lane's: two seconds, ten minutes."""
    assert ceiling(number, first=2 * SECOND, most=600 * SECOND) == seconds * SECOND


@given(st.integers(1, 12), st.integers(0, 2**32))
def test_the_jitter_is_full(number: int, seed: int) -> None:
    """A fleet that failed together spreads evenly over the whole time from now to the ceiling."""
    rng = random.Random(seed)
    drawn = [delay(number, first=SECOND, most=100 * SECOND, rng=rng) for _ in range(2000)]
    top = ceiling(number, first=SECOND, most=100 * SECOND)
    shares = [wait / top for wait in drawn]
    assert statistics.fmean(shares) == pytest.approx(0.5, abs=0.04)
    assert statistics.pstdev(shares) == pytest.approx(12**-0.5, abs=0.03)


@given(tries, shorter_than_a_day, st.integers())
def test_the_same_randomness_gives_the_same_wait(number: int, first: timedelta, seed: int) -> None:
    """Nothing but the arguments decides."""
    one, other = (
        delay(number, first=first, most=first * 9, rng=random.Random(seed)) for _ in range(2)
    )
    assert one == other
