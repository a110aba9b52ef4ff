"""One limit, as one worker process knows and uses it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from functools import partial

from notify.errors import StoreError, StoreRefused
from notify.flow.fallback import FallbackLimiter
from notify.flow.leased_units import Drawn, LeasedUnits, Taken
from notify.flow.meter import Meter
from notify.policies import ratelimit
from notify.policies.ratelimit import BookingRequest, Grant, Limit, LimitState
from notify.store import Store
from notify.store.db import ClockOffset
from notify.store.flow import bookings
from notify.store.flow import limits as record

LEASE = 0.25
"""Seconds of its own use that a process books ahead at most, while there is plenty."""
AWAY = 0.5
"""Seconds after which a store that was away is asked again."""
WORTH = 4
"""How many of the costs a lease must hold, for what is left of it is lost."""
_HELD_UP = 2.0
_SAME = 0.25


class Schedule:
    """
    Books one limit's units, from its own stock where it can. Safe among threads.

    Its times are monotonic ones: what the store says by the database's clock is translated as
    it arrives.
    """

    def __init__(
        self, store: Store, limit: Limit, *, offset: ClockOffset, monotonic: Callable[[], float]
    ) -> None:
        self._store = store
        self._offset = offset
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._stocks: dict[float, LeasedUnits] = {}
        now = monotonic()
        self._standing = LimitState(tat=now)
        self._lately = Meter(_HELD_UP, now=now)
        self._held_up = -_HELD_UP
        self._away_until = now
        self._alone = FallbackLimiter(now=now)
        self._owed: list[Callable[[], tuple[LimitState, float]]] = []
        self.used_at = now
        self.limit = limit

    def change(self, limit: Limit) -> None:
        """Take another limit; what is in stock by the old one is lost, not used."""
        if limit == self.limit:
            return
        with self._lock:
            self.limit = limit
            self._drop(self._monotonic())

    def free(self, now: float) -> bool:
        """Tell whether nothing limits it, as far as this process knows."""
        return self.rate(now) is None and not self._standing.paused(now)

    def rate(self, now: float) -> float | None:
        """Tell the rate in force, as far as this process knows."""
        return self._standing.rate(self.limit, now)

    def ceiling(self, now: float) -> float | None:
        """Tell the rate that an operator or the configuration sets."""
        return self._standing.ceiling(self.limit, now)

    def lapse(self, largest: float, now: float) -> float:
        """Tell for how many seconds after its slot a unit may be used."""
        return self._look(largest, 1.0, now).lapse

    def wait(self, share: float, now: float) -> float:
        """Tell in how many seconds one unit is worth asking for, as far as is known."""
        return self._look(1.0, share, now).wait([1.0])

    def _look(self, cost: float, share: float, now: float) -> Grant:
        return ratelimit.book(
            self._standing, self.limit, BookingRequest.of([cost], share=share), now=now
        )

    def lately(self, now: float) -> float | None:
        """Tell how many costs a second it met while it could not meet all; None if it could."""
        with self._lock:
            return self._lately.rate(now) if now < self._held_up + _HELD_UP else None

    def blocked(self, cost: float, *, share: float) -> float:
        """Tell for how many seconds a unit is certainly not to be had; 0.0 where it may be."""
        now = self._monotonic()
        with self._lock:
            stock = self._stock(share, now)
            return 0.0 if stock.holds(cost, now=now) else self._refused(stock, now)

    def take(self, costs: Sequence[float], *, share: float, ahead: float) -> Taken:
        """Take units for as many of the costs as may be booked, in their order."""
        now = self._monotonic()
        with self._lock:
            self.used_at = now
            stock = self._stock(share, now)
            drawn = stock.draw(costs, now=now)
            rest = costs[len(drawn) :]
            wait = self._refused(stock, now) if rest else 0.0
            if not rest or wait:
                return self._given(stock, drawn, costs, wait, now)
            lease = min(LEASE, self.lapse(1.0, now) / 2) * stock.use.rate(now)
        if lease < WORTH * max(rest):
            lease = 0.0
        ask = BookingRequest.of(rest, share=share, stock=lease, ahead=ahead)
        grant = self._book(ask)
        # The moment of the booking: where a burst is small, any later one is too late.
        now = grant.now
        with self._lock:
            if grant.rate is None and grant.units:
                drawn += [Drawn(now)] * len(rest)
            else:
                stock.add(grant)
                drawn += stock.draw(rest, now=now)
            if len(drawn) < len(costs):
                # Another thread may have drawn of it: then the grant itself does not say.
                wait = grant.wait(ask.sums) or 0.001
                # Who may book further ahead need not wait as long.
                stock.ask_at = now + wait - (grant.horizon - grant.ahead)
                self._held_up = now
            return self._given(stock, drawn, costs, wait, now)

    def _stock(self, share: float, now: float) -> LeasedUnits:
        found = self._stocks.get(share)
        if found is None:
            found = self._stocks[share] = LeasedUnits(now=now)
        return found

    def _given(
        self,
        stock: LeasedUnits,
        drawn: list[Drawn],
        costs: Sequence[float],
        wait: float,
        now: float,
    ) -> Taken:
        self._count(stock, len(drawn), sum(costs[: len(drawn)]), now)
        return Taken(drawn, wait)

    def _count(self, stock: LeasedUnits, number: int, units: float, now: float) -> None:
        stock.use.add(units, now)
        self._lately.add(number, now)
        self._alone.count(units, now)

    def _refused(self, stock: LeasedUnits, now: float) -> float:
        wait = self._standing.paused(now) or max(0.0, stock.ask_at - now)
        if wait:
            self._held_up = now
        return wait

    def _book(self, ask: BookingRequest) -> Grant:
        if self._monotonic() >= self._away_until:
            try:
                with self._store.booking() as connection:
                    grant = bookings.book(connection, self.limit, ask)
            except StoreError:
                self._away_until = self._monotonic() + AWAY
            else:
                grant = grant.shifted(self._offset.learn(grant.now, now=self._monotonic()))
                with self._lock:
                    self._standing = self._standing.booked(grant.tat, grant.paused_until)
                return grant
        with self._lock:
            now = self._monotonic()
            return self._alone.book(ask, rate=self.rate(now) or 1.0, now=now)

    def put_back(self, drawn: Sequence[Drawn], units: float, *, share: float) -> None:
        """Take back what another limit did not allow."""
        now = self._monotonic()
        with self._lock:
            stock = self._stock(share, now)
            stock.put_back(drawn)
            self._count(stock, -len(drawn), -units, now)

    def learn(self, standing: LimitState, now: float) -> None:
        """Take over what the store says, by its clock."""
        at = self._monotonic()
        known = standing.shifted(self._offset.learn(now, now=at))
        with self._lock:
            before, self._standing = self._standing, known
            if known.paused(at) or self._slower(known, before, at):
                self._drop(at)

    def throttled(self, *, retry_after: float | None, calls_per_second: float) -> None:
        """Heed a complaint: here at once, and for all workers."""
        at = self._monotonic()

        def tell() -> tuple[LimitState, float]:
            rest = None if retry_after is None else retry_after - (self._monotonic() - at)
            with self._store.writing() as connection:
                return record.cut(
                    connection, self.limit, retry_after=rest, calls_per_second=calls_per_second
                )

        cut = partial(
            ratelimit.cut,
            limit=self.limit,
            retry_after=retry_after,
            calls_per_second=calls_per_second,
            now=at,
        )
        self._change(cut, tell)

    def exhausted(self, seconds: float) -> None:
        """Book nothing for some seconds: here at once, and for all workers."""
        at = self._monotonic()

        def tell() -> tuple[LimitState, float]:
            rest = seconds - (self._monotonic() - at)
            with self._store.writing() as connection:
                return record.pause(connection, self.limit.name, seconds=rest)

        self._change(partial(ratelimit.pause, seconds=seconds, now=at), tell)

    def _change(
        self,
        change: Callable[[LimitState], LimitState],
        tell: Callable[[], tuple[LimitState, float]],
    ) -> None:
        now = self._monotonic()
        with self._lock:
            before, changed = self._standing, change(self._standing)
            longer = changed.paused(now) - before.paused(now)
            # Of a storm of complaints, few say anything new.
            if longer < _SAME and not self._slower(changed, before, now):
                return
            self._standing = changed
            self._drop(now)
            self._owed.append(tell)
        # Where the store is away, a refresh tells it later; until then only this process heeds it.
        with contextlib.suppress(StoreError):
            self.settle()

    def _slower(self, standing: LimitState, than: LimitState, now: float) -> bool:
        rate, before = standing.rate(self.limit, now), than.rate(self.limit, now)
        return rate is not None and (before is None or rate < 0.99 * before)

    def settle(self) -> None:
        """Tell the store what it has not been told yet; raises `StoreError`."""
        while self._owed:
            tell = self._owed[0]
            with contextlib.suppress(StoreRefused):
                self.learn(*tell())
            # Another thread may have told it at the same time: twice does no harm.
            with contextlib.suppress(ValueError):
                self._owed.remove(tell)

    def _drop(self, now: float) -> None:
        for stock in self._stocks.values():
            stock.clear(now=now)
