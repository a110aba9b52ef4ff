"""The message in which the web intake passes a receipt to the receipt workers, over AMQP."""

from __future__ import annotations

from datetime import datetime
from typing import Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from notify.contract.problem import Problem, RequestInvalid
from notify.receipt import Blame, DeliveryReceipt, ReceiptEvent

LONGEST = 255
"""Characters of the longest text of a receipt; the intake cuts what is longer."""


class ReceiptMessage(BaseModel):
    """One receipt as JSON. The queue holds recipients in clear, as the work queues do."""

    model_config = ConfigDict(frozen=True, extra="ignore", hide_input_in_errors=True)

    v: Literal[1] = 1
    provider: str = Field(min_length=1, max_length=64)
    received_at: datetime
    event: ReceiptEvent
    word: str = Field(max_length=LONGEST)
    notification_id: UUID | None = None
    attempt_id: UUID | None = None
    provider_id: str = Field("", max_length=LONGEST)
    event_id: str = Field("", max_length=LONGEST)
    recipient: str = Field("", max_length=4096, repr=False)
    at: datetime | None = None
    blame: Blame | None = None
    code: str | None = Field(None, max_length=64)
    reason: str | None = Field(None, max_length=LONGEST)
    scope: str = Field("", max_length=64)

    @classmethod
    def of(
        cls, receipt: DeliveryReceipt, *, provider: str, received_at: datetime
    ) -> ReceiptMessage:
        """Return the message of a receipt; texts that are too long are cut."""
        return cls(
            provider=provider,
            received_at=received_at,
            event=receipt.event,
            word=receipt.word[:LONGEST],
            notification_id=receipt.notification_id,
            attempt_id=receipt.attempt_id,
            provider_id=receipt.provider_id[:LONGEST],
            event_id=receipt.event_id[:LONGEST],
            recipient=receipt.recipient[:4096],
            at=receipt.at,
            blame=receipt.blame,
            code=receipt.code and receipt.code[:64],
            reason=receipt.reason and receipt.reason[:LONGEST],
            scope=receipt.scope[:64],
        )

    @property
    def routing_key(self) -> str:
        """The key it is published with: `<provider>.<event>`."""
        return f"{self.provider}.{self.event}"

    def receipt(self) -> DeliveryReceipt:
        """Return the receipt."""
        fields = self.model_dump(exclude={"v", "provider", "received_at"})
        return DeliveryReceipt(**fields)


def read_receipt(body: bytes) -> ReceiptMessage:
    """
    Return the receipt in the body of an AMQP message.

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
