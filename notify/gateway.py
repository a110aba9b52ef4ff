"""One channel's way out: its providers, in the order they are asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from notify.errors import ConfigError
from notify.message import Channel, Receipt, Rendered
from notify.provider import Provider


@dataclass(frozen=True, slots=True)
class Line:
    """One provider under its name in the configuration."""

    name: str
    provider: Provider

    def send(self, message: Rendered) -> Receipt:
        """Hand one message to the provider; raises what `Provider.send` raises."""
        return self.provider.send(message)

    @property
    def can_find(self) -> bool:
        """Whether the provider can be asked what it took."""
        return self.provider.can_find

    def find(self, message: Rendered, *, since: datetime, until: datetime) -> Sequence[Receipt]:
        """Ask what the provider took; see `Provider.find`."""
        return self.provider.find(message, since=since, until=until)


class Gateway:
    """
    The providers of one channel.

    A caller first asks for a line, so that the attempt can be journalled under the provider's
    name, and sends through it afterwards.
    """

    def __init__(self, channel: Channel, lines: Sequence[Line]) -> None:
        """
        Take the lines in the order of preference.

        Raises:
            ConfigError: There is none, or one speaks another channel.
        """
        if not lines:
            raise ConfigError(f"channels.{channel}.providers is empty: name a provider")
        for line in lines:
            if line.provider.channel is not channel:
                raise ConfigError(
                    f"channels.{channel}.providers: {line.name} sends {line.provider.channel}"
                )
        self.channel = channel
        self._lines = tuple(lines)

    @property
    def can_find(self) -> bool:
        """Whether any of the providers can be asked what it took."""
        return any(line.can_find for line in self._lines)

    def admit(self) -> Line:
        """Choose the provider for the next message."""
        return self._lines[0]

    def line(self, name: str) -> Line | None:
        """Find a provider by its name in the configuration; None if it has none such by now."""
        return next((line for line in self._lines if line.name == name), None)

    def close(self) -> None:
        """Close all providers. No call follows."""
        for line in self._lines:
            line.provider.close()
