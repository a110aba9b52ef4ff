"""The contract of receipts: a vendor's later reports about a message that it accepted."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol
from uuid import UUID

from notify.errors import NotifyError


class ReceiptEvent(enum.StrEnum):
    """An event in the life of a message after its provider was called."""

    ACCEPTED = "accepted"
    """The vendor has the message: processed, queued or sent on."""
    DEFERRED = "deferred"
    """The receiving side refused it for now; the vendor tries again."""
    DELIVERED = "delivered"
    BOUNCED = "bounced"
    """It will not be delivered; `Blame` says whose fault that is."""
    COMPLAINED = "complained"
    """The recipient reported it as spam."""
    OPTED_OUT = "opted_out"
    """The recipient wants no more messages of this kind."""
    OPTED_IN = "opted_in"
    """The recipient takes an earlier opt-out back."""
    ACCOUNT = "account"
    """The vendor suspended our account or key: it is about no message."""
    CONFIRMED = "confirmed"
    """The producer knows that it arrived: the code was used, the app showed it."""
    FAILED = "failed"
    """The producer knows that it did not arrive."""


class Blame(enum.StrEnum):
    """Whose fault it is that a message was not delivered."""

    RECIPIENT = "recipient"
    """The address does not exist or can never receive this; only this fault suppresses."""
    SENDER = "sender"
    """Our address, domain, number or reputation: it applies to other recipients too."""
    MESSAGE = "message"
    """The content or the request."""
    MOMENT = "moment"
    """A full mailbox, a phone that is off: a later message may arrive."""


@dataclass(frozen=True, slots=True)
class DeliveryReceipt:
    """
    One event that a vendor reports, in our words and in its own.

    Attributes:
        event: The event, in our words.
        word: The vendor's own name of the event, such as `spamreport` or `undelivered`.
        notification_id: Our notification, if the vendor returned the id that we gave it.
        attempt_id: Our call, likewise.
        provider_id: The vendor's id of the message, if it names one.
        event_id: The vendor's id of this report; it may change when the report is repeated.
        recipient: The address, if the report has it: personal data.
        at: When it happened by the vendor's clock; None if the report has no time.
        blame: For `BOUNCED` and `DEFERRED`, whose fault it is.
        code: The vendor's or the receiving server's code, such as `5.1.1` or `30005`.
        reason: The vendor's classification, without personal data or free text.
        scope: The sender or messaging service that an opt-out is limited to; empty for all.
    """

    event: ReceiptEvent
    word: str
    notification_id: UUID | None = None
    attempt_id: UUID | None = None
    provider_id: str = ""
    event_id: str = ""
    recipient: str = field(default="", repr=False)
    at: datetime | None = None
    blame: Blame | None = None
    code: str | None = None
    reason: str | None = None
    scope: str = ""


@dataclass(frozen=True, slots=True)
class Posted:
    """
    One HTTP request of a vendor, as it arrived.

    Attributes:
        query: The raw query string, without the question mark.
        headers: By name in lower case.
        body: Bounded in size, decompressed, otherwise unchanged: the signature covers these bytes.
    """

    query: str
    headers: Mapping[str, str]
    body: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Report:
    """
    The receipts of one verified request.

    Attributes:
        receipts: In the order in which the vendor lists them.
        unreadable: How many elements could not be read; the others count.
        ignored: How many elements report something that is not recorded, such as an open.
    """

    receipts: Sequence[DeliveryReceipt]
    unreadable: int = 0
    ignored: int = 0

    @classmethod
    def joined(cls, reports: Sequence[Report]) -> Report:
        """Return one report with the receipts of all, in order."""
        return cls(
            [receipt for each in reports for receipt in each.receipts],
            unreadable=sum(each.unreadable for each in reports),
            ignored=sum(each.ignored for each in reports),
        )


class Forged(NotifyError):
    """A request that the vendor did not sign, or signed with another key; the text has no data."""


class Unverified(NotifyError):
    """A request that cannot be verified or acted on now; the vendor must post it again."""


class Unreadable(NotifyError):
    """A verified request that is not in the vendor's format at all."""


class ReceiptReader(Protocol):
    """
    Verifies and reads the requests with which one vendor reports receipts.

    It is built once per process as ``factory(public_url=..., **options, **secrets)`` and called by
    many threads at once. `public_url` is the address to which the vendor posts, as the vendor knows
    it and without a query. It has no key that can send.
    """

    def verify(self, posted: Posted, /) -> None:
        """
        Check that the vendor made the request, on its raw bytes, before anything is parsed.

        Raises:
            Forged: It is unsigned, or no configured key verifies it.
            Unverified: The vendor's key cannot be fetched now.
        """
        ...

    def read(self, posted: Posted, /) -> Report:
        """
        Read a verified request. Unknown events and fields are ignored.

        Raises:
            Unreadable: It is not in the vendor's format.
            Unverified: What it asks for cannot be done now.
        """
        ...
