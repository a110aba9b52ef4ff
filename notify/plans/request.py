"""An operator's request for a plan: the action, the selection, the rate and the options."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime, timedelta
from typing import Any, Self

from notify.policies.holds import Scope
from notify.reconcile import Resolution
from notify.store import Filter
from notify.store.deadletters import LetterFilter
from notify.store.plans import PlanAction
from notify.suppression import ALL

_RATES = {
    PlanAction.REPLAY: 10.0,
    PlanAction.RESOLVE: 10.0,
    PlanAction.RELEASE: 100.0,
    PlanAction.DISCARD: 100.0,
    PlanAction.CANCEL: 100.0,
    PlanAction.SUPPRESS: 100.0,
}
NOT_KEPT = "(not kept)"
"""Written in place of a value that may be personal data."""
_PERSONAL = ("recipient", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class HoldFilter:
    """
    The holds to release: those with these ids, or those placed with exactly this scope.

    Attributes:
        scope: None for any.
    """

    ids: Collection[int] = ()
    scope: Scope | None = None


Wanted = LetterFilter | Filter | HoldFilter
"""The filter that selects the items: dead letters, notifications or holds."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanOptions:
    """
    How to act.

    Attributes:
        include_unknown: Replay: also notifications that may have been sent already.
        finding: Resolve: the operator's finding.
        scope: Suppress: what an entry stops.
        lasts: Suppress: the seconds until an entry ends; None if it does not end.
        binding: Suppress: whether it stops exempt categories too.
        replay_id: Replay: the number of the whole replay, which its letters get.
    """

    include_unknown: bool = False
    finding: Resolution | None = None
    scope: str = ALL
    lasts: float | None = None
    binding: bool = False
    replay_id: str | None = None

    def as_json(self) -> dict[str, Any]:
        """Return what differs from the default, in JSON's types."""
        plain = {each.name: getattr(self, each.name) for each in fields(self)}
        plain["scope"] = None if self.scope == ALL else self.scope
        return {name: value for name, value in plain.items() if value}

    @classmethod
    def of_json(cls, options: Mapping[str, Any]) -> Self:
        """Return the options that `as_json` wrote."""
        values = dict(options)
        if "finding" in values:
            values["finding"] = Resolution(values["finding"])
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """
    One plan to make.

    Attributes:
        rate: Items a second; None for the action's own.
        limit: At most so many items; None for as many as a plan may have.
    """

    action: PlanAction
    wanted: Wanted
    rate: float | None = None
    limit: int | None = None
    options: PlanOptions = field(default_factory=PlanOptions)


def default_rate(action: PlanAction) -> float:
    """Return the items a second of a plan that names no rate."""
    return _RATES[action]


def described(wanted: Wanted, *, now: datetime) -> dict[str, Any]:
    """Return what selects the items, in JSON's types and without personal data."""
    parts = {each.name: getattr(wanted, each.name) for each in fields(wanted)}
    return {name: _plain(name, value, now) for name, value in parts.items() if _given(value)}


def _given(value: Any) -> bool:
    if isinstance(value, Scope):
        return True
    return value is not None and value != ()


def _plain(name: str, value: Any, now: datetime) -> Any:
    if name in _PERSONAL:
        return NOT_KEPT
    if isinstance(value, timedelta):
        return (now - value).isoformat()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Scope):
        return str(value)
    if isinstance(value, (list, tuple, set, frozenset)):
        return _ids(sorted(value))
    return value if isinstance(value, bool | int) else str(value)


def _ids(found: list[Any]) -> list[Any]:
    """Return ids for people; a plan has them as its items anyway."""
    return found if len(found) <= 20 else [*found[:20], f"and {len(found) - 20:,} more"]
