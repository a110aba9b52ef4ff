"""One limit, as one worker process knows and uses it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from notify import ratelimit
from notify.errors import StoreError
from notify.flow.meter import Meter
from notify.flow.stock import Drawn, Stock
from notify.ratelimit import Ask, Grant, Limit, Standing
from notify.store import Store
from notify.store import limits as record

LEASE = 0.25
"""Seconds of its own use that a process books ahead at most, while there is plenty."""
AWAY = 0.5
"""Seconds after which a store that was away is asked again."""
LEAST = 0.02
"""Which part of a rate a process may use without the store, had it used none before."""
_HELD_UP = 2.0
_SAME = 0.25


@dataclass(frozen=True, slots=True)
class Taken:
    """What a schedule gave."""

    drawn: Sequence[Drawn]
    wait: float = 0.0
    """Seconds until the rest is worth asking for."""


class Schedule:
    """
    Books one limit's units, from its own stock where it can. Safe among threads.

    Its times are monotonic ones: what the store says by the database's clock is translated as
    it arrives.
    """

    def __init__(self, store: Store, limit: Limit, *, monotonic: Callable[[], float]) -> None:
        self._store = store
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._stocks: dict[float, Stock] = {}
        self._ask_at: dict[float, float] = {}
        now = monotonic()
        self._standing = Standing(tat=now)
        self._lately = Meter(_HELD_UP, now=now)
        self._share = Meter(10.0, now=now)
        self._held_up = -_HELD_UP
        self._away_until = now
        self._alone = now
        self._owed: Callable[[], tuple[Standing, float]] | None = None
        self.used_at = now
        self.limit = limit

    def rate(self, now: float) -> float | None:
        """Tell the rate in force, as far as this process knows."""
        return self._standing.rate(self.limit, now)

    def lapse(self, largest: float, now: float) -> float:
        """Tell for how many seconds after its slot a unit may be used."""
        return self._look(largest, 1.0, now).lapse

    def wait(self, share: float, now: float) -> float:
        """Tell in how many seconds one unit is worth asking for, as far as is known."""
        return self._look(1.0, share, now).wait([1.0])

    def _look(self, cost: float, share: float, now: float) -> Grant:
        return ratelimit.book(self._standing, self.limit, Ask.of([cost], share=share), now=now)

    def lately(self, now: float) -> float | None:
        """Tell how many units a second it gave while it could not give all; None if it could."""
        with self._lock:
            return self._lately.rate(now) if now < self._held_up + _HELD_UP else None

    def take(self, costs: Sequence[float], *, share: float, ahead: float) -> Taken:
        """Take units for as many of the costs as may be booked, in their order."""
        now = self._monotonic()
        with self._lock:
            self.used_at = now
            wait = self._standing.paused(now)
            if not wait and self.rate(now) is None:
                return Taken([Drawn(now)] * len(costs))
            stock = self._stocks.setdefault(share, Stock())
            drawn = stock.draw(costs, now=now)
            rest = costs[len(drawn) :]
            wait = wait or max(0.0, self._ask_at.get(share, now) - now)
            lease = min(LEASE, self.lapse(1.0, now) / 2) * self._share.rate(now)
            ask = Ask.of(rest, share=share, stock=lease, ahead=ahead) if rest else None
        if ask is None or wait:
            return self._given(Taken(drawn, wait), now)
        grant = self._book(ask, now)
        now = self._monotonic()
        with self._lock:
            if grant.rate is None and grant.units:
                return Taken([*drawn, *[Drawn(now)] * len(rest)])
            stock.add(grant)
            more = stock.draw(rest, now=now)
            wait = grant.wait(ask.sums) if len(more) < len(rest) else 0.0
            self._ask_at[share] = now + wait
        return self._given(Taken([*drawn, *more], wait), now)

    def _given(self, taken: Taken, now: float) -> Taken:
        if taken.wait:
            with self._lock:
                self._held_up = now
        return taken

    def _book(self, ask: Ask, now: float) -> Grant:
        if now >= self._away_until:
            try:
                with self._store.booking() as connection:
                    grant = record.book(connection, self.limit, ask)
            except StoreError:
                self._away_until = self._monotonic() + AWAY
            else:
                grant = grant.shifted(self._monotonic() - grant.now)
                with self._lock:
                    self._standing = replace(
                        self._standing, tat=grant.tat, paused_until=grant.paused_until
                    )
                return grant
        return self._book_alone(ask)

    def _book_alone(self, ask: Ask) -> Grant:
        """Go on without the store, at the part of the rate that this process had lately."""
        with self._lock:
            now = self._monotonic()
            whole = self.rate(now) or 1.0
            part = min(whole, max(self._share.rate(now), LEAST * whole))
            alone = Limit(self.limit.name, part, 1.0)
            grant = ratelimit.book(
                Standing(tat=self._alone), alone, replace(ask, stock=0.0), now=now
            )
            self._alone = grant.tat
            return grant

    def put_back(self, drawn: Sequence[Drawn], *, share: float) -> None:
        """Take back what another limit did not allow."""
        with self._lock:
            self._stocks.setdefault(share, Stock()).put_back(drawn)

    def count(self, units: float) -> None:
        """Note that so many units are used."""
        now = self._monotonic()
        with self._lock:
            self._lately.add(units, now)
            self._share.add(units, now)

    def learn(self, standing: Standing, now: float) -> None:
        """Take over what the store says, by its clock."""
        known = standing.shifted(self._monotonic() - now)
        with self._lock:
            before, self._standing = self._standing, known
            if known.paused(self._monotonic()) or known.lowered != before.lowered:
                self._drop()

    def throttled(self, *, retry_after: float | None, calls_per_second: float) -> None:
        """Heed a complaint: here at once, and for all workers."""
        now = self._monotonic()
        self._change(
            ratelimit.cut(
                self._standing,
                self.limit,
                retry_after=retry_after,
                calls_per_second=calls_per_second,
                now=now,
            ),
            lambda: self._tell_cut(now, retry_after, calls_per_second),
        )

    def exhausted(self, seconds: float) -> None:
        """Book nothing for some seconds: here at once, and for all workers."""
        now = self._monotonic()
        self._change(
            ratelimit.pause(self._standing, seconds=seconds, now=now),
            lambda: self._tell_pause(now + seconds),
        )

    def settle(self) -> None:
        """Tell the store what it could not be told before; raises `StoreError`."""
        with self._lock:
            owed, self._owed = self._owed, None
        if owed is None:
            return
        try:
            self.learn(*owed())
        except StoreError:
            self._owed = owed
            raise

    def _change(self, changed: Standing, tell: Callable[[], tuple[Standing, float]]) -> None:
        with self._lock:
            before = self._standing
            longer = (changed.paused_until or 0.0) - (before.paused_until or 0.0)
            # Of a storm of complaints, few say anything new.
            if changed.lowered_at == before.lowered_at and longer < _SAME:
                return
            self._standing = changed
            self._drop()
            self._owed = tell
        try:
            self.settle()
        except StoreError:
            # The next refresh tells it; until then this process heeds it alone.
            return

    def _tell_cut(
        self, at: float, retry_after: float | None, calls_per_second: float
    ) -> tuple[Standing, float]:
        rest = None if retry_after is None else retry_after - (self._monotonic() - at)
        with self._store.writing() as connection:
            return record.cut(
                connection, self.limit, retry_after=rest, calls_per_second=calls_per_second
            )

    def _tell_pause(self, until: float) -> tuple[Standing, float]:
        with self._store.writing() as connection:
            return record.pause(connection, self.limit.name, seconds=until - self._monotonic())

    def _drop(self) -> None:
        for stock in self._stocks.values():
            stock.clear()
        self._ask_at.clear()
