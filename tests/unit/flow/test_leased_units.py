"""Units booked ahead are used in order, can be put back, and lapse when late."""

from __future__ import annotations

from dataclasses import replace

import pytest

from notify.flow.leased_units import LeasedUnits
from notify.policies.ratelimit import BookingRequest, Grant, Limit, LimitState, book

LIMIT = Limit("account", 10.0, 20.0)
NOW = 100.0


def granted(costs: list[float], *, lease: float = 0.0, tat: float = 0.0) -> Grant:
    """Book of a limit of 10 a second, of which 10 may go at once."""
    request = BookingRequest.of(costs, share=1.0, lease=lease)
    return book(LimitState(tat=tat), LIMIT, request, now=NOW)


def leased_of(grant: Grant) -> LeasedUnits:
    """Put one grant in."""
    leased = LeasedUnits(now=NOW)
    leased.add(grant)
    return leased


def test_each_cost_has_the_slot_of_its_last_unit() -> None:
    """Ten may go at once; from then on, each at its turn."""
    leased = leased_of(granted([4.0, 4.0, 4.0]))
    drawn = leased.draw([4.0, 4.0, 4.0], now=NOW)
    assert [each.slot for each in drawn] == pytest.approx([NOW, NOW, NOW + 0.2])


def test_costs_are_drawn_whole_and_in_their_order() -> None:
    """A small one does not overtake: its turn comes."""
    leased = leased_of(granted([1.0], lease=6.0))
    assert len(leased.draw([4.0, 3.0, 1.0], now=NOW)) == 1
    assert len(leased.draw([2.0], now=NOW)) == 1
    assert leased.draw([0.5], now=NOW) == []


def test_a_cost_may_be_made_up_of_two_grants() -> None:
    """It goes when the later of them lets it."""
    leased = leased_of(granted([1.0], lease=2.0))
    leased.add(granted([2.0], tat=NOW + 1.0))
    assert leased.draw([5.0], now=NOW) == []
    (drawn,) = leased.draw([4.0], now=NOW)
    assert drawn.slot == pytest.approx(NOW + 0.2)


def test_what_another_limit_does_not_allow_is_drawn_again_first() -> None:
    """With the slots it had."""
    leased = leased_of(granted([1.0] * 12))
    drawn = leased.draw([1.0] * 12, now=NOW)
    leased.put_back(drawn[4:])
    again = leased.draw([1.0] * 12, now=NOW)
    assert [each.slot for each in again] == pytest.approx([each.slot for each in drawn[4:]])


def test_units_lapse_one_by_one_a_quarter_of_the_burst_after_their_slots() -> None:
    """20 / (4 * 10) seconds: late calls are then within the burst."""
    grant = granted([1.0] * 12)
    assert grant.lapse == pytest.approx(0.5)
    assert leased_of(grant).covers(12.0, now=NOW + 0.5)
    assert leased_of(grant).covers(1.0, now=NOW + 0.55)
    assert not leased_of(grant).covers(1.0, now=NOW + 0.65)
    assert leased_of(grant).draw([1.0] * 12, now=NOW + 0.71) == []


def test_where_one_cost_takes_the_whole_burst_nothing_may_be_late() -> None:
    """Only what lies ahead may still be used."""
    tight = replace(LIMIT, burst=1.0)
    grant = book(LimitState(), tight, BookingRequest.of([1.0], share=1.0), now=NOW)
    assert grant.lapse == 0.0
    assert leased_of(grant).covers(1.0, now=NOW)
    assert not leased_of(grant).covers(1.0, now=NOW + 0.001)


def test_a_cleared_stock_is_empty_and_may_be_filled_at_once() -> None:
    """After a complaint, nothing that was booked before is used."""
    leased = leased_of(granted([5.0]))
    leased.ask_at = NOW + 9
    leased.clear(now=NOW)
    assert leased.draw([1.0], now=NOW) == []
    assert leased.ask_at == NOW
