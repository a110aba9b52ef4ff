"""The contract of a provider: one vendor's way of taking one rendered message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol, runtime_checkable

from notify.errors import ProviderError
from notify.message import Channel, Receipt, Rendered


class Provider(Protocol):
    """
    Translates a rendered message into one vendor's request, and its answer into ours.

    A provider is built once per process as ``factory(**options, **secrets)`` and called by many
    threads at once. It holds no retry, limit, breaker, log or store: those stand around it.
    """

    channel: ClassVar[Channel]

    def send(self, message: Rendered, /) -> Receipt:
        """
        Hand one message to the vendor, in one call bounded in time.

        To return is to say that the vendor took the message: where that is not certain, raise.
        Of the receipt's id and an error's code, what the record cannot store is replaced.

        Raises:
            TransientError: It was certainly not sent; `Throttled` and `Unauthorized` say why.
            PermanentError: The vendor will never take it; `InvalidRecipient` if that is why.
            OutcomeUnknown: The request left and no trustworthy answer came back.
        """
        ...

    def close(self) -> None:
        """Give back connections. No call follows."""
        ...


@runtime_checkable
class Findable(Protocol):
    """What a provider offers besides whose vendor can be asked later what it took."""

    can_find: ClassVar[bool]
    """Whether `find` answers."""

    def find(self, message: Rendered, /, *, since: datetime, until: datetime) -> Sequence[Receipt]:
        """
        Ask the vendor which messages like this one it took in a span of time, oldest first.

        Like this one is to the same recipient and of the same words, whoever asked for it: the
        vendor does not know our ids. Each receipt has the vendor's id. None means that the vendor's
        list was read to its end and holds none. What became of a message after it was taken does
        not matter here.

        Raises:
            ProviderError: It could not be asked, or its list is too long to tell.
            NotImplementedError: `can_find` is false.
        """
        ...


@runtime_checkable
class SendsMany(Protocol):
    """An optional part of a provider: one request of its vendor's sends several messages."""

    most: ClassVar[int]
    """The most messages of one call, 2 or more."""

    def send_many(self, messages: Sequence[Rendered], /) -> Sequence[Receipt | ProviderError]:
        """
        Send several messages in one call bounded in time.

        Returns:
            For each message in order its receipt, or the error that `Provider.send` would raise.

        Raises:
            ProviderError: As `Provider.send`; it holds for every message.
        """
        ...


@runtime_checkable
class Checkable(Protocol):
    """What a provider may offer besides: `notify doctor` then finds a bad key before a message."""

    def check(self) -> None:
        """
        Ask the vendor, in a call or two bounded in time, whether it would take what we send.

        Nothing is sent, and nobody hears of it.

        Raises:
            Unauthorized: It refuses our key, or the key may not send.
            ProviderError: It could not be asked.
        """
        ...


@runtime_checkable
class OptionChecker(Protocol):
    """What a provider's class may offer besides: `notify config check` asks it, and builds none."""

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """
        Yield the options that no call can succeed with: the option's name, and what to do.

        The text says nothing of the value. Options that are secrets are there by name, as None.
        """
        ...
