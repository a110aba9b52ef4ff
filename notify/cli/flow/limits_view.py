"""Rate limits as people and programs read them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rich.text import Text

from notify.cli.console import Table
from notify.policies.ratelimit import RECOVERY, Limit
from notify.service import limits
from notify.settings import Settings
from notify.store import Store
from notify.store.flow import LimitRow
from notify.store.flow import limits as shared

_NOTICED = 0.05


@dataclass(frozen=True, slots=True)
class LimitStatus:
    """One limit: as it is configured, and as all workers share it."""

    limit: Limit
    per: str | None
    """What each value of has such a limit to itself."""
    seen: LimitRow
    now: float
    """The time, by the database's clock."""

    @property
    def ceiling(self) -> float | None:
        """The rate that is set or configured."""
        return self.seen.standing.ceiling(self.limit, self.now)

    @property
    def rate(self) -> float | None:
        """The rate in force, once a pause is over."""
        return self.seen.standing.rate(self.limit, self.now)

    @property
    def set(self) -> bool:
        """Whether an operator's rate is in force."""
        standing = self.seen.standing
        ends = standing.set_until
        return standing.set_rate is not None and (ends is None or ends > self.now)

    @property
    def lowered(self) -> bool:
        """Whether the provider's complaints keep it below that."""
        return self.rate is not None and self.rate == self.seen.standing.recovered(self.now)

    @property
    def pause(self) -> float:
        """For how many seconds nothing goes."""
        return self.seen.standing.paused(self.now)

    @property
    def said(self) -> bool:
        """Whether it is other than configured."""
        return self.set or self.lowered or self.pause > 0


def kind_of(settings: Settings, name: str) -> str | None:
    """Tell of which limit for each of something this is the one of a value."""
    kind, colon, value = name.partition(":")
    configured = settings.limits.get(kind)
    return kind if colon and value and configured and configured.per else None


def looks(settings: Settings, store: Store, *, everything: bool) -> list[LimitStatus]:
    """Look at the configured limits, and at those of single values that are other, or all."""
    known = limits(settings)
    with store.reading() as connection:
        rows, now = shared.read_all(connection, told=not everything)
        rows += shared.read(connection, list(known))[0]
    seen = {each.name: each for each in rows}
    found = [_look(settings, limit, seen, now) for limit in known.values()]
    for name in seen.keys() - known.keys():
        kind = kind_of(settings, name)
        if kind is None:
            continue
        rate = _look(settings, known[kind], seen, now).ceiling
        look = _look(settings, Limit(name, rate, known[kind].burst), seen, now)
        if everything or look.said:
            found.append(look)
    return sorted(found, key=lambda look: look.limit.name)


def _look(
    settings: Settings, limit: Limit, seen: Mapping[str, LimitRow], now: float
) -> LimitStatus:
    configured = settings.limits.get(limit.name)
    per = configured.per if configured else None
    return LimitStatus(limit, per, seen.get(limit.name, LimitRow(limit.name)), now)


def listing(looks: Sequence[LimitStatus]) -> Table:
    """Make a line of each limit."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("limit", no_wrap=True)
    for title in ("configured", "burst", "in force", "used"):
        table.add_column(title, no_wrap=True, justify="right")
    table.add_column("why", min_width=20)
    for each in looks:
        table.add_row(
            each.limit.name,
            _number(each.limit.rate),
            _number(2 * each.limit.half) if each.limit.rate else "",
            _in_force(each),
            _number(each.seen.use) if each.seen.use >= _NOTICED else "",
            Text("; ".join(_why(each))),
        )
    return table


def sentence(look: LimitStatus) -> str:
    """Tell how a limit stands."""
    rate = "has no limit" if look.rate is None else f"is at {_number(look.rate)} a second"
    why = "; ".join(_why(look))
    return f"{look.limit.name} {rate}" + (f" ({why})" if why else "")


def dumped(look: LimitStatus) -> dict[str, Any]:
    """Make of a limit what JSON can hold."""
    standing = look.seen.standing
    return {
        "name": look.limit.name,
        "per": look.per,
        "configured_rate": look.limit.rate,
        "burst": 2 * look.limit.half if look.limit.rate else None,
        "rate": look.rate,
        "use": round(look.seen.use, 2),
        "lowered": look.lowered,
        "lowered_from": standing.lowered_from if look.lowered else None,
        "paused_seconds": round(look.pause, 1),
        "set_rate": standing.set_rate if look.set else None,
        "set_until": _iso(standing.set_until) if look.set else None,
        "actor": look.seen.actor if look.set else None,
        "reason": look.seen.reason if look.set else None,
    }


def _in_force(look: LimitStatus) -> Text:
    if look.pause:
        return Text("paused", style="red")
    if look.rate is None:
        return Text("no limit")
    return Text(_number(look.rate), style="yellow" if look.said else "")


def _why(look: LimitStatus) -> Iterator[str]:
    standing = look.seen.standing
    if look.pause:
        yield f"its provider wants no call for {math.ceil(look.pause)} s"
    if look.lowered and look.rate is not None:
        goal = look.ceiling if look.ceiling is not None else standing.lowered_from or 0.0
        rise = max(goal - look.rate, 0.0) / (RECOVERY * (standing.lowered_from or goal))
        back = math.ceil(look.pause + rise)
        yield f"lowered by complaints; at {_number(goal)} again in {back} s"
    if look.set:
        yield f"set by {look.seen.actor} {_until(standing.set_until)}: {look.seen.reason}"
    if look.per is not None:
        yield f"for each {look.per}"


def _number(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def _until(seconds: float | None) -> str:
    if seconds is None:
        return "until it is reset"
    return f"until {datetime.fromtimestamp(seconds, UTC):%Y-%m-%d %H:%M} UTC"


def _iso(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat()
