"""One channel's ways out: its providers, in the order they are asked."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from notify.channels import CHANNELS
from notify.errors import ConfigError, ProviderError
from notify.message import Channel, Receipt, Rendered
from notify.provider import Findable, Provider, SendsMany


@dataclass(frozen=True, slots=True)
class ConfiguredProvider:
    """
    One provider under its name in the configuration.

    Attributes:
        limits: The rate limits that each call passes.
        moved: Those that a message passes besides which comes from another provider's line.
    """

    name: str
    provider: Provider
    limits: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()

    def cost(self, message: Rendered) -> float:
        """Return what a call uses of the limits, in the channel's unit: segments of an SMS."""
        return CHANNELS[self.provider.channel].units(message)

    def send(self, message: Rendered) -> Receipt:
        """Hand one message to the provider; raises what `Provider.send` raises."""
        return self.provider.send(message)

    def send_many(self, messages: Sequence[Rendered]) -> Sequence[Receipt | ProviderError]:
        """
        Send several messages in one call; see `SendsMany.send_many`.

        Raises:
            NotImplementedError: The provider sends one message a call.
        """
        if not isinstance(self.provider, SendsMany):
            raise NotImplementedError(f"{self.name} sends one message a call")
        return self.provider.send_many(messages)

    @property
    def can_find(self) -> bool:
        """Whether the provider can be asked what it took."""
        return isinstance(self.provider, Findable) and self.provider.can_find

    def find(self, message: Rendered, *, since: datetime, until: datetime) -> Sequence[Receipt]:
        """
        Ask what the provider took; see `Findable.find`.

        Raises:
            NotImplementedError: `can_find` is false.
        """
        if not isinstance(self.provider, Findable):
            raise NotImplementedError(f"{self.name} cannot be asked what it took")
        return self.provider.find(message, since=since, until=until)


class Gateway:
    """
    The providers of one channel.

    A caller first chooses a line, so that the attempt can be journalled under the provider's
    name, and sends through it afterwards.
    """

    def __init__(
        self,
        channel: Channel,
        lines: Sequence[ConfiguredProvider],
        *,
        weights: Mapping[str, float] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """
        Take the lines in the order of preference.

        Args:
            weights: By line, its part of the messages; without, the first takes all it can.
            rng: Draws by weight.

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
        self.lines = tuple(lines)
        self._weights = [weights.get(line.name, 0.0) for line in lines] if weights else None
        self._rng = rng or random.Random()  # noqa: S311 - it spreads load and guards nothing

    def order(self) -> tuple[ConfiguredProvider, ...]:
        """Give the lines in the order to try for the next message."""
        if self._weights is None:
            return self.lines
        (first,) = self._rng.choices(self.lines, self._weights)
        return (first, *(line for line in self.lines if line is not first))

    @property
    def reserve(self) -> tuple[ConfiguredProvider, ...]:
        """Those lines that take only what comes from another; none, where weights part it."""
        return self.lines[1:] if self._weights is None else ()

    @property
    def can_find(self) -> bool:
        """Whether any of the providers can be asked what it took."""
        return any(line.can_find for line in self.lines)

    def line(self, name: str) -> ConfiguredProvider | None:
        """Find a provider by its name in the configuration; None if it has none such by now."""
        return next((line for line in self.lines if line.name == name), None)

    def close(self) -> None:
        """Close all providers. No call follows."""
        for line in self.lines:
            line.provider.close()
