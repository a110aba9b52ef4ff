"""The contract of a provider: how one vendor accepts rendered messages."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Protocol, runtime_checkable

from notify.errors import ProviderError
from notify.message import Channel, Receipt, Rendered
from notify.receipt import DeliveryReceipt

LONGEST_CALL = 40.0
"""Seconds: a call of several messages must end by then, to be recorded within its claim's lease."""


class Provider(Protocol):
    """
    Translates a rendered message into one vendor's request, and the answer into a `Receipt`.

    A provider of email sends a message's own `sender`, `reply_to`, `headers` and `attachments`,
    where it has them; a provider of SMS its `sms_sender`, where its vendor has that kind.

    A provider is built once per process as ``factory(**options, **secrets)`` and called by many
    threads at once. If its receipts are configured and the factory has a parameter `receipts_url`,
    it gets the public address to which its vendor may post them. It contains no retry, limit,
    breaker, log or store: the service adds those.
    """

    channel: ClassVar[Channel]

    def send(self, message: Rendered, /) -> Receipt:
        """
        Send one message to the vendor, in one call bounded in time.

        Return only if the vendor certainly accepted the message; raise otherwise. The service
        replaces characters that the record cannot store in the receipt's id and an error's code.

        Raises:
            TransientError: It was certainly not sent; `Throttled` and `Unauthorized` say why.
            PermanentError: The vendor will never accept it; `InvalidRecipient` if that is why.
            OutcomeUnknown: The request was sent and no trustworthy answer came back.
        """
        ...

    def close(self) -> None:
        """Close connections. No call follows."""
        ...


@runtime_checkable
class Findable(Protocol):
    """An optional part of a provider: its vendor can list the messages that it accepted."""

    can_find: ClassVar[bool]
    """Whether `find` is supported."""

    def find(self, message: Rendered, /, *, since: datetime, until: datetime) -> Sequence[Receipt]:
        """
        Return the messages like this one that the vendor accepted in a span of time, oldest first.

        A message is like this one if it has the same recipient and the same content, whichever
        notification it is for: the vendor does not know our ids. Each receipt has the vendor's
        id. An empty list means that the vendor's list was read to its end and has none. It does
        not matter whether an accepted message was delivered later.

        Raises:
            ProviderError: The vendor could not be asked, or its list is too long to read.
            NotImplementedError: `can_find` is false.
        """
        ...


@runtime_checkable
class TakesAddresses(Protocol):
    """An optional part of a provider: it sends to some of its channel's addresses only."""

    def takes(self, to: str, /) -> bool:
        """
        Whether an address has the form of its vendor's.

        `send` gets another one only if no provider of the channel takes it, and refuses it.
        """
        ...


@runtime_checkable
class HasSender(Protocol):
    """An optional part of a provider: its vendor keeps opt-outs for each sender."""

    sender: str
    """The number or the messaging service, as `DeliveryReceipt.scope` names it."""


@runtime_checkable
class SendsAs(Protocol):
    """An optional part of a provider with `HasSender`: a message may have another sender."""

    def sender_of(self, message: Rendered, /) -> str:
        """Return the sender of a message, as `DeliveryReceipt.scope` names it."""
        ...


@runtime_checkable
class Trackable(Protocol):
    """An optional part of a provider: its vendor can be asked for a message's later status."""

    can_track: ClassVar[bool]
    """Whether `track` is supported."""

    def track(self, provider_id: str, /) -> Sequence[DeliveryReceipt]:
        """
        Return what the vendor knows about an accepted message now, as its receipts would say it.

        The service adds its own ids to the receipts.

        Raises:
            PermanentError: The vendor has no such message any more.
            ProviderError: The vendor could not be asked.
            NotImplementedError: `can_track` is false.
        """
        ...


@runtime_checkable
class SendsMany(Protocol):
    """An optional part of a provider: one request to its vendor sends several messages."""

    most: ClassVar[int]
    """The largest number of messages in one call, 2 or more."""

    def shares(self, message: Rendered, /) -> Hashable:
        """Return what all messages of one call must have in common."""
        ...

    def send_many(self, messages: Sequence[Rendered], /) -> Sequence[Receipt | ProviderError]:
        """
        Send several messages in one request, within `LONGEST_CALL`.

        Args:
            messages: They are equal in what `shares` returns, and have different recipients.

        Returns:
            For each message in order its receipt; the error that `Provider.send` would raise; or
            `GroupRefused` if it was not sent because of the others, or of their number. It is then
            sent at once in another call.

        Raises:
            ProviderError: As `Provider.send`; it applies to every message.
        """
        ...


@runtime_checkable
class KeepsSuppressions(Protocol):
    """An optional part of a provider: its vendor keeps lists of its own, which drop messages."""

    def lists(self) -> Sequence[str]:
        """Return the names of the lists that are about recipients."""
        ...

    def listed(self, name: str, /, *, offset: int) -> Sequence[DeliveryReceipt]:
        """
        Return one page of a list, as receipts; an empty one is its end.

        Raises:
            ProviderError: The vendor could not be asked.
        """
        ...

    def unlist(self, name: str, listed: DeliveryReceipt, /) -> None:
        """
        Delete a recipient from a list, if it is still there.

        Raises:
            ProviderError: The vendor did not delete it.
        """
        ...


@runtime_checkable
class Checkable(Protocol):
    """An optional part of a provider: `notify doctor` finds a bad key before a send fails."""

    def check(self) -> None:
        """
        Check, in one or two calls bounded in time, that the vendor would accept our messages.

        Nothing is sent to any recipient.

        Raises:
            Unauthorized: The vendor refuses our key, or the key may not send.
            ProviderError: The vendor could not be asked.
        """
        ...


@runtime_checkable
class OptionChecker(Protocol):
    """An optional part of a provider's class: `notify config check` calls it on the class."""

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """
        Yield the options that make every call fail: the option's name, and what to do.

        The text does not contain the value. Options that are secrets are passed as None.
        """
        ...


@runtime_checkable
class AddsUnsubscribe(Protocol):
    """An optional part of a provider's class: its vendor can add unsubscribe links of its own."""

    @staticmethod
    def own_unsubscribe(options: Mapping[str, Any], /) -> Iterator[str]:
        """Yield the options with which the vendor adds its own links or headers."""
        ...
