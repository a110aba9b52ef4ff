"""Caps: how much may be sent in a span of time; and to which countries, at what price."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from notify.channels import country_of
from notify.contract import case_folded
from notify.message import Channel, Notification

EVERYWHERE = "*"
"""Stands for all countries in a list of those that are allowed, and for all others in prices."""

_HASHED = 32

Hashed = Callable[[bytes], bytes]
"""Makes of a value what stands for it."""


def plain_hash(value: bytes) -> bytes:
    """Hash a value so that whoever knows it can tell."""
    return hashlib.sha256(value).digest()


class CapPer(enum.StrEnum):
    """Whose notifications a cap counts together."""

    RECIPIENT = "recipient"
    SOURCE = "source"
    ALL = "all"


class Period(enum.StrEnum):
    """The spans of time that caps count in; each begins and ends at the same moment everywhere."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    """From midnight to midnight, UTC."""

    @property
    def seconds(self) -> int:
        """How long it is."""
        return {Period.MINUTE: 60, Period.HOUR: 3600, Period.DAY: 86_400}[self]

    @property
    def each(self) -> str:
        """The words for "in each of these"."""
        return "an hour" if self is Period.HOUR else f"a {self}"

    def around(self, now: float) -> tuple[int, int]:
        """Find the span that holds a moment, all in seconds since 1970: begin and end."""
        starts = int(now // self.seconds) * self.seconds
        return starts, starts + self.seconds


class Unit(enum.StrEnum):
    """What a cap counts."""

    NOTIFICATIONS = "notifications"
    SEGMENTS = "segments"
    SPEND = "spend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """The most that passes in one span of time."""

    name: str
    most: float
    period: Period
    per: CapPer = CapPer.ALL
    channel: Channel | None = None
    """Which channel it concerns; None concerns all."""
    unit: Unit = Unit.NOTIFICATIONS
    exempt: Collection[str] = ()
    """Lanes that it neither counts nor refuses."""
    sources: Mapping[str, float] = field(default_factory=dict)
    """What single sources may send instead of `most`."""
    option: str = ""
    """Where it is configured; `caps.` and its name where empty."""

    def applies_to(self, notification: Notification) -> bool:
        """Tell whether it counts a notification."""
        return self.channel in (None, notification.channel) and (
            notification.lane not in self.exempt
        )

    def limit(self, notification: Notification) -> float:
        """Tell how much may pass of those that are counted with a notification."""
        return self.sources.get(notification.source, self.most)

    def counter(self, notification: Notification, *, hashed: Hashed = plain_hash) -> str:
        """Name the count that a notification adds to; of a recipient it tells only a hash."""
        match self.per:
            case CapPer.ALL:
                return self.name
            case CapPer.SOURCE:
                return f"{self.name}:{notification.source}"
            case CapPer.RECIPIENT:
                return f"{self.name}:{hashed(_person(self.name, notification)).hex()[:_HASHED]}"

    def refusal(self, notification: Notification) -> str:
        """Tell why a notification was refused, by the option to change if it should not be."""
        option = self.option or f"caps.{self.name}"
        if notification.source in self.sources:
            option = f"{option}.sources.{notification.source}"
        whose = {
            CapPer.ALL: "",
            CapPer.SOURCE: f" from {notification.source}",
            CapPer.RECIPIENT: " to one recipient",
        }[self.per]
        what = "" if self.unit is Unit.SPEND else f" {self.unit}"
        most = f"{self.limit(notification):,.12g}"
        return f"{option} is used up: {most}{what}{whose} {self.period.each}"


def daily_spend(channel: Channel, most: float) -> Cap:
    """Cap the cost of a channel's messages in a day, in the prices' currency; no lane is exempt."""
    # A configured cap's name has no dots, so that none can be counted with this one.
    name = f"channels.{channel}.daily_spend"
    return Cap(
        name=name,
        option=name,
        most=most,
        period=Period.DAY,
        channel=channel,
        unit=Unit.SPEND,
    )


def _person(name: str, notification: Notification) -> bytes:
    """Tell one recipient from others; the cap's name makes it another one for every cap."""
    # Nearly all providers deliver Ann@ and ann@ to the same person.
    return f"{name}\0{notification.channel}\0{case_folded(notification.to)}".encode()


@dataclass(frozen=True, slots=True)
class Countries:
    """Which countries SMS are sent to, by ISO 3166 codes, and the price of a segment in each."""

    allowed: Collection[str]
    prices: Mapping[str, float] = field(default_factory=dict)

    def refusal(self, notification: Notification) -> str | None:
        """Tell why a phone number's country is not sent to; None if it is."""
        if EVERYWHERE in self.allowed:
            return None
        country = country_of(notification.to)
        if country in self.allowed:
            return None
        told = f"SMS to {country} are" if country else "the number's country is unknown, so"
        return f"{told} not allowed; see channels.{notification.channel}.countries"

    def price(self, notification: Notification) -> float:
        """Tell what a segment to a phone number costs; where none is known, the highest of all."""
        prices = self.prices
        unknown = prices.get(EVERYWHERE, max(prices.values(), default=0.0))
        return prices.get(country_of(notification.to) or EVERYWHERE, unknown)
