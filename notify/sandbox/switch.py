"""Outage, latency and limit of each vendor and account, until they are set again."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from notify.sandbox.behaviour import Behaviour, ReceiptFault, Vendor

_UNITS = {"ms": 0.001, "s": 1.0, "": 1.0}
MAX_SECONDS = 600.0
"""The longest latency."""

ACCOUNT = r"[a-z0-9][a-z0-9_-]{0,30}"
"""The form of an account's name, which is in an address before the vendor's own path."""

MAX_RATE = 1_000_000
"""The highest limit, in requests a second."""


def seconds(text: str) -> float:
    """
    Return the seconds of a duration such as `50ms`, `1.5s` or `2` (seconds).

    Raises:
        ValueError: It is malformed, or longer than ten minutes.
    """
    match = re.fullmatch(r"(\d{1,6}(?:\.\d{1,6})?)\s*(ms|s|)", text.strip())
    duration = float(match[1]) * _UNITS[match[2]] if match else -1.0
    if not 0 <= duration <= MAX_SECONDS:
        raise ValueError("not a duration up to 600s, such as 50ms or 1.5s")
    return duration


@dataclass(frozen=True, slots=True)
class Setting:
    """The setting of a vendor or an account."""

    behaviour: Behaviour | None = None
    """For every request, whatever the recipient; None if the recipient decides."""
    latency: float = 0.0
    """Seconds before each answer."""
    rate: int | None = None
    """Requests accepted in each second; others get 429. None for no limit."""
    receipts: ReceiptFault | None = None
    """How later events are posted; None for as usual."""
    receipt_delay: float = 0.0
    """Seconds by which later events are posted late."""


class Switch:
    """
    The setting of each vendor, and of each account that has its own.

    Safe to use from several threads.
    """

    def __init__(self, *, latency: float = 0.0) -> None:
        self._initial = Setting(latency=latency)
        self._settings: dict[str, Setting] = dict.fromkeys(map(str, Vendor), self._initial)
        self._lock = threading.Lock()

    def of(self, vendor: Vendor, account: str = "") -> Setting:
        """Return an account's own setting, else its vendor's."""
        return self._settings.get(account) or self._settings[vendor]

    def set(self, names: Iterable[str] | None = None, **changes: Any) -> None:
        """
        Change some settings, from the next request on.

        Args:
            names: The vendors or accounts; all of them if None. An account that is set for the
                first time starts with the initial setting, and no longer follows its vendor.
            changes: The fields of `Setting` to replace.
        """
        with self._lock:
            for name in list(self._settings) if names is None else map(str, names):
                self._settings[name] = replace(self._settings.get(name, self._initial), **changes)

    def as_dict(self) -> dict[str, Any]:
        """Return every setting as JSON values; the latency in seconds."""
        with self._lock:
            return {name: asdict(setting) for name, setting in self._settings.items()}
