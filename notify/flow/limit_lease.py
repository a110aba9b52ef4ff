"""One limit in one worker process, which uses the units that it has leased first."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from functools import partial

from notify.errors import StoreError
from notify.flow.fallback import FallbackLimiter
from notify.flow.leased_units import Drawn, LeasedUnits, Taken
from notify.flow.limit_store import LimitStore
from notify.flow.meter import Meter
from notify.policies import ratelimit
from notify.policies.ratelimit import BookingRequest, Grant, Limit, LimitState

LEASE = 0.25
"""The most seconds of its own use that a process books ahead, if the limit has units to spare."""
WORTH = 4
"""The least number of costs in a lease: a smaller one is not made, as its rest would be lost."""
_RECENT = 2.0
"""Seconds for which a shortage counts as recent."""
_SAME_PAUSE = 0.25
"""Seconds: a pause that is longer by less than this is not reported."""


class LimitLease:
    """
    Uses one limit's units. Safe among threads.

    All times are monotonic ones. No lock is held while the store is used.

    Attributes:
        used_at: When units were last requested.
    """

    def __init__(self, limit: Limit, store: LimitStore, *, monotonic: Callable[[], float]) -> None:
        self._limit = limit
        self._store = store
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._by_share: dict[float, LeasedUnits] = {}
        now = monotonic()
        self._state = LimitState(tat=now)
        self._recent = Meter(_RECENT, now=now)
        self._short_at = -_RECENT
        self._fallback = FallbackLimiter(now=now)
        self.used_at = now

    @property
    def limit(self) -> Limit:
        """The limit as configured."""
        return self._limit

    def change(self, limit: Limit) -> None:
        """Replace the limit; units that were leased under the old one are lost."""
        if limit == self._limit:
            return
        with self._lock:
            self._limit = limit
            self._drop(self._monotonic())

    def free(self, now: float) -> bool:
        """Return whether calls are unlimited, as far as this process knows."""
        return self.rate(now) is None and not self._state.paused(now)

    def rate(self, now: float) -> float | None:
        """Return the rate in force, as far as this process knows; None if there is none."""
        return self._state.rate(self._limit, now)

    def ceiling(self, now: float) -> float | None:
        """Return the rate that an operator or the configuration sets; None if neither does."""
        return self._state.ceiling(self._limit, now)

    def lapse(self, largest: float, now: float) -> float:
        """Return for how many seconds after its slot a unit may be used."""
        return self._preview(largest, 1.0, now).lapse

    def wait(self, share: float, now: float) -> float:
        """Return the seconds until one unit is available, as far as this process knows."""
        return self._preview(1.0, share, now).wait([1.0])

    def preview(self, now: float) -> Grant:
        """Return the grant of one unit for a share of 1, as far as this process knows."""
        return self._preview(1.0, 1.0, now)

    def recent_rate(self, now: float) -> float | None:
        """Return the recent costs a second; None if no cost had to wait recently."""
        with self._lock:
            return self._recent.rate(now) if now < self._short_at + _RECENT else None

    def blocked(self, cost: float, *, share: float) -> float:
        """Return the seconds in which a cost certainly cannot be booked; 0.0 if it may be."""
        now = self._monotonic()
        with self._lock:
            leased = self._leased(share, now)
            return 0.0 if leased.covers(cost, now=now) else self._refusal(leased, now)

    def take(self, costs: Sequence[float], *, share: float, ahead: float) -> Taken:
        """Use units for as many of the costs as can be booked, in order."""
        now = self._monotonic()
        with self._lock:
            self.used_at = now
            leased = self._leased(share, now)
            drawn = leased.draw(costs, now=now)
            rest = costs[len(drawn) :]
            wait = self._refusal(leased, now) if rest else 0.0
            if not rest or wait:
                return self._taken(leased, drawn, costs, wait, now)
            request = self._request(leased, rest, share=share, ahead=ahead, now=now)
        booked = self._store.book(self._limit, request)
        with self._lock:
            grant = self._grant(booked, request)
            # The moment of the booking: with a small burst, units may lapse just after it.
            now = grant.now
            drawn += self._granted(leased, grant, rest)
            if len(drawn) < len(costs):
                wait = self._short(leased, grant, request)
            return self._taken(leased, drawn, costs, wait, now)

    def put_back(self, drawn: Sequence[Drawn], units: float, *, share: float) -> None:
        """Put back units that were not used because another limit refused."""
        now = self._monotonic()
        with self._lock:
            leased = self._leased(share, now)
            leased.put_back(drawn)
            self._count(leased, -len(drawn), -units, now)

    def learn(self, state: LimitState, now: float) -> None:
        """Adopt the state that was read from the store at *now*, by the database's clock."""
        self._adopt(self._store.local(state, now))

    def throttled(self, *, retry_after: float | None, calls_per_second: float) -> None:
        """Slow down after a complaint: here at once, and for all workers."""
        cut = partial(
            ratelimit.cut,
            limit=self._limit,
            retry_after=retry_after,
            calls_per_second=calls_per_second,
            now=self._monotonic(),
        )
        if self._changed(cut):
            self._store.cut(self._limit, retry_after=retry_after, calls_per_second=calls_per_second)
            self._report()

    def exhausted(self, seconds: float) -> None:
        """Book nothing for some seconds: here at once, and for all workers."""
        if self._changed(partial(ratelimit.pause, seconds=seconds, now=self._monotonic())):
            self._store.pause(self._limit.name, seconds)
            self._report()

    def settle(self) -> None:
        """
        Write the pending changes to the store.

        Raises:
            StoreError: The store cannot be used.
        """
        for state in self._store.write():
            self._adopt(state)

    def _report(self) -> None:
        # While the store is away, only this process applies it; a refresh writes it later.
        with contextlib.suppress(StoreError):
            self.settle()

    def _preview(self, cost: float, share: float, now: float) -> Grant:
        request = BookingRequest.of([cost], share=share)
        return ratelimit.book(self._state, self._limit, request, now=now)

    def _leased(self, share: float, now: float) -> LeasedUnits:
        found = self._by_share.get(share)
        if found is None:
            found = self._by_share[share] = LeasedUnits(now=now)
        return found

    def _refusal(self, leased: LeasedUnits, now: float) -> float:
        """Return the seconds in which the store has no units; above 0.0, record a shortage."""
        wait = self._state.paused(now) or max(0.0, leased.ask_at - now)
        if wait:
            self._short_at = now
        return wait

    def _request(
        self, leased: LeasedUnits, costs: Sequence[float], *, share: float, ahead: float, now: float
    ) -> BookingRequest:
        lease = min(LEASE, self.lapse(1.0, now) / 2) * leased.use.rate(now)
        if lease < WORTH * max(costs):
            lease = 0.0
        return BookingRequest.of(costs, share=share, lease=lease, ahead=ahead)

    def _grant(self, booked: Grant | None, request: BookingRequest) -> Grant:
        if booked is not None:
            self._state = self._state.booked(booked.tat, booked.paused_until)
            return booked
        now = self._monotonic()
        return self._fallback.book(request, rate=self.rate(now) or 1.0, now=now)

    def _granted(
        self, leased: LeasedUnits, grant: Grant, costs: Sequence[float]
    ) -> Sequence[Drawn]:
        if grant.rate is None and grant.units:
            return [Drawn(grant.now)] * len(costs)
        leased.add(grant)
        return leased.draw(costs, now=grant.now)

    def _short(self, leased: LeasedUnits, grant: Grant, request: BookingRequest) -> float:
        """Return the seconds until the rest of a request is available; record the shortage."""
        # 0.0 if another thread drew units of the grant: then try again soon.
        wait = grant.wait(request.sums) or 0.001
        # A lane that may book further ahead need not wait as long.
        leased.ask_at = grant.now + wait - (grant.horizon - grant.ahead)
        self._short_at = grant.now
        return wait

    def _taken(
        self,
        leased: LeasedUnits,
        drawn: list[Drawn],
        costs: Sequence[float],
        wait: float,
        now: float,
    ) -> Taken:
        self._count(leased, len(drawn), sum(costs[: len(drawn)]), now)
        return Taken(drawn, wait)

    def _count(self, leased: LeasedUnits, number: int, units: float, now: float) -> None:
        leased.use.add(units, now)
        self._recent.add(number, now)
        self._fallback.count(units, now)

    def _adopt(self, state: LimitState) -> None:
        now = self._monotonic()
        with self._lock:
            before, self._state = self._state, state
            if state.paused(now) or self._slower(state, before, now):
                self._drop(now)

    def _changed(self, change: Callable[[LimitState], LimitState]) -> bool:
        """Change the state here; return whether to report it to the other workers."""
        now = self._monotonic()
        with self._lock:
            before, changed = self._state, change(self._state)
            longer = changed.paused(now) - before.paused(now)
            # Of many complaints at once, few change anything.
            if longer < _SAME_PAUSE and not self._slower(changed, before, now):
                return False
            self._state = changed
            self._drop(now)
            return True

    def _slower(self, state: LimitState, than: LimitState, now: float) -> bool:
        rate, before = state.rate(self._limit, now), than.rate(self._limit, now)
        return rate is not None and (before is None or rate < 0.99 * before)

    def _drop(self, now: float) -> None:
        for leased in self._by_share.values():
            leased.clear(now=now)
