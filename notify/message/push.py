"""The options of a push message beside its title and body."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field


class PushPriority(enum.StrEnum):
    """How soon a device shows a push message."""

    HIGH = "high"
    """At once, also on a device that sleeps."""
    NORMAL = "normal"
    """When it suits the device's battery."""


@dataclass(frozen=True, slots=True)
class PushOptions:
    """
    The options of one push message; None and empty leave each to the push service.

    Attributes:
        data: Key-value pairs for the app, beside the metadata.
        image: The https address of a picture.
        sound: The name of a sound of the app, or `default`.
        badge: The number on the app's icon; 0 removes it.
        link: The address that a tap opens: https, or a scheme of the app.
        ttl: Seconds for which the push service keeps it for a device that is away.
        priority: How soon the device shows it.
        collapse_key: A later message with the same key replaces this one.
        topic: The app's bundle id at Apple, if it is not the provider's.
    """

    data: Mapping[str, str] = field(default_factory=dict)
    image: str | None = None
    sound: str | None = None
    badge: int | None = None
    link: str | None = None
    ttl: int | None = None
    priority: PushPriority | None = None
    collapse_key: str | None = None
    topic: str | None = None


NO_OPTIONS = PushOptions()
"""The options of a message that chooses none."""
