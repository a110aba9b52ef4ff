"""Holds: what operators keep from being sent, and the messages that this applies to."""

from __future__ import annotations

from dataclasses import dataclass, fields

from notify.message import Channel, Notification


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """
    The messages that a hold stops: those that match every part; None matches anything.

    Without any part it stops everything.
    """

    channel: Channel | None = None
    lane: str | None = None
    source: str | None = None
    template: str | None = None
    provider: str | None = None
    """Given alone: the provider is not called, and messages may go through others."""

    def matches(self, notification: Notification) -> bool:
        """Return whether a notification has to wait; a provider's hold stops none by itself."""
        return self.provider is None and (
            self.channel in (None, notification.channel)
            and self.lane in (None, notification.lane)
            and self.source in (None, notification.source)
            and self.template in (None, notification.template)
        )

    def touches_queue(self, channel: Channel, lane: str) -> bool:
        """Return whether messages of a queue may have to wait."""
        return (
            self.provider is None and self.channel in (None, channel) and self.lane in (None, lane)
        )

    def stops_queue(self, channel: Channel, lane: str) -> bool:
        """Return whether all messages of a queue have to wait, so that it need not be consumed."""
        return self.source is None and self.template is None and self.touches_queue(channel, lane)

    def stops_provider(self, name: str) -> bool:
        """Return whether nothing may be sent through a provider."""
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
        """Return it as shown to operators."""
        return ", ".join(f"{name} {value}" for name, value in self.given.items()) or "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold(Scope):
    """One hold: its scope, its actor and reason, and how long it lasts."""

    id: int
    actor: str
    reason: str
    since: float
    """Seconds since 1970, by the database's clock."""
    until: float | None = None
    """When it ends by itself, by the same clock; None if an operator has to release it."""
