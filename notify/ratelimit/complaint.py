"""What a provider's complaints make of a limit: slower, or nothing for a while."""

from __future__ import annotations

from dataclasses import replace

from notify.ratelimit.standing import RECOVERY, Limit, Standing

CUT = 0.7
"""What a provider's complaint leaves of a rate."""
CUT_EVERY = 1.0
"""Seconds in which only the first of many complaints cuts: they speak of the same moment."""
LONGEST_PAUSE = 3600.0
"""Seconds after which a provider is tried again, whatever it said."""


def pause(standing: Standing, *, seconds: float, now: float) -> Standing:
    """Grant nothing for some seconds; a rate that recovers does not do so meanwhile."""
    until = now + min(seconds, LONGEST_PAUSE)
    if seconds <= standing.paused(now):
        return standing
    paused = replace(standing, paused_until=until)
    recovered = standing.recovered(now)
    return paused if recovered is None else replace(paused, lowered=recovered, lowered_at=until)


def cut(
    standing: Standing,
    limit: Limit,
    *,
    retry_after: float | None,
    calls_per_second: float,
    now: float,
) -> Standing:
    """
    Heed a provider's complaint that it is asked too much: go slower, and pause if it says so.

    Where no rate is in force, the rate of the calls is what it complains of. What is left of the
    burst is void, so that it is not asked for many at once after the pause. Complaints that
    arrive during a pause, or within a second of a cut, are about calls from before it.
    """
    changed = standing
    recent = standing.lowered_at is not None and now - standing.lowered_at < CUT_EVERY
    if not recent and not standing.paused(now):
        changed = _lowered(standing, limit, calls_per_second, now)
    changed = pause(changed, seconds=retry_after or 0.0, now=now)
    rate = changed.rate(limit, now)
    if changed is standing or rate is None:
        return changed
    void = now + changed.paused(now) + min(limit.tolerance(rate) / rate, 1.0)
    return replace(changed, tat=max(standing.tat, void))


def _lowered(standing: Standing, limit: Limit, calls_per_second: float, now: float) -> Standing:
    rate = standing.rate(limit, now)
    before = max(calls_per_second, 1.0) if rate is None else rate
    # While it recovers, the goal stays: a storm of complaints must not make it forget it.
    recovering = rate is not None and rate == standing.recovered(now)
    goal = max(before, standing.lowered_from or 0.0) if recovering else before
    lowered = max(CUT * before, RECOVERY * goal)
    return replace(standing, lowered=lowered, lowered_from=goal, lowered_at=now)
