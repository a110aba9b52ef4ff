"""The guarantees of a limit, for any worker, any cost and any share."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notify.flow.leased_units import LeasedUnits
from notify.policies.ratelimit import BookingRequest, Limit, LimitState, book, cut, horizon, pause

# A busy machine must not fail it.
calm = settings(deadline=None)

SHARES = (0.1, 0.6, 0.8, 1.0)


@dataclass(frozen=True)
class Step:
    """A process that wants something after some time."""

    after: float
    process: int
    share: float
    costs: list[float]
    lease: float


costs = st.sampled_from([1.0, 1.0, 1.0, 2.0, 0.5, 3.0, 10.0])
steps = st.builds(
    Step,
    after=st.sampled_from([0.0, 0.0, 0.001, 0.01, 0.07, 0.2, 0.5, 3.0]),
    process=st.integers(0, 3),
    share=st.sampled_from(SHARES),
    costs=st.lists(costs, min_size=1, max_size=12),
    lease=st.sampled_from([0.0, 0.0, 5.0, 80.0]),
)
limits = st.builds(
    Limit,
    st.just("account"),
    rate=st.sampled_from([0.5, 1.0, 7.0, 50.0, 500.0]),
    burst=st.sampled_from([None, 1.0, 5.0, 40.0, 400.0]),
)

Used = list[tuple[float, float]]
"""Moments, and the units that went at each."""


def run(limit: Limit, wanted: Sequence[Step]) -> Used:
    """Play a fleet whose processes use at once what they may, and the rest of a lease later."""
    standing, now, used = LimitState(), 1000.0, list[tuple[float, float]]()
    leases = dict[tuple[int, float], LeasedUnits]()
    for step in wanted:
        now += step.after
        leased = leases.setdefault((step.process, step.share), LeasedUnits(now=now))
        drawn = leased.draw(step.costs, now=now)
        rest = step.costs[len(drawn) :]
        if rest:
            grant = book(
                standing,
                limit,
                BookingRequest.of(rest, share=step.share, lease=step.lease),
                now=now,
            )
            standing = replace(standing, tat=grant.tat)
            leased.add(grant)
            drawn += leased.draw(rest, now=now)
        used += [(max(each.slot, now), cost) for each, cost in zip(drawn, step.costs, strict=False)]
    return sorted(used)


def most_above(used: Used, rate: float) -> float:
    """Return by how many units the fullest of all windows exceeds the units of its rate."""
    worst, lowest, total = 0.0, math.inf, 0.0
    for at, cost in used:
        lowest = min(lowest, total - rate * at)
        total += cost
        worst = max(worst, total - rate * at - lowest)
    return worst


@calm
@given(limits, st.lists(steps, max_size=60))
def test_no_window_holds_more_than_the_rate_and_the_burst(limit: Limit, wanted: list[Step]) -> None:
    """In any window of T seconds: rate * T + burst units at most, or + the largest cost asked."""
    used = run(limit, wanted)
    assert limit.rate is not None
    burst = max([2 * limit.half, *(cost for step in wanted for cost in step.costs)])
    assert most_above(used, limit.rate) <= burst + 1e-6


@calm
@given(limits, st.sampled_from(SHARES))
def test_a_fleet_that_always_asks_gets_all_that_the_rate_brings(limit: Limit, share: float) -> None:
    """Each asks at its time, and oversleeps a little: nothing of the rate is lost."""
    assert limit.rate is not None
    standing, now, got, turn = LimitState(), 0.0, 0.0, 0
    span = max(20.0, 40 / limit.rate)
    while now < span:
        request = BookingRequest.of([1.0] * 16, share=share)
        grant = book(standing, limit, request, now=now)
        standing = replace(standing, tat=grant.tat)
        got += grant.units
        turn += 1
        now += (grant.wait(request.sums) or 0.001) + (0.0, 0.02, 0.05)[turn % 3]
    assert got >= 0.99 * limit.rate * span


others = st.lists(
    st.builds(
        Step,
        after=st.sampled_from([0.0, 0.01, 0.04, 0.1]),
        process=st.just(0),
        share=st.sampled_from([0.1, 0.6, 0.8]),
        costs=st.lists(st.just(1.0), min_size=1, max_size=64),
        lease=st.sampled_from([0.0, 30.0]),
    ),
    max_size=30,
)


@calm
@given(st.sampled_from([50.0, 200.0, 500.0]), others)
def test_the_first_lane_finds_units_at_once_whatever_the_others_booked(
    rate: float, wanted: list[Step]
) -> None:
    """With a second's worth of burst, lanes of a smaller share leave enough for one at once."""
    limit = Limit("account", rate)
    standing, now = LimitState(), 0.0
    for step in wanted:
        now += step.after
        request = BookingRequest.of(step.costs, share=step.share, lease=step.lease)
        standing = replace(standing, tat=book(standing, limit, request, now=now).tat)
        mine = book(standing, limit, BookingRequest.of([1.0], share=1.0), now=now)
        assert mine.slot(1.0) == now


