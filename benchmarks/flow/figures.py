"""Figures against their targets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Figure:
    """
    One measured value.

    Attributes:
        name: Its description.
        value: The measured value.
        unit: Of the value: empty, `s`, `ms` or `%`.
        most: The upper bound; None if there is none.
        least: The lower bound; None if there is none.
    """

    name: str
    value: float
    unit: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def good(self) -> bool:
        """Whether it keeps its bounds."""
        above = self.least is None or self.value >= self.least
        return above and (self.most is None or self.value <= self.most)

    @property
    def measured(self) -> str:
        """The value as people read it."""
        return self._said(self.value)

    @property
    def target(self) -> str:
        """The bounds as people read them; empty without any."""
        bounds = [("<=", self.most), (">=", self.least)]
        return ", ".join(f"{sign} {self._said(at)}" for sign, at in bounds if at is not None)

    def _said(self, value: float) -> str:
        if math.isinf(value):
            return "never" if value > 0 else "none"
        unit = self.unit if self.unit in ("", "%") else f" {self.unit}"
        return f"{_digits(value)}{unit}"


@dataclass(frozen=True, slots=True)
class Result:
    """A scene's result."""

    name: str
    figures: Sequence[Figure]
    faults: Sequence[str]
    """A sentence for each other fault: lost messages, workers that died, a scene that broke off."""
    took: float
    """Seconds."""

    @property
    def good(self) -> bool:
        """Whether it kept every target."""
        return not self.faults and all(figure.good for figure in self.figures)


def _digits(value: float) -> str:
    if value == int(value):
        return f"{int(value):,}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
