"""The categories that a request may name, on which lanes, and the defaults of sources."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field

from notify.contract.problem import Problem


@dataclass(frozen=True, slots=True)
class CategoryNames:
    """
    The operators' categories, as far as a request is checked against them.

    Attributes:
        lanes: By category, the lanes that it may use; all of them if empty.
        defaults: By source, the category of its requests that name none.
    """

    lanes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    defaults: Mapping[str, str] = field(default_factory=dict)

    def problem(self, name: str, lane: str | None) -> Problem | None:
        """
        Return the problem of a request that names a category; None if there is none.

        Args:
            lane: The request's lane; None if it is not known.
        """
        allowed = self.lanes.get(name)
        if allowed is None:
            close = difflib.get_close_matches(name, self.lanes, n=1)
            near = f", did you mean `{close[0]}`?" if close else ""
            known = ", ".join(sorted(self.lanes))
            hint = f"configured are: {known}" if known else "none is configured: remove it"
            return Problem("category", f"there is no such category{near}", hint)
        if lane is None or self.allows(name, lane):
            return None
        lanes = ", ".join(sorted(allowed))
        return Problem("category", f"this category may not use the lane {lane}", f"use {lanes}")

    def allows(self, name: str, lane: str) -> bool:
        """Whether a known category may use a lane."""
        return not self.lanes[name] or lane in self.lanes[name]

    def default(self, source: str, lane: str) -> str | None:
        """Return the category of a source's requests that name none, if it may use the lane."""
        name = self.defaults.get(source)
        return name if name is not None and self.allows(name, lane) else None
