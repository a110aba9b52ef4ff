"""What one process has booked of one limit for lanes of one share, and not yet used."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from notify.flow.meter import Meter
from notify.policies.ratelimit import Grant

USE = 5.0
"""Seconds over which a stock's use is measured."""
_EPSILON = 1e-9


@dataclass(frozen=True, slots=True)
class UnitRange:
    """The units of a grant from one sum to another."""

    grant: Grant
    start: float
    end: float

    @property
    def units(self) -> float:
        """How many they are."""
        return self.end - self.start

    def at(self, now: float) -> UnitRange:
        """Leave out what has lapsed."""
        late = now - self.grant.lapse
        if late <= self.grant.now:
            return self
        lapsed = min(self.end, self.grant.within(late))
        return self if lapsed <= self.start else UnitRange(self.grant, lapsed, self.end)


@dataclass(frozen=True, slots=True)
class Drawn:
    """One cost's units."""

    slot: float
    pieces: Sequence[UnitRange] = ()


@dataclass(frozen=True, slots=True)
class Taken:
    """What was taken for a run of costs."""

    drawn: Sequence[Drawn]
    wait: float = 0.0
    """Seconds until the rest is worth asking for."""

    @property
    def slots(self) -> list[float]:
        """When each may go."""
        return [each.slot for each in self.drawn]


class LeasedUnits:
    """
    Units by their slots, the earliest first. It is not safe among threads by itself.

    Attributes:
        ask_at: Before then the limit has no more.
        use: How fast they go.
    """

    def __init__(self, *, now: float) -> None:
        self._pieces: deque[UnitRange] = deque()
        self.ask_at = now
        self.use = Meter(USE, now=now)

    def add(self, grant: Grant) -> None:
        """Put in what was granted."""
        if grant.units > 0:
            self._pieces.append(UnitRange(grant, 0.0, grant.units))

    def holds(self, cost: float, *, now: float) -> bool:
        """Tell whether there are units enough for one cost."""
        return sum(each.at(now).units for each in self._pieces) > cost - _EPSILON

    def draw(self, costs: Iterable[float], *, now: float) -> list[Drawn]:
        """Take out as many of the costs as there are units for, in their order."""
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
        """Take back what is not used after all."""
        pieces = [piece for each in drawn for piece in each.pieces]
        self._pieces.extendleft(reversed(pieces))

    def clear(self, *, now: float) -> None:
        """Forget all of it, and ask anew."""
        self._pieces.clear()
        self.ask_at = now
