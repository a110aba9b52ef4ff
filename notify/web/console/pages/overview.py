"""The first page: the state of the whole service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import takewhile

from markupsafe import Markup

from notify.people import Role
from notify.status.lanes import LaneStatus, lanes_of
from notify.status.overview import Overview
from notify.status.providers import ProviderStatus
from notify.store.ledger import Late
from notify.web.console.rendering import number
from notify.web.console.routing import ConsolePage, Nav, View, Visit
from notify.web.console.snapshot import KEPT, SAMPLED, QueueSample
from notify.web.console.sparkline import sparkline

LATE = 10.0
"""Seconds from which on due work counts as late."""


@dataclass(frozen=True, slots=True)
class LateRow:
    """One kind of due work."""

    label: str
    count: int
    seconds: float | None
    """Since the oldest was due."""

    @property
    def late(self) -> bool:
        """Whether it is due for longer than usual."""
        return (self.seconds or 0.0) > LATE


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """One provider, and the share of its own limit that is used."""

    status: ProviderStatus
    used: float | None

    @property
    def kind(self) -> str:
        """The kind of the badge of its circuit."""
        state = self.status.circuit.circuit.state.value
        return {"closed": "good", "open": "bad"}.get(state, "warn")


@dataclass(frozen=True, slots=True)
class LaneRow:
    """One lane, its curve, and the age of its oldest message."""

    lane: LaneStatus
    curve: Markup
    waited: float | None
    """
    Seconds at least that the oldest message waits in a queue without a consumer, by the samples: it
    is not on record yet. None if the lane is consumed, or empty.
    """

    @property
    def age(self) -> float:
        """The known age of its oldest message, 0 without one."""
        return max(self.lane.oldest or 0.0, self.waited or 0.0)


def overview(visit: Visit) -> View:
    """Show the snapshot, the parts that need an operator first."""
    found, samples = visit.site.overview.read(), visit.site.overview.samples()
    rows = [lane_row(each, samples.get(each.queue, ())) for each in lanes_of(found)]
    values = {
        "overview": found,
        "lanes": sorted(rows, key=lambda row: (-row.age, -(row.lane.waiting or 0))),
        "providers": [ProviderRow(each, _used(each)) for each in _providers(visit)],
        "late": _late(found),
        "pools": found.pools if found.queues is not None else (),
        "dead": sorted(found.ledger.dead.items()) if found.ledger else (),
        "dead_count": sum(found.ledger.dead.values()) if found.ledger else None,
        "unknown": found.ledger.ledger.terms.get("unknown", 0) if found.ledger else None,
    }
    return View("overview.html.j2", title="Overview", values=values)


def lane_row(lane: LaneStatus, samples: Sequence[QueueSample]) -> LaneRow:
    """Return a lane's row, by the samples of its queue in the last five minutes."""
    filled = list(takewhile(lambda each: each.waiting, reversed(samples)))
    waits = lane.waiting and not lane.consumers
    waited = max(len(filled) - 1, 0) * SAMPLED if waits else None
    return LaneRow(lane, _curve(lane, samples), waited)


def _providers(visit: Visit) -> Sequence[ProviderStatus]:
    return visit.site.overview.providers() or ()


def _used(provider: ProviderStatus) -> float | None:
    """Return the highest share of its limits that is used."""
    shares = [each.seen.use / each.rate for each in provider.limits if each.rate]
    return max(shares, default=None)


def _late(found: Overview) -> list[LateRow]:
    record = found.record
    if record is None:
        return []
    kinds = (
        ("Due, not published by a relay", record.relay),
        ("Unknown outcomes due for a look-up", record.lookups),
        ("Events not published", record.events),
    )
    return [LateRow(label, late.count, _age(found, late)) for label, late in kinds]


def _age(found: Overview, late: Late) -> float | None:
    return (found.at - late.oldest).total_seconds() if late.oldest else None


def _curve(lane: LaneStatus, samples: Sequence[QueueSample]) -> Markup:
    waiting = [each.waiting for each in samples]
    if not waiting:
        return Markup("")
    low, high = number(min(waiting)), number(max(waiting))
    label = f"{lane.queue}: {low} to {high} waiting in the last 5 minutes"
    return sparkline(waiting, slots=KEPT, label=label)


ROUTES = (ConsolePage(path="/", needs=Role.VIEWER, show=overview, nav=Nav("Now", "Overview")),)
