"""The rate limit of each key: the service's limiter, shared by all processes of the API."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from notify.apikeys.key import ApiKey
from notify.flow import Limiter
from notify.policies.ratelimit import Limit

LIMIT = "api"
"""The name of the limit; each key's own is `api:<number>`, at the same rate."""


def key_limit(rate: float, burst: float) -> dict[str, Limit]:
    """Return the limit of keys, for a `Limiter`: units a second, and twice the units at once."""
    return {LIMIT: Limit(LIMIT, rate, 2 * burst)}


@dataclass(frozen=True, slots=True)
class KeyAllowance:
    """
    The units that a key may still use. Each request, and each notification of an array, is one.

    Attributes:
        most: Units that may be used at once, after a pause.
        window: Seconds after which all of them are there again.
        left: Units that may be used now.
        wait: Seconds until the units asked for are there; 0.0 if they were granted.
    """

    most: int
    window: int
    left: int
    wait: float

    @property
    def granted(self) -> bool:
        """Whether the units were granted."""
        return self.wait == 0.0


class KeyLimits:
    """Grants units to keys. Thread-safe; may use the record."""

    def __init__(self, limiter: Limiter) -> None:
        """Use a limiter of `key_limit`."""
        self._limiter = limiter

    def use(self, key: ApiKey, units: int) -> KeyAllowance:
        """Use units of a key's limit, all or none, and return what is left."""
        return self.use_each(key, [units])[0]

    def use_each(self, key: ApiKey, units: Sequence[int]) -> Sequence[KeyAllowance]:
        """
        Use the units of each request, all or none of a request's, and return what is left.

        If one request is refused, so are those after it.
        """
        name = f"{LIMIT}:{key.id}"
        booking = self._limiter.book([name], list(map(float, units)), share=1.0, ahead=0.0)
        preview = self._limiter.preview(name)
        rate = preview.rate or math.inf
        most = int(preview.burst) if preview.rate is not None else max(units)
        granted = KeyAllowance(
            most=max(most, 1),
            window=max(1, math.ceil(most / rate)),
            left=int(min(preview.at_once, most)),
            wait=0.0,
        )
        used = len(booking.slots)
        refused = replace(granted, wait=max(booking.wait, 0.001)) if used < len(units) else granted
        return [granted] * used + [refused] * (len(units) - used)
