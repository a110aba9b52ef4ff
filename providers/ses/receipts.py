"""The events of SES, as SNS posts them: of a configuration set, or of an identity."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from notify.errors import ConfigError
from notify.receipt import (
    Blame,
    DeliveryReceipt,
    Posted,
    ReceiptEvent,
    Report,
    Unreadable,
)
from providers._shared.options import wrong_addresses
from providers._shared.receipts import listed, text, uuid
from providers._shared.smtp_status import blame_of, enhanced_code
from providers.ses.sns import Fields, SnsTopics, read_fields

MOST_RECIPIENTS = 50
"""Recipients of one event that are read: a message of SES has at most so many."""

_CLASSIFICATION = re.compile(r"[A-Za-z-]{1,40}(/[A-Za-z-]{1,40})?")

Event = Mapping[str, Any]

# https://docs.aws.amazon.com/ses/latest/dg/notification-contents.html#bounce-types
_BY_SUBTYPE: Mapping[tuple[str, str], Blame] = {
    ("Permanent", "General"): Blame.RECIPIENT,
    ("Permanent", "NoEmail"): Blame.RECIPIENT,
    ("Permanent", "Suppressed"): Blame.RECIPIENT,
    ("Permanent", "OnAccountSuppressionList"): Blame.RECIPIENT,
    ("Transient", "MessageTooLarge"): Blame.MESSAGE,
    ("Transient", "ContentRejected"): Blame.MESSAGE,
    ("Transient", "AttachmentRejected"): Blame.MESSAGE,
}


class SesReceipts:
    """
    Verifies and reads the events of SES.

    Args:
        public_url: Its address; SNS does not sign it.
        topics: The ARNs of the topics that may post.
        confirm: Whether a subscription of these topics is confirmed by itself.
        base_url: The address of SNS, if it is not that of each topic's region.
        timeout: Seconds to fetch a certificate.
        clock: Seconds since 1970.

    Raises:
        ConfigError: A topic is not an ARN, or there is none.
    """

    def __init__(
        self,
        *,
        public_url: str,  # noqa: ARG002 - every reader has one
        topics: str | Sequence[str],
        confirm: bool = True,
        base_url: str | None = None,
        timeout: float = 2.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._topics = SnsTopics(listed(topics), base_url=base_url, timeout=timeout, clock=clock)
        self._confirm = confirm

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """Yield the options with which every request would be refused."""
        yield from wrong_addresses(options, "base_url")
        try:
            SesReceipts(public_url="", topics=options.get("topics", ()))
        except (ConfigError, TypeError):
            yield "topics", "must list ARNs such as arn:aws:sns:eu-central-1:123456789012:notify"

    def verify(self, posted: Posted, /) -> None:
        """Check the topic first, then the signature of SNS."""
        self._topics.verified(posted.body)

    def read(self, posted: Posted, /) -> Report:
        """Read one message of SNS; confirm a subscription."""
        fields = read_fields(posted.body)
        if fields.get("Type") == "SubscriptionConfirmation" and self._confirm:
            self._topics.confirm(fields)
        if fields.get("Type") != "Notification":
            return Report([], ignored=1)
        event = _event(fields)
        if event is None:
            return Report([], ignored=1)
        word = event.get("eventType") or event.get("notificationType")
        if not isinstance(word, str) or not isinstance(event.get("mail"), dict):
            return Report([], unreadable=1)
        reading = _READINGS.get(word)
        receipts = [*reading(event)] if reading else []
        return Report(receipts, ignored=not receipts)


def _event(fields: Fields) -> Event | None:
    """Return the event in a message; None for the text with which SES tests a new topic."""
    message = fields["Message"]
    if message.startswith("Successfully validated SNS topic"):
        return None
    try:
        event = json.loads(message)
    except (ValueError, RecursionError):
        raise Unreadable("ses: the message is not JSON") from None
    if not isinstance(event, dict):
        raise Unreadable("ses: the message is not an object")
    return event


def _receipt(
    event: Event, kind: ReceiptEvent, part: Mapping[str, Any], *, recipient: str, **others: Any
) -> DeliveryReceipt:
    mail = event["mail"]
    return DeliveryReceipt(
        event=kind,
        word=text(event.get("eventType") or event.get("notificationType")),
        notification_id=uuid(_tag(mail, "notify_id")),
        attempt_id=uuid(_tag(mail, "attempt_id")),
        provider_id=text(mail.get("messageId")),
        event_id=text(part.get("feedbackId")),
        recipient=recipient,
        at=_time(part.get("timestamp")) or _time(mail.get("timestamp")),
        **others,
    )


def _tag(mail: Mapping[str, Any], name: str) -> object:
    """Return a tag of the message; only events of a configuration set have tags."""
    tags = mail.get("tags")
    values = tags.get(name) if isinstance(tags, dict) else None
    return values[0] if isinstance(values, list) and values else None


def _time(value: object) -> datetime | None:
    if not isinstance(value, str) or len(value) > len("2026-11-30T00:00:00.000000+00:00"):
        return None
    try:
        at = datetime.fromisoformat(value)
    except ValueError:
        return None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _part(event: Event, name: str) -> Mapping[str, Any]:
    part = event.get(name)
    return part if isinstance(part, dict) else {}


def _recipients(part: Mapping[str, Any], name: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yield each recipient of a part: an address, or an object with one."""
    values = part.get(name)
    for each in values[:MOST_RECIPIENTS] if isinstance(values, list) else ():
        if isinstance(each, dict):
            yield text(each.get("emailAddress")), each
        elif isinstance(each, str):
            yield text(each), {}