@calm
@given(limits, others, st.integers(1, 50))
def test_the_first_lane_waits_for_itself_and_what_the_others_may_be_ahead(
    limit: Limit, wanted: list[Step], number: int
) -> None:
    """However small the burst: its own units, and what lanes of a smaller share may book."""
    assert limit.rate is not None
    standing, now = LimitState(), 0.0
    for step in wanted:
        now += step.after
        request = BookingRequest.of(step.costs, share=step.share, lease=step.lease)
        standing = replace(standing, tat=book(standing, limit, request, now=now).tat)
    mine = BookingRequest.of([1.0] * number, share=1.0)
    grant = book(standing, limit, mine, now=now)
    ahead = max(
        (
            horizon(share, limit.half, limit.rate) + max(share * limit.half, 1.0) / limit.rate
            for share in {step.share for step in wanted}
        ),
        default=0.0,
    )
    last = grant.base + (number - grant.tolerance) / limit.rate
    assert last - now <= ahead + (number - grant.tolerance) / limit.rate + 1e-9


@calm
@given(limits, st.lists(steps, max_size=20), st.sampled_from([0.1, 1.0, 30.0]))
def test_nothing_is_booked_during_a_pause_and_all_is_told_when_it_ends(
    limit: Limit, wanted: list[Step], seconds: float
) -> None:
    """The wait is the rest of the pause, to the moment."""
    standing, now = pause(LimitState(), seconds=seconds, now=5.0), 5.0
    for step in wanted:
        now = min(now + step.after, 5.0 + seconds * 0.999)
        request = BookingRequest.of(step.costs, share=step.share, lease=step.lease)
        grant = book(standing, limit, request, now=now)
        assert grant.units == 0.0
        assert now + grant.wait(request.sums) == pytest.approx(5.0 + seconds)
    assert (
        book(standing, limit, BookingRequest.of([1.0], share=1.0), now=5.0 + seconds).units == 1.0
    )


@calm
@given(
    limits | st.just(Limit("account")),
    st.lists(
        st.tuples(
            st.sampled_from([0.0, 0.3, 1.0, 1.5, 20.0, 90.0]),
            st.sampled_from([None, 0.5, 7200.0]),
        ),
        max_size=20,
    ),
)
def test_a_rate_recovers_steadily_and_never_above_what_it_may_be(
    limit: Limit, complaints: list[tuple[float, float | None]]
) -> None:
    """Whatever was complained of: from then on it only rises, and no further than the ceiling."""
    standing, now = LimitState(), 0.0
    for after, retry_after in complaints:
        now += after
        before = standing.rate(limit, now)
        standing = cut(standing, limit, retry_after=retry_after, calls_per_second=40.0, now=now)
        rate = standing.rate(limit, now)
        assert rate is not None
        assert 0 < rate <= (before or 40.0) + 1e-6
        assert standing.paused(now) <= 3600.0 + 1e-6
    rates = [standing.rate(limit, now + second) or math.inf for second in range(4000)]
    assert rates == sorted(rates)
    if standing.paused(now) < 3800:
        assert rates[-1] == (limit.rate or math.inf)
