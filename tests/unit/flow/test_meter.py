"""A recent rate."""

from __future__ import annotations

import pytest

from notify.flow.meter import Meter


def test_a_steady_rate_is_told_from_the_beginning() -> None:
    """Also while the meter is younger than its span."""
    meter = Meter(10.0, now=5.0)
    for tenth in range(1, 301):
        meter.add(4.0, 5.0 + tenth / 10)
        if tenth in (10, 50, 300):
            assert meter.rate(5.0 + tenth / 10) == pytest.approx(40.0, rel=0.06)


def test_what_is_long_ago_fades() -> None:
    """To a third within its span."""
    meter = Meter(2.0, now=0.0)
    for tenth in range(100):
        meter.add(1.0, tenth / 10)
    assert meter.rate(12.0) == pytest.approx(10.0 / 2.718, rel=0.1)
    assert meter.rate(60.0) == pytest.approx(0.0, abs=1e-6)


def test_nothing_is_nothing_and_what_was_not_used_is_taken_off() -> None:
    """Without a division by zero, and without a clock that goes back."""
    meter = Meter(2.0, now=3.0)
    assert meter.rate(3.0) == 0.0
    meter.add(8.0, 3.5)
    meter.add(-8.0, 3.4)
    assert meter.rate(3.5) == 0.0