def _bounce(event: Event) -> Iterator[DeliveryReceipt]:
    part = _part(event, "bounce")
    kind, subtype = text(part.get("bounceType")), text(part.get("bounceSubType"))
    for address, recipient in _recipients(part, "bouncedRecipients"):
        code = enhanced_code(text(recipient.get("diagnosticCode")), text(recipient.get("status")))
        yield _receipt(
            event,
            ReceiptEvent.BOUNCED,
            part,
            recipient=address,
            blame=_blame(kind, subtype, code),
            code=code,
            reason=_word(f"{kind}/{subtype}"),
        )


def _blame(kind: str, subtype: str, code: str | None) -> Blame:
    of_code = blame_of(code)
    if of_code is Blame.SENDER:
        # SES calls a refusal by policy permanent too; the address is good.
        return of_code
    return _BY_SUBTYPE.get((kind, subtype), of_code if kind == "Undetermined" else Blame.MOMENT)


def _complaint(event: Event) -> Iterator[DeliveryReceipt]:
    part = _part(event, "complaint")
    feedback = text(part.get("complaintFeedbackType"))
    if feedback == "not-spam":
        return
    for address, _ in _recipients(part, "complainedRecipients"):
        reason = _word(feedback or text(part.get("complaintSubType")))
        yield _receipt(event, ReceiptEvent.COMPLAINED, part, recipient=address, reason=reason)


def _delayed(event: Event) -> Iterator[DeliveryReceipt]:
    part = _part(event, "deliveryDelay")
    for address, recipient in _recipients(part, "delayedRecipients"):
        code = enhanced_code(text(recipient.get("diagnosticCode")), text(recipient.get("status")))
        yield _receipt(
            event,
            ReceiptEvent.DEFERRED,
            part,
            recipient=address,
            blame=Blame.MOMENT,
            code=code,
            reason=_word(text(part.get("delayType"))),
        )


def _delivered(event: Event) -> Iterator[DeliveryReceipt]:
    part = _part(event, "delivery")
    for address, _ in _recipients(part, "recipients"):
        yield _receipt(event, ReceiptEvent.DELIVERED, part, recipient=address)


def _of_all(
    kind: ReceiptEvent, name: str, **others: Any
) -> Callable[[Event], Iterator[DeliveryReceipt]]:
    """Return what reads an event about all recipients of the message."""

    def read(event: Event) -> Iterator[DeliveryReceipt]:
        for address, _ in _recipients(event["mail"], "destination"):
            yield _receipt(event, kind, _part(event, name), recipient=address, **others)

    return read


def _subscription(event: Event) -> Iterator[DeliveryReceipt]:
    part = _part(event, "subscription")
    chosen = part.get("newTopicPreferences")
    if isinstance(chosen, dict) and chosen.get("unsubscribeAll") is True:
        yield from _of_all(ReceiptEvent.OPTED_OUT, "subscription")(event)


def _word(value: str) -> str | None:
    """Return a classification; None if it is a text that may have personal data."""
    return value if _CLASSIFICATION.fullmatch(value) else None


_READINGS: Mapping[str, Callable[[Event], Iterator[DeliveryReceipt]]] = {
    "Bounce": _bounce,
    "Complaint": _complaint,
    "Delivery": _delivered,
    "DeliveryDelay": _delayed,
    "Send": _of_all(ReceiptEvent.ACCEPTED, "send"),
    # A virus, or a template: the message is not sent.
    "Reject": _of_all(ReceiptEvent.BOUNCED, "reject", blame=Blame.MESSAGE),
    "Rendering Failure": _of_all(ReceiptEvent.BOUNCED, "failure", blame=Blame.MESSAGE),
    "Subscription": _subscription,
}
