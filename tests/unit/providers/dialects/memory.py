"""The memory provider in the vendors' words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from notify.message import Channel
from notify.provider import Provider
from providers.memory import Memory
from tests.support.vendor import Vendor
from tests.unit.providers.dialects.dialect import TO


@dataclass(frozen=True, slots=True)
class Remembering:
    """The memory provider in the same words; it has no vendor."""

    name: str = "memory"
    channel: Channel = Channel.EMAIL

    def build(self, _vendor: Vendor, word: str, _headers: object = None, **_: Any) -> Provider:
        """A provider that will answer so."""
        return Memory(script={TO: [word]})
