"""The units of one limit that a process has booked and not used yet, for lanes of one share."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from notify.flow.meter import Meter
from notify.policies.ratelimit import Grant

USE = 5.0
"""Seconds over which the use of leased units is measured."""
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class UnitRange:
    """A part of a grant's units, from one running sum to another."""

    grant: Grant
    start: float
    end: float

    @property
    def units(self) -> float:
        """The number of units."""
        return self.end - self.start

    def at(self, now: float) -> UnitRange:
        """Return the range without the units that have lapsed."""
        late = now - self.grant.lapse
        if late <= self.grant.now:
            return self
        lapsed = min(self.end, self.grant.within(late))
        return self if lapsed <= self.start else UnitRange(self.grant, lapsed, self.end)


@dataclass(frozen=True, slots=True)
class Drawn:
    """The units drawn for one cost."""

    slot: float
    pieces: Sequence[UnitRange] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """The units taken for a run of costs."""

    drawn: Sequence[Drawn]
    wait: float = 0.0
    """Seconds until the rest is available."""

    @property
    def slots(self) -> list[float]:
        """The moment of each cost, in order."""
        return [each.slot for each in self.drawn]


class LeasedUnits:
    """
    Units by their slots, the earliest first. Not safe among threads.

    Attributes:
        ask_at: When to request more; the limit has none before.
        use: The units used a second.
    """

    def __init__(self, *, now: float) -> None:
        self._pieces: deque[UnitRange] = deque()
        self.ask_at = now
        self.use = Meter(USE, now=now)

    def add(self, grant: Grant) -> None:
        """Add the units of a grant."""
        if grant.units > 0:
            self._pieces.append(UnitRange(grant, 0.0, grant.units))

    def covers(self, cost: float, *, now: float) -> bool:
        """Return whether there are enough units for one cost."""
        return sum(each.at(now).units for each in self._pieces) > cost - _EPSILON

    def draw(self, costs: Iterable[float], *, now: float) -> list[Drawn]:
        """Remove units for as many of the costs as they cover, in order."""
        fresh = [each.at(now) for each in self._pieces]
        self._pieces = deque(each for each in fresh if each.units > _EPSILON)
        left = sum(each.units for each in self._pieces) + _EPSILON
        drawn = []
        for cost in costs:
            if cost > left:
                break
            left -= cost
            drawn.append(self._take(cost))
        return drawn

    def _take(self, cost: float) -> Drawn:
        pieces = []
        slot = -math.inf
        while cost > _EPSILON and self._pieces:
            piece = self._pieces.popleft()
            if piece.units > cost + _EPSILON:
                middle = piece.start + cost
                self._pieces.appendleft(UnitRange(piece.grant, middle, piece.end))
                piece = UnitRange(piece.grant, piece.start, middle)
            cost -= piece.units
            pieces.append(piece)
            slot = max(slot, piece.grant.slot(piece.end))
        return Drawn(slot, pieces)

    def put_back(self, drawn: Sequence[Drawn]) -> None:
        """Put back units that were drawn and not used."""
        pieces = [piece for each in drawn for piece in each.pieces]
        self._pieces.extendleft(reversed(pieces))

    def clear(self, *, now: float) -> None:
        """Drop all units; the next ones may be requested at once."""
        self._pieces.clear()
        self.ask_at = now
