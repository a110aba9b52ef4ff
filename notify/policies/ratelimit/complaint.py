"""The effect of a provider's complaints on a limit: a lower rate, or a pause."""

from __future__ import annotations

from dataclasses import replace

from notify.policies.ratelimit.limit_state import LONGEST_PAUSE, RECOVERY, Limit, LimitState

CUT = 0.7
"""The part of a rate that remains after a complaint."""
CUT_EVERY = 1.0
"""Seconds in which only the first of many complaints cuts: they are about the same moment."""


def pause(state: LimitState, *, seconds: float, now: float) -> LimitState:
    """Grant nothing for some seconds."""
    if seconds <= state.paused(now):
        return state
    return replace(state, paused_until=now + min(seconds, LONGEST_PAUSE))


def cut(
    state: LimitState,
    limit: Limit,
    *,
    retry_after: float | None,
    calls_per_second: float,
    now: float,
) -> LimitState:
    """
    Lower the rate after a provider's complaint, and pause if it asks for that.

    Where no rate is in force, the rate of the calls is cut. The rest of the burst is void, so
    that it does not get many calls at once after the pause. Complaints that arrive within a second
    of a cut, or in the pause that began with it, are about calls from before it.
    """
    changed = state
    if state.lowered_at is None or now - state.lowered_at >= CUT_EVERY:
        changed = _lowered(state, limit, calls_per_second, now)
    changed = _unrecovered(pause(changed, seconds=retry_after or 0.0, now=now), changed, now)
    rate = changed.rate(limit, now)
    if changed is state or rate is None:
        return changed
    void = now + changed.paused(now) + min(limit.tolerance(rate) / rate, 1.0)
    return replace(changed, tat=max(state.tat, void))


def _unrecovered(paused: LimitState, before: LimitState, now: float) -> LimitState:
    """
    Keep a lowered rate from recovering in a pause, except in its last second.

    It is dated back from the pause's end by the time in which a cut is not repeated: a complaint
    after the pause is about new calls.
    """
    rate = before.recovered(now)
    if paused is before or paused.paused_until is None or rate is None:
        return paused
    return replace(paused, lowered=rate, lowered_at=max(now, paused.paused_until - CUT_EVERY))


def _lowered(state: LimitState, limit: Limit, calls_per_second: float, now: float) -> LimitState:
    rate = state.rate(limit, now)
    before = max(calls_per_second, 1.0) if rate is None else rate
    # While it recovers, the goal stays: a storm of complaints must not lower it step by step.
    recovering = rate is not None and rate == state.recovered(now)
    goal = max(before, state.lowered_from or 0.0) if recovering else before
    lowered = max(CUT * before, RECOVERY * goal)
    return replace(state, lowered=lowered, lowered_from=goal, lowered_at=now)
