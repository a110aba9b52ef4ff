"""What every request to a vendor meets, until it is switched back: an outage, a latency."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from notify.sandbox.behaviour import Behaviour, Vendor

_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0}
MAX_SECONDS = 600.0
"""The longest latency there is."""


def seconds(text: str) -> float:
    """
    Read a duration such as `50ms`, `1.5s` or `2` (seconds).

    Raises:
        ValueError: It is none, or longer than ten minutes.
    """
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*(ms|s|)", text.strip())
    duration = float(match[1]) * _UNITS[match[2]] if match else -1.0
    if not 0 <= duration <= MAX_SECONDS:
        raise ValueError("not a duration up to 600s, such as 50ms or 1.5s")
    return duration


@dataclass(frozen=True, slots=True)
class Setting:
    """What a vendor's requests meet."""

    behaviour: Behaviour | None = None
    """Of every request, whoever the recipient is; None if the recipient decides."""
    latency: float = 0.0
    """Seconds before each answer."""


class Switch:
    """Holds each vendor's setting. Safe to use from several threads."""

    def __init__(self, *, latency: float = 0.0) -> None:
        self._settings = dict.fromkeys(Vendor, Setting(latency=latency))
        self._lock = threading.Lock()

    def of(self, vendor: Vendor) -> Setting:
        """Tell a vendor's setting."""
        return self._settings[vendor]

    def set(self, vendors: Iterable[Vendor] = tuple(Vendor), **changes: Any) -> None:
        """
        Change some vendors' settings, from the next request on.

        Args:
            vendors: Whose; all if not given.
            changes: The fields of `Setting` to replace.
        """
        with self._lock:
            for vendor in vendors:
                self._settings[vendor] = replace(self._settings[vendor], **changes)

    def as_dict(self) -> dict[str, Any]:
        """Every vendor's setting as JSON holds it; the latency in seconds."""
        return {
            vendor.value: {"behaviour": setting.behaviour, "latency": setting.latency}
            for vendor, setting in self._settings.items()
        }
