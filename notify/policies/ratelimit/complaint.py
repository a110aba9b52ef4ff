"""What a provider's complaints make of a limit: slower, or nothing for a while."""

from __future__ import annotations

from dataclasses import replace

from notify.policies.ratelimit.limit_state import LONGEST_PAUSE, RECOVERY, Limit, LimitState

CUT = 0.7
"""What a provider's complaint leaves of a rate."""
CUT_EVERY = 1.0
"""Seconds in which only the first of many complaints cuts: they speak of the same moment."""


def pause(standing: LimitState, *, seconds: float, now: float) -> LimitState:
    """Grant nothing for some seconds."""
    if seconds <= standing.paused(now):
        return standing
    return replace(standing, paused_until=now + min(seconds, LONGEST_PAUSE))


def cut(
    standing: LimitState,
    limit: Limit,
    *,
    retry_after: float | None,
    calls_per_second: float,
    now: float,
) -> LimitState:
    """
    Heed a provider's complaint that it is asked too much: go slower, and pause if it says so.

    Where no rate is in force, the rate of the calls is what it complains of. What is left of the
    burst is void, so that it is not asked for many at once after the pause. Complaints that
    arrive within a second of a cut, or in the pause that began with it, are about calls from
    before it.
    """
    changed = standing
    if standing.lowered_at is None or now - standing.lowered_at >= CUT_EVERY:
        changed = _lowered(standing, limit, calls_per_second, now)
    changed = _resting(pause(changed, seconds=retry_after or 0.0, now=now), changed, now)
    rate = changed.rate(limit, now)
    if changed is standing or rate is None:
        return changed
    void = now + changed.paused(now) + min(limit.tolerance(rate) / rate, 1.0)
    return replace(changed, tat=max(standing.tat, void))


def _resting(paused: LimitState, before: LimitState, now: float) -> LimitState:
    """
    Keep a lowered rate from recovering in a pause, but for its last second.

    It is dated back from the pause's end by the time in which a cut is not repeated: what is
    complained of after the pause is new.
    """
    rate = before.recovered(now)
    if paused is before or paused.paused_until is None or rate is None:
        return paused
    return replace(paused, lowered=rate, lowered_at=max(now, paused.paused_until - CUT_EVERY))


def _lowered(standing: LimitState, limit: Limit, calls_per_second: float, now: float) -> LimitState:
    rate = standing.rate(limit, now)
    before = max(calls_per_second, 1.0) if rate is None else rate
    # While it recovers, the goal stays: a storm of complaints must not make it forget it.
    recovering = rate is not None and rate == standing.recovered(now)
    goal = max(before, standing.lowered_from or 0.0) if recovering else before
    lowered = max(CUT * before, RECOVERY * goal)
    return replace(standing, lowered=lowered, lowered_from=goal, lowered_at=now)
