"""Limits that hold for each source, recipient or country by itself."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from notify.channels import CHANNELS
from notify.contract import case_folded
from notify.message import Channel, Notification
from notify.policies.caps import Hashed, plain_hash


class LimitPer(enum.StrEnum):
    """What each value of has a limit to itself."""

    SOURCE = "source"
    RECIPIENT = "recipient"
    COUNTRY = "country"
    """Of a phone number; other addresses have none."""


@dataclass(frozen=True, slots=True)
class OwnLimit:
    """One configured limit of this kind."""

    name: str
    per: LimitPer
    channel: Channel | None = None
    """Whose messages it is for; None for all."""
    exempt: frozenset[str] = frozenset()
    """The lanes it is not for."""


class OwnLimits:
    """Tells which limits a notification has to itself."""

    def __init__(
        self,
        limits: Sequence[OwnLimit],
        *,
        country: Callable[[str], str | None],
        hashed: Hashed = plain_hash,
    ) -> None:
        """
        Take the configured limits.

        Args:
            country: Tells the country of a phone number, in two letters.
            hashed: Makes of a recipient what stands for it in the names of limits.
        """
        self._limits = tuple(limits)
        self._country = country
        self._hashed = hashed

    def of(self, notification: Notification) -> list[tuple[str, str]]:
        """Give the name of each limit that is for it, and of the limit of its own value."""
        return [
            (limit.name, f"{limit.name}:{value}")
            for limit in self._limits
            if limit.channel in (None, notification.channel)
            and notification.lane not in limit.exempt
            and (value := self._value(limit.per, notification)) is not None
        ]

    def _value(self, per: LimitPer, notification: Notification) -> str | None:
        match per:
            case LimitPer.SOURCE:
                return notification.source
            case LimitPer.RECIPIENT:
                # Names of limits are listed and logged; no address is.
                return self._hashed(case_folded(notification.to).encode()).hex()[:32]
            case LimitPer.COUNTRY:
                by_country = CHANNELS[notification.channel].by_country
                return self._country(notification.to) if by_country else None
