"""Rates, gaps and moments from the arrivals at a provider. Times are seconds since 1970."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import quantiles


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request as it reached the provider."""

    at: float
    account: str
    accepted: bool
    answered: str
    id: str
    """The notification's id; empty if the provider did not read it."""

    @classmethod
    def of(cls, line: Mapping[str, object]) -> Arrival:
        """Read a line of the sandbox's ledger."""
        return cls(
            at=float(str(line["arrived"])),
            account=str(line["account"]),
            accepted=line["did"] == "accepted",
            answered=str(line["answered"]),
            id=str(line["notify_id"]),
        )


def excess(times: Sequence[float], *, rate: float, burst: float, cost: float = 1.0) -> float:
    """
    Return by how many units the fullest window of any length exceeds rate * T + burst.

    At most 0 if the limit was kept.

    Args:
        times: When the calls arrived.
        rate: Units a second.
        burst: Units.
        cost: Units of each call.
    """
    worst = -math.inf
    before, start = 0.0, -math.inf
    for at in sorted(times):
        # The fullest window that ends here begins after the fewest arrivals for their time.
        start = max(start, rate * at - before)
        before += cost
        worst = max(worst, before - rate * at + start)
    return worst - burst


def used(
    times: Sequence[float], *, rate: float, begin: float, seconds: float, cost: float = 1.0
) -> float:
    """Return which part of a limit was used in a span of time."""
    return cost * count(times, begin, begin + seconds) / (rate * seconds)


def count(times: Sequence[float], begin: float, end: float) -> int:
    """Count the arrivals in a span of time."""
    return sum(begin <= at < end for at in times)


def quiet_since(times: Sequence[float], *, begin: float, end: float, gap: float) -> float:
    """
    Return when the calls after *begin* stopped: the last one before the first gap.

    Infinity if there is no gap of this length before *end*.
    """
    last = begin
    for at in sorted(times):
        if not begin <= at < end:
            continue
        if at - last >= gap:
            return last
        last = at
    return last if end - last >= gap else math.inf


def flows_from(
    times: Sequence[float], *, begin: float, rate: float, part: float = 0.9, window: float = 2.0
) -> float:
    """
    Return when the calls after *begin* came to flow again; infinity if they did not.

    That is the first moment at which a window reaches that part of the rate.
    """
    ordered = sorted(at for at in times if at >= begin)
    needed = math.ceil(part * rate * window)
    for first, last in zip(ordered, ordered[needed - 1 :], strict=False):
        if last - first <= window:
            return first
    return math.inf


def most_in_one(times: Sequence[float], *, spans: Sequence[tuple[float, float]]) -> int:
    """
    Count the calls after each open span of a circuit; return the highest count.

    A call within a span is one too many: it counts as if it were another after it.

    Args:
        times: When the calls arrived.
        spans: When the circuit opened, and when it might be probed, in order.
    """
    found: Counter[int] = Counter()
    for at in times:
        place = sum(begin <= at for begin, _ in spans) - 1
        found[place] += 1 if place >= 0 and at >= spans[place][1] else 2
    return max(found.values(), default=0)


def p95(values: Sequence[float]) -> float:
    """Return the 95th percentile; infinity without values."""
    return quantiles(values, n=20, method="inclusive")[18] if len(values) > 1 else math.inf


def delays(published: Mapping[str, float], arrivals: Sequence[Arrival]) -> list[float]:
    """Return how long each message took from its publication to its first arrival."""
    firsts: dict[str, float] = {}
    for arrival in arrivals:
        if arrival.id in published:
            firsts[arrival.id] = min(arrival.at, firsts.get(arrival.id, math.inf))
    return [at - published[id_] for id_, at in firsts.items()]
