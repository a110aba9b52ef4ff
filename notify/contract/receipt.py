"""The message in which the web intake passes receipts to the receipt workers, over AMQP."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError

from notify.contract.problem import Problem, RequestInvalid
from notify.receipt import Blame, DeliveryReceipt, ReceiptEvent

LONGEST = 255
"""Characters of the longest text of a receipt; the intake cuts what is longer."""
MOST_RECEIPTS = 250
"""Receipts in one message; more become several messages."""

_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


def _in_utc(value: datetime) -> datetime:
    try:
        return value.astimezone(UTC)
    except OverflowError:
        raise ValueError("no such time in the calendar") from None


# A time without a zone cannot be compared or stored, nor one that is year 0 or 10000 in UTC.
_Time = Annotated[AwareDatetime, AfterValidator(_in_utc)]


class ReceiptEntry(BaseModel):
    """One receipt of a message; each field as in `DeliveryReceipt`."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    word: str = Field(max_length=LONGEST)
    notification_id: UUID | None = None
    attempt_id: UUID | None = None
    provider_id: str = Field("", max_length=LONGEST)
    event_id: str = Field("", max_length=LONGEST)
    recipient: str = Field("", max_length=4096, repr=False)
    at: _Time | None = None
    blame: Blame | None = None
    code: str | None = Field(None, max_length=64)
    reason: str | None = Field(None, max_length=LONGEST)
    scope: str = Field("", max_length=64)

    @classmethod
    def of(cls, receipt: DeliveryReceipt) -> ReceiptEntry:
        """Return the entry of a receipt, without the parts of its values that cannot be stored."""
        return cls(
            word=_stored(receipt.word),
            notification_id=receipt.notification_id,
            attempt_id=receipt.attempt_id,
            provider_id=_stored(receipt.provider_id),
            event_id=_stored(receipt.event_id),
            recipient=_stored(receipt.recipient, 4096),
            at=_storable_time(receipt.at),
            blame=receipt.blame,
            code=receipt.code and _stored(receipt.code, 64),
            reason=receipt.reason and _stored(receipt.reason),
            scope=_stored(receipt.scope, 64),
        )


def _storable_time(at: datetime | None) -> datetime | None:
    """Return a reader's time; None without a zone, or if it is not in the calendar of UTC."""
    try:
        return None if at is None or at.tzinfo is None else _in_utc(at)
    except ValueError:
        return None


def _stored(text: str, most: int = LONGEST) -> str:
    """Return the beginning of a text, without NUL and half characters: no database stores them."""
    return _UNSTORABLE.sub("\ufffd", text[:most])


class ReceiptMessage(BaseModel):
    """
    Receipts of one event and one vendor, of one request or of several, as JSON.

    A vendor posts up to 1,000 events at once, and one confirm for each would be too slow. The queue
    holds recipients in clear, as the work queues do.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    v: Literal[1] = 1
    provider: str = Field(min_length=1, max_length=64)
    received_at: _Time
    event: ReceiptEvent
    receipts: list[ReceiptEntry] = Field(min_length=1, max_length=MOST_RECEIPTS)

    @classmethod
    def split(
        cls, receipts: Iterable[DeliveryReceipt], *, provider: str, received_at: datetime
    ) -> Iterator[ReceiptMessage]:
        """Yield the messages of receipts, by event and in their order."""
        by_event: dict[ReceiptEvent, list[ReceiptEntry]] = {}
        for receipt in receipts:
            by_event.setdefault(receipt.event, []).append(ReceiptEntry.of(receipt))
        for event, entries in by_event.items():
            for first in range(0, len(entries), MOST_RECEIPTS):
                yield cls(
                    provider=provider,
                    received_at=received_at,
                    event=event,
                    receipts=entries[first : first + MOST_RECEIPTS],
                )

    @property
    def routing_key(self) -> str:
        """The key it is published with: `<provider>.<event>`."""
        return f"{self.provider}.{self.event}"

    def delivery_receipts(self) -> list[DeliveryReceipt]:
        """Return the receipts, in order."""
        return [DeliveryReceipt(event=self.event, **dict(entry)) for entry in self.receipts]


def read_receipts(body: bytes) -> ReceiptMessage:
    """
    Return the receipts in the body of an AMQP message.

    Raises:
        RequestInvalid: It is not one; the text names the field, never a value.
    """
    try:
        return ReceiptMessage.model_validate_json(body)
    except ValidationError as error:
        problems = [
            Problem.at(each["loc"], "is not what a receipt has there", "see docs/receipts.md")
            for each in error.errors(include_url=False, include_context=False, include_input=False)
        ]
        raise RequestInvalid(problems) from None
