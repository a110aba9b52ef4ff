"""The providers of one channel, in the order in which they are tried."""

from __future__ import annotations

import random
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from notify.channels import CHANNELS
from notify.errors import ConfigError, ProviderError
from notify.message import Channel, Receipt, Rendered
from notify.provider import Findable, Provider, SendsMany, Trackable
from notify.receipt import DeliveryReceipt


@dataclass(frozen=True, slots=True)
class ConfiguredProvider:
    """
    One provider under its name in the configuration.

    Attributes:
        limits: The rate limits of each call.
        moved: Further rate limits of a message that another provider was to send.
    """

    name: str
    provider: Provider
    limits: tuple[str, ...] = ()
    moved: tuple[str, ...] = ()

    @property
    def channel(self) -> Channel:
        """The channel that it sends."""
        return self.provider.channel

    def sender_of(self, message: Rendered) -> str | None:
        """Return the sender to which an opt-out may be limited, as `HasSender`; None if none."""
        # `isinstance` of a protocol is too slow for each message.
        if message.sms_sender is not None:
            spelled: Callable[[Rendered], str] | None = getattr(self.provider, "sender_of", None)
            if spelled is not None:
                return spelled(message)
        sender: str | None = getattr(self.provider, "sender", None)
        return sender

    def cost(self, message: Rendered) -> float:
        """Return the units that a call uses of the limits: segments for SMS."""
        return CHANNELS[self.channel].units(message)

    def send(self, message: Rendered) -> Receipt:
        """
        Send one message; see `Provider.send`.

        Raises:
            ProviderError: As `Provider.send`.
        """
        return self.provider.send(message)

    @property
    def most(self) -> int:
        """The largest number of messages in one call."""
        most: int = getattr(self.provider, "most", 1)
        return most

    def shares(self, message: Rendered) -> Hashable:
        """
        Return what all messages of one call must have in common; see `SendsMany.shares`.

        Raises:
            NotImplementedError: The provider sends one message a call.
        """
        # `isinstance` of a protocol is too slow for each message.
        shares: Callable[[Rendered], Hashable] | None = getattr(self.provider, "shares", None)
        if shares is None:
            raise NotImplementedError(f"{self.name} sends one message a call")
        return shares(message)

    def send_many(self, messages: Sequence[Rendered]) -> Sequence[Receipt | ProviderError]:
        """
        Send several messages in one call; see `SendsMany.send_many`.

        Raises:
            ProviderError: As `SendsMany.send_many`.
            NotImplementedError: The provider sends one message a call.
        """
        if not isinstance(self.provider, SendsMany):
            raise NotImplementedError(f"{self.name} sends one message a call")
        return self.provider.send_many(messages)

    @property
    def can_find(self) -> bool:
        """Whether `find` can return what the provider accepted."""
        return isinstance(self.provider, Findable) and self.provider.can_find

    def find(self, message: Rendered, *, since: datetime, until: datetime) -> Sequence[Receipt]:
        """
        Return what the provider accepted; see `Findable.find`.

        Raises:
            ProviderError: As `Findable.find`.
            NotImplementedError: `can_find` is false.
        """
        if not isinstance(self.provider, Findable):
            raise NotImplementedError(f"{self.name} cannot be asked what it accepted")
        return self.provider.find(message, since=since, until=until)

    @property
    def can_track(self) -> bool:
        """Whether `track` can return the later status of a message."""
        return isinstance(self.provider, Trackable) and self.provider.can_track

    def track(self, provider_id: str) -> Sequence[DeliveryReceipt]:
        """
        Return what the vendor knows about a message; see `Trackable.track`.

        Raises:
            ProviderError: As `Trackable.track`.
            NotImplementedError: The provider cannot be asked.
        """
        if not isinstance(self.provider, Trackable):
            raise NotImplementedError(f"{self.name} cannot be asked about a message")
        return self.provider.track(provider_id)


class Gateway:
    """
    The providers of one channel.

    A caller first chooses one, so that the attempt can be recorded under its name, and then sends
    through it.
    """

    def __init__(
        self,
        channel: Channel,
        providers: Sequence[ConfiguredProvider],
        *,
        weights: Mapping[str, float] | None = None,
        rng: random.Random | None = None,
    ) -> None:
        """
        Check the providers, which are in the order of preference.

        Args:
            weights: By name, each provider's share of the messages; without weights, the first
                sends all that it can.
            rng: Draws by weight.

        Raises:
            ConfigError: There are no providers, or one sends another channel.
        """
        if not providers:
            raise ConfigError(f"channels.{channel}.providers is empty: name a provider")
        for each in providers:
            if each.channel is not channel:
                raise ConfigError(f"channels.{channel}.providers: {each.name} sends {each.channel}")
        self.channel = channel
        self.providers = tuple(providers)
        # Only if the providers differ in the addresses that they take does a message matter.
        takes = [getattr(each.provider, "takes", None) for each in providers]
        self._takes = takes if len(takes) > 1 and any(takes) else None
        self._weights = [weights.get(each.name, 0.0) for each in providers] if weights else None
        self._rng = rng or random.Random()  # noqa: S311 - it spreads load and guards nothing

    def order(self, to: str) -> tuple[ConfiguredProvider, ...]:
        """
        Return the providers in the order to try for the next message.

        Args:
            to: The recipient. Providers that do not take such an address are left out; if none
                does, all are there, and the first one refuses the message.
        """
        able = self.providers if self._takes is None else self._able(to, self._takes)
        if self._weights is None:
            return able
        (first,) = self._rng.choices(self.providers, self._weights)
        if first not in able:
            return able
        return (first, *(each for each in able if each is not first))

    def _able(
        self, to: str, takes: Sequence[Callable[[str], bool] | None]
    ) -> tuple[ConfiguredProvider, ...]:
        pairs = zip(self.providers, takes, strict=True)
        return tuple(each for each, fits in pairs if fits is None or fits(to)) or self.providers

    @property
    def reserve(self) -> tuple[ConfiguredProvider, ...]:
        """
        The providers that send only if another cannot.

        None are if there are weights, or if each provider has addresses of its own.
        """
        return self.providers[1:] if self._weights is None and self._takes is None else ()

    @property
    def most(self) -> int:
        """The largest number of messages in one call of any of the providers."""
        return max(each.most for each in self.providers)

    @property
    def can_find(self) -> bool:
        """Whether any of the providers can find what it accepted."""
        return any(each.can_find for each in self.providers)

    def provider(self, name: str) -> ConfiguredProvider | None:
        """Return the provider with a name; None if it is no longer configured."""
        return next((each for each in self.providers if each.name == name), None)

    def close(self) -> None:
        """Close all providers. No call follows."""
        for each in self.providers:
            each.provider.close()
