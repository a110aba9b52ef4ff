"""Which rate is in force: configured, set by an operator, or lowered by complaints."""

from __future__ import annotations

from dataclasses import replace

import pytest

from notify.policies.ratelimit import BookingRequest, Limit, LimitState, book, cut, pause

LIMIT = Limit("account", 100.0)
FREE = Limit("account")


def complained(
    standing: LimitState, *, now: float, retry_after: float | None = None, limit: Limit = LIMIT
) -> LimitState:
    """Apply a complaint while the fleet makes 40 calls a second."""
    return cut(standing, limit, retry_after=retry_after, calls_per_second=40.0, now=now)


def test_a_complaint_takes_three_tenths_of_the_rate() -> None:
    """And it comes back by 2 % a second of what it was."""
    standing = complained(LimitState(), now=10.0)
    assert standing.rate(LIMIT, 10.0) == pytest.approx(70.0)
    assert standing.rate(LIMIT, 15.0) == pytest.approx(80.0)
    assert standing.rate(LIMIT, 24.0) == pytest.approx(98.0)
    assert standing.rate(LIMIT, 30.0) == 100.0


def test_many_complaints_of_one_second_cut_once() -> None:
    """They all speak of the same moment."""
    first = complained(LimitState(), now=10.0)
    again = complained(first, now=10.99)
    assert again == first
    later = complained(first, now=11.0)
    assert later.rate(LIMIT, 11.0) == pytest.approx(0.7 * 72)


def test_a_storm_of_complaints_does_not_make_it_forget_the_goal() -> None:
    """However low it fell, it is back within 50 seconds; and it never stands still."""
    standing = LimitState()
    for second in range(60):
        standing = complained(standing, now=float(second))
    assert standing.rate(LIMIT, 59.0) == pytest.approx(0.7 * 0.02 * 100 / 0.3, rel=0.2)
    assert standing.rate(LIMIT, 59.0 + 50.0) == 100.0


def test_without_a_configured_rate_the_calls_are_what_is_complained_of() -> None:
    """0.7 of the fleet's calls a second; at twice those it is forgotten."""
    standing = complained(LimitState(), now=10.0, limit=FREE)
    assert standing.rate(FREE, 10.0) == pytest.approx(28.0)
    assert standing.rate(FREE, 10.0 + 64) == pytest.approx(79.2)
    assert standing.rate(FREE, 10.0 + 65.1) is None


def test_a_second_complaint_on_the_way_up_raises_the_goal() -> None:
    """It was seen to take more than it did at first."""
    standing = complained(LimitState(), now=0.0, limit=FREE)
    higher = standing.rate(FREE, 50.0)
    assert higher == pytest.approx(68.0)
    again = complained(standing, now=50.0, limit=FREE)
    assert again.lowered_from == pytest.approx(68.0)
    assert again.rate(FREE, 50.0) == pytest.approx(47.6)


def test_a_rate_does_not_recover_while_it_is_paused() -> None:
    """After a minute's pause it begins where it was cut to, but for the pause's last second."""
    standing = complained(LimitState(), now=10.0, retry_after=60.0)
    assert standing.paused(11.0) == pytest.approx(59.0)
    assert standing.rate(LIMIT, 69.0) == pytest.approx(70.0)
    assert standing.rate(LIMIT, 74.0) == pytest.approx(80.0)


def test_complaints_during_a_pause_only_make_it_longer() -> None:
    """They are of calls that were made before it."""
    first = complained(LimitState(), now=10.0, retry_after=5.0)
    same = complained(first, now=12.0, retry_after=1.0)
    assert same == first
    longer = complained(first, now=12.0, retry_after=9.0)
    assert longer.paused_until == pytest.approx(21.0)
    assert longer.rate(LIMIT, 20.0) == pytest.approx(70.0)


def test_complaints_cut_once_while_nothing_is_left() -> None:
    """A provider that reports its last unit, and refuses calls in flight, gets calls too fast."""
    exhausted = pause(LimitState(), seconds=60.0, now=10.0)
    cut_once = complained(exhausted, now=11.0)
    assert cut_once.paused(11.0) == 59.0
    assert cut_once.lowered == pytest.approx(70.0)
    assert complained(cut_once, now=11.5) == cut_once


