"""Caps: how much may be sent in a span of time; and the allowed countries, with their prices."""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from notify.channels import country_of
from notify.contract import case_folded
from notify.message import Channel, Notification

EVERYWHERE = "*"
"""All countries in a list of allowed ones; all other countries in prices."""

_HASHED = 32

Hashed = Callable[[bytes], bytes]
"""Hashes a value, so that the value itself is not stored."""


def plain_hash(value: bytes) -> bytes:
    """Return a hash without a key: a known value can be recognised by it."""
    return hashlib.sha256(value).digest()


class CapPer(enum.StrEnum):
    """The notifications that a cap counts together."""

    RECIPIENT = "recipient"
    SOURCE = "source"
    ALL = "all"


class Period(enum.StrEnum):
    """The spans of time of caps; each begins and ends at the same moment for all workers."""

    MINUTE = "minute"
    HOUR = "hour"
    DAY = "day"
    """From midnight to midnight, UTC."""

    @property
    def seconds(self) -> int:
        """Its length."""
        return {Period.MINUTE: 60, Period.HOUR: 3600, Period.DAY: 86_400}[self]

    @property
    def each(self) -> str:
        """The words for "in each of these spans"."""
        return "an hour" if self is Period.HOUR else f"a {self}"

    def around(self, now: float) -> tuple[int, int]:
        """Return begin and end of the span that contains a moment, all in seconds since 1970."""
        starts = int(now // self.seconds) * self.seconds
        return starts, starts + self.seconds


class Unit(enum.StrEnum):
    """The unit of a cap's counts."""

    NOTIFICATIONS = "notifications"
    SEGMENTS = "segments"
    SPEND = "spend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cap:
    """The most that may be sent in one span of time."""

    name: str
    most: float
    period: Period
    per: CapPer = CapPer.ALL
    channel: Channel | None = None
    """The channel that it applies to; None for all."""
    unit: Unit = Unit.NOTIFICATIONS
    exempt: Collection[str] = ()
    """Lanes whose notifications it neither counts nor refuses."""
    sources: Mapping[str, float] = field(default_factory=dict)
    """The most of single sources, in place of `most`."""
    option: str = ""
    """The option that configures it; `caps.` and its name if empty."""

    def applies_to(self, notification: Notification) -> bool:
        """Return whether it counts a notification."""
        return self.channel in (None, notification.channel) and (
            notification.lane not in self.exempt
        )

    def limit(self, notification: Notification) -> float:
        """Return the most that may be sent of those that are counted with a notification."""
        return self.sources.get(notification.source, self.most)

    def counter(self, notification: Notification, *, hashed: Hashed = plain_hash) -> str:
        """Return the name of the count of a notification; it has only a hash of a recipient."""
        match self.per:
            case CapPer.ALL:
                return self.name
            case CapPer.SOURCE:
                return f"{self.name}:{notification.source}"
            case CapPer.RECIPIENT:
                return f"{self.name}:{hashed(_person(self.name, notification)).hex()[:_HASHED]}"

    def refusal(self, notification: Notification) -> str:
        """Return why a notification is refused, with the option that would allow it."""
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
    """Return what identifies a recipient; with the cap's name, it differs for every cap."""
    # Nearly all providers deliver Ann@ and ann@ to the same person.
    return f"{name}\0{notification.channel}\0{case_folded(notification.to)}".encode()


@dataclass(frozen=True, slots=True)
class Countries:
    """The allowed countries, by ISO 3166 codes, and the price of a segment in each."""

    allowed: Collection[str]
    prices: Mapping[str, float] = field(default_factory=dict)

    def refusal(self, notification: Notification) -> str | None:
        """Return why a phone number's country is not allowed; None if it is."""
        if EVERYWHERE in self.allowed:
            return None
        country = country_of(notification.to)
        if country in self.allowed:
            return None
        found = f"SMS to {country} are" if country else "the number's country is unknown, so"
        return f"{found} not allowed; see channels.{notification.channel}.countries"

    def price(self, notification: Notification) -> float:
        """Return the price of a segment to a phone number; the highest of all if it is unknown."""
        prices = self.prices
        unknown = prices.get(EVERYWHERE, max(prices.values(), default=0.0))
        return prices.get(country_of(notification.to) or EVERYWHERE, unknown)
