"""Limits that apply to each source, recipient or country separately."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from notify.channels import CHANNELS
from notify.contract import case_folded
from notify.message import Channel, Notification
from notify.policies.caps import Hashed, plain_hash


class LimitPer(enum.StrEnum):
    """The values that each have their own limit."""

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
    """The channel that it applies to; None for all."""
    exempt: frozenset[str] = frozenset()
    """The lanes that it does not apply to."""


class OwnLimits:
    """Finds the own limits of a notification."""

    def __init__(
        self,
        limits: Sequence[OwnLimit],
        *,
        country: Callable[[str], str | None],
        hashed: Hashed = plain_hash,
    ) -> None:
        """
        Keep the configured limits.

        Args:
            country: Returns the country of a phone number, in two letters.
            hashed: Hashes a recipient for the names of limits.
        """
        self._limits = tuple(limits)
        self._country = country
        self._hashed = hashed

    def of(self, notification: Notification) -> list[tuple[str, str]]:
        """Return the name of each limit that applies, and the name of its limit for the value."""
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