def test_complaints_right_after_a_pause_cut_again() -> None:
    """They are of calls from after it, however soon they come; so a storm ends by itself."""
    standing = LimitState()
    for round_ in range(4):
        at = 10.0 + 1.7 * round_
        standing = pause(standing, seconds=0.3, now=at - 0.01)
        standing = complained(standing, now=at, retry_after=1.0)
    assert standing.rate(LIMIT, at) == pytest.approx(30.0, abs=1.0)


def test_a_pause_ends_within_an_hour_whatever_the_provider_says() -> None:
    """So that a slip of its clock does not stop us for good."""
    assert pause(LimitState(), seconds=1e9, now=10.0).paused_until == 3610.0


def test_after_a_pause_nothing_of_the_burst_is_left_to_be_used_at_once() -> None:
    """Many at once is what it complained of."""
    standing = complained(LimitState(), now=10.0, retry_after=5.0)
    grant = book(standing, LIMIT, BookingRequest.of([1.0] * 50, share=1.0), now=15.0)
    assert grant.slot(1) == pytest.approx(15.0 + 1 / 72)
    assert grant.slot(grant.units) == pytest.approx(15.0 + grant.units / 72)


def test_a_lowered_rate_has_a_smaller_burst_in_proportion() -> None:
    """The same seconds' worth."""
    assert LIMIT.tolerance(100.0) == 50.0
    assert LIMIT.tolerance(40.0) == 20.0
    assert LIMIT.tolerance(400.0) == 50.0
    assert FREE.tolerance(40.0) == 20.0
    assert Limit("account", 100.0, 10.0).tolerance(50.0) == 2.5


def test_an_operator_s_rate_replaces_the_configured_one_until_it_ends() -> None:
    """Also where it is higher; complaints lower it all the same."""
    standing = LimitState(set_rate=300.0, set_until=50.0)
    assert standing.rate(LIMIT, 49.9) == 300.0
    assert standing.rate(LIMIT, 50.0) == 100.0
    assert LimitState(set_rate=300.0).rate(FREE, 1e9) == 300.0
    assert complained(standing, now=10.0).rate(LIMIT, 10.0) == pytest.approx(210.0)


def test_a_wait_is_for_what_comes_together_not_for_each_unit() -> None:
    """Asking for every unit alone would be a statement each."""
    full = replace(LimitState(), tat=10.0 + 0.5 + 0.25)
    ask = BookingRequest.of([1.0] * 64, share=1.0)
    grant = book(full, LIMIT, ask, now=10.0)
    assert grant.units == 0.0
    assert grant.wait(ask.sums) == pytest.approx(grant.ahead / 2)
    one = BookingRequest.of([1.0], share=1.0)
    assert book(full, LIMIT, one, now=10.0).wait(one.sums) == pytest.approx(0.01)


def test_only_the_first_costs_that_fit_are_booked_and_no_part_of_one() -> None:
    """A text of several segments goes whole."""
    standing = replace(LimitState(), tat=10.0 + 0.5 + 0.25 - 0.08)
    ask = BookingRequest.of([3.0, 3.0, 3.0], share=1.0)
    grant = book(standing, LIMIT, ask, now=10.0)
    assert grant.units == 6.0
    assert grant.wait(ask.sums) == pytest.approx(0.01)


def test_a_lease_takes_what_is_there_and_not_what_is_to_come() -> None:
    """Units that others wait for are not leased ahead of need."""
    ask = BookingRequest.of([1.0], share=1.0, lease=40.0)
    assert book(LimitState(), LIMIT, ask, now=10.0).units == 40.0
    assert book(LimitState(tat=10.3), LIMIT, ask, now=10.0).units == pytest.approx(20.0)
    assert book(LimitState(tat=10.6), LIMIT, ask, now=10.0).units == 1.0
