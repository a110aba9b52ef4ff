"""Holds: what operators keep from being sent, and which messages that concerns."""

from __future__ import annotations

from dataclasses import dataclass, fields

from notify.message import Channel, Notification


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """
    What a hold stops: all that fits every part that is given; None fits anything.

    Without any part it stops everything.
    """

    channel: Channel | None = None
    lane: str | None = None
    source: str | None = None
    template: str | None = None
    provider: str | None = None
    """A provider stands alone: it is stopped for all messages, which may go through others."""

    def matches(self, notification: Notification) -> bool:
        """Tell whether a notification has to wait; a provider's hold stops none by itself."""
        return self.provider is None and (
            self.channel in (None, notification.channel)
            and self.lane in (None, notification.lane)
            and self.source in (None, notification.source)
            and self.template in (None, notification.template)
        )

    def touches_queue(self, channel: Channel, lane: str) -> bool:
        """Tell whether messages of a queue may have to wait."""
        return (
            self.provider is None and self.channel in (None, channel) and self.lane in (None, lane)
        )

    def stops_queue(self, channel: Channel, lane: str) -> bool:
        """Tell whether all messages of a queue have to wait, so that it need not be consumed."""
        return self.source is None and self.template is None and self.touches_queue(channel, lane)

    def stops_provider(self, name: str) -> bool:
        """Tell whether nothing may be sent through a provider."""
        return self.provider == name

    @property
    def given(self) -> dict[str, str]:
        """The parts that are given, by name."""
        return {
            field.name: str(value)
            for field in fields(Scope)
            if (value := getattr(self, field.name)) is not None
        }

    def __str__(self) -> str:
        """Return the words an operator reads."""
        return ", ".join(f"{name} {value}" for name, value in self.given.items()) or "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Scope):
    """One hold: its scope, who placed it, why, and for how long."""

    id: int
    actor: str
    reason: str
    since: float
    """Seconds since 1970, by the database's clock."""
    until: float | None = None
    """When it ends by itself, by the same clock; None where somebody has to release it."""
