"""Translating the database's clock to this process's."""

from __future__ import annotations

import pytest

from notify.store.db.offset import ClockOffset


def test_the_quickest_answer_counts() -> None:
    """A lock that held an answer up does not shift its slots."""
    offset = ClockOffset()
    assert offset.learn(1000.0, now=10.002) == pytest.approx(-989.998)
    assert offset.learn(1001.0, now=11.3) == pytest.approx(-989.998)
    assert offset.learn(1002.0, now=12.001) == pytest.approx(-989.999)


def test_an_old_answer_is_forgotten() -> None:
    """Clocks drift: within ten seconds it counts no more."""
    offset = ClockOffset()
    offset.learn(1000.0, now=10.0)
    for second in range(1, 6):
        assert offset.learn(1000.0 + second, now=10.0 + second + 0.5) == pytest.approx(-990.0)
    for second in range(6, 12):
        last = offset.learn(1000.0 + second, now=10.0 + second + 0.5)
    assert last == pytest.approx(-989.5)


@pytest.mark.parametrize("step", [30.0, -30.0])
def test_a_clock_that_is_set_is_followed_at_once(step: float) -> None:
    """Or all slots would lie in the past, or far ahead."""
    offset = ClockOffset()
    offset.learn(1000.0, now=10.0)
    assert offset.learn(1001.0 + step, now=11.0) == pytest.approx(-990.0 - step)
    assert offset.learn(1002.0 + step, now=12.0) == pytest.approx(-990.0 - step)
