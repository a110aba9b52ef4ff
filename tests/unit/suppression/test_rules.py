"""Which receipts suppress, over the vendors' own events and codes, as their readers return them."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from notify.message import Channel
from notify.receipt import Blame, DeliveryReceipt, Posted, ReceiptEvent
from notify.suppression import ALL, Lift, Suppression, SuppressionReason, consequence, sender_scope
from providers.sendgrid.receipts import SendGridReceipts
from providers.twilio.receipts import TwilioReceipts
from tests.support.tables import each_of

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
AT = NOW - timedelta(hours=1)
NOTHING: set[tuple[str, str]] = set()
BOUNCE = {("bounce", ALL)}
OUT = {("opt_out", ALL)}


def followed(*receipts: DeliveryReceipt, channel: Channel) -> set[tuple[str, str]]:
    """Return the consequences of receipts: each reason and scope; a lift is one too."""
    found = [consequence(each, channel=channel, provider="it", now=NOW) for each in receipts]
    return {
        ("lift" if isinstance(each, Lift) else each.reason.value, each.scope)
        for each in found
        if each is not None
    }


@each_of(
    ("event", "expected"),
    [
        ({"event": "bounce", "type": "bounce", "status": "5.1.1"}, BOUNCE),
        ({"event": "bounce", "bounce_classification": "Invalid Address"}, BOUNCE),
        ({"event": "bounce", "type": "blocked", "status": "5.1.1"}, NOTHING),
        ({"event": "bounce", "type": "blocked", "reason": "550 5.7.1 policy"}, NOTHING),
        ({"event": "bounce", "type": "bounce", "status": "5.7.26"}, NOTHING),
        ({"event": "bounce", "type": "bounce", "status": "5.7.515"}, NOTHING),
        ({"event": "bounce", "bounce_classification": "Content"}, NOTHING),
        ({"event": "bounce", "bounce_classification": "Reputation"}, NOTHING),
        ({"event": "bounce", "bounce_classification": "Technical"}, NOTHING),
        ({"event": "bounce", "bounce_classification": "Mailbox Unavailable"}, NOTHING),
        ({"event": "deferred", "response": "450 4.1.1 try later"}, NOTHING),
        ({"event": "processed"}, NOTHING),
        ({"event": "delivered"}, NOTHING),
        ({"event": "spamreport"}, {("complaint", ALL)}),
        ({"event": "unsubscribe"}, OUT),
        ({"event": "group_unsubscribe", "asm_group_id": 7}, {("opt_out", "sender:group-7")}),
        ({"event": "group_resubscribe", "asm_group_id": 7}, {("lift", "sender:group-7")}),
        ({"event": "account_status_change", "type": "suspended"}, NOTHING),
        ({"event": "open"}, NOTHING),
    ],
)
def test_sendgrids_events(event: dict[str, Any], expected: set[tuple[str, str]]) -> None:
    """Faults of the sender alarm, and never suppress."""
    body = json.dumps([{"email": "ann@example.com", "timestamp": int(AT.timestamp()), **event}])
    reader = SendGridReceipts.__new__(SendGridReceipts)
    report = reader.read(Posted("", {}, body.encode()))
    assert followed(*report.receipts, channel=Channel.EMAIL) == expected


TWILIO_CODES = {
    21610: {("opt_out", "sender:+15005550006")},
    30005: BOUNCE,
    30006: BOUNCE,
}


@each_of("code", [*TWILIO_CODES, *range(30001, 30045), 30410, 30610, 21211, 21408, 21612, 63016])
def test_twilios_codes(code: int) -> None:
    """All but three codes are about the sender, the message or the moment."""
    form = {
        "MessageSid": "SM1",
        "MessageStatus": "undelivered",
        "ErrorCode": str(code),
        "To": "+4915112345678",
        "From": "+15005550006",
    }
    reader = TwilioReceipts(public_url="https://x.example", auth_tokens="t")
    report = reader.read(Posted("", {}, urlencode(form).encode()))
    found = followed(*report.receipts, channel=Channel.SMS) - (
        {*BOUNCE} if code == 21610 else set()
    )
    assert found == TWILIO_CODES.get(code, NOTHING)


@pytest.mark.parametrize(
    ("word", "expected"), [("STOP", "opt_out"), ("START", "lift"), ("HELP", None)]
)
def test_twilios_replies(word: str, expected: str | None) -> None:
    """They are about the messaging service that the recipient replied to."""
    form = {
        "MessageSid": "SM1",
        "OptOutType": word,
        "From": "+4915112345678",
        "To": "+15005550006",
        "MessagingServiceSid": "MG1",
    }
    reader = TwilioReceipts(public_url="https://x.example", auth_tokens="t")
    report = reader.read(Posted("", {}, urlencode(form).encode()))
    found = followed(*report.receipts, channel=Channel.SMS)
    assert found == ({(expected, sender_scope("MG1"))} if expected else NOTHING)


@each_of("event", ReceiptEvent)
@each_of("blame", [None, *Blame])
@each_of("code", [None, "5.1.1", "5.7.1", "4.2.2", "30005"])
def test_only_a_recipients_fault_a_complaint_or_an_opt_out_suppresses(
    event: ReceiptEvent, blame: Blame | None, code: str | None
) -> None:
    """Over all combinations; a code of the sender's fault wins over a wrong blame."""
    receipt = DeliveryReceipt(event, "w", recipient="ann@example.com", blame=blame, code=code)
    found = consequence(receipt, channel=Channel.EMAIL, provider="it", now=NOW)
    gone = event is ReceiptEvent.BOUNCED and blame is Blame.RECIPIENT
    bounced = gone and code not in ("5.7.1", "4.2.2")
    asked = event in (ReceiptEvent.COMPLAINED, ReceiptEvent.OPTED_OUT)
    assert isinstance(found, Suppression) is (bounced or asked)
    assert isinstance(found, Lift) is (event is ReceiptEvent.OPTED_IN)


def test_a_bounce_ends_and_a_complaint_does_not() -> None:
    """From the vendor's time, in the days of the configuration."""

    def of(event: ReceiptEvent, **others: Any) -> Suppression:
        receipt = DeliveryReceipt(event, "w", recipient="ann@example.com", at=AT, **others)
        found = consequence(
            receipt,
            channel=Channel.EMAIL,
            provider="it",
            now=NOW,
            bounce_lasts=timedelta(days=30),
        )
        assert isinstance(found, Suppression)
        return found

    bounce = of(ReceiptEvent.BOUNCED, blame=Blame.RECIPIENT, code="5.1.1")
    assert (bounce.until, bounce.binds) == (AT + timedelta(days=30), False)
    assert bounce.evidence == "it w 5.1.1"
    for event in (ReceiptEvent.COMPLAINED, ReceiptEvent.OPTED_OUT):
        assert (of(event).until, of(event).binds) == (None, True)


def test_a_row_of_a_notification_stands_in_for_the_address() -> None:
    """The receipt has none; without both nothing can be suppressed."""
    receipt = DeliveryReceipt(ReceiptEvent.COMPLAINED, "spamreport")
    known: dict[str, Any] = {"channel": Channel.EMAIL, "provider": "it", "now": NOW}
    assert consequence(receipt, **known) is None
    found = consequence(receipt, recipient_hash=b"h" * 16, **known)
    assert isinstance(found, Suppression)
    assert (found.recipient_hash, found.reason) == (b"h" * 16, SuppressionReason.COMPLAINT)
