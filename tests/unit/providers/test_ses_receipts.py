"""The events of SES: the signature of SNS, what is fetched and confirmed, and what is read."""

from __future__ import annotations

import base64
import datetime
import json
from collections.abc import Iterator, Mapping
from typing import Any
from uuid import UUID

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from notify.errors import ConfigError
from notify.receipt import Blame, Forged, Posted, ReceiptEvent, Unreadable, Unverified
from providers.ses import SesReceipts
from providers.ses.sns import _SIGNED, PAUSE, signed_text
from tests.support.vendor import Vendor, hang_up, say

TOPIC = "arn:aws:sns:eu-central-1:123456789012:notify-events"
PATH = "/SimpleNotificationService-0123456789abcdef0123456789abcdef.pem"
URL = f"https://sns.eu-central-1.amazonaws.com{PATH}"
NOTIFY_ID = UUID("0193a5c0-0000-7000-8000-000000000001")
ATTEMPT_ID = UUID("0193a5c0-0000-7000-8000-000000000002")
NOW = 1_796_000_000.0
KEY = rsa.generate_private_key(65537, 2048)


def certificate(*, days: int = 1) -> bytes:
    """A certificate of the test's key, valid around NOW."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "sns.amazonaws.com")])
    start = datetime.datetime.fromtimestamp(NOW, datetime.UTC) - datetime.timedelta(days=1)
    signed = (
        x509.CertificateBuilder(name, name, KEY.public_key(), x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + datetime.timedelta(days=1 + days))
        .sign(KEY, hashes.SHA256())
    )
    return signed.public_bytes(Encoding.PEM)


CERTIFICATE = certificate()


def sns(message: object, **fields: str) -> Posted:
    """A message of SNS, signed after the fields are changed."""
    unsigned = {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": TOPIC,
        "Message": message if isinstance(message, str) else json.dumps(message),
        "Timestamp": "2026-11-30T03:00:00.000Z",
        "SignatureVersion": "2",
        "SigningCertURL": URL,
        **fields,
    }
    names = _SIGNED.get(unsigned["Type"], ())
    signature = KEY.sign(signed_text(unsigned, names), padding.PKCS1v15(), hashes.SHA256())
    signed = {"Signature": base64.b64encode(signature).decode(), **unsigned, **fields}
    return Posted("", {"content-type": "text/plain"}, json.dumps(signed).encode())


def confirmation(**fields: str) -> Posted:
    """The request to confirm a subscription."""
    address = "https://sns.eu-central-1.amazonaws.com/?Action=ConfirmSubscription&Token=abc"
    usual = {"Type": "SubscriptionConfirmation", "Token": "abc123", "SubscribeURL": address}
    return sns("You have chosen to subscribe", **{**usual, **fields})


@pytest.fixture
def aws() -> Iterator[Vendor]:
    """SNS, which serves its certificate."""
    with Vendor() as vendor:
        vendor.on(PATH, say(200, CERTIFICATE))
        yield vendor


def reader(aws: Vendor, **options: Any) -> SesReceipts:
    """A reader that reaches SNS at the vendor's address."""
    fixed: dict[str, Any] = {"topics": [TOPIC], "base_url": aws.url, "clock": lambda: NOW}
    return SesReceipts(public_url="", **{**fixed, **options})


def event(kind: str, *, tags: bool = True, word: str = "eventType", **part: Any) -> dict[str, Any]:
    """An event of a configuration set."""
    mail: dict[str, Any] = {
        "timestamp": "2026-11-30T02:59:00.000Z",
        "messageId": "0100-id-000000",
        "destination": ["ann@example.org"],
        "headers": [{"name": "Subject", "value": "canary"}],
    }
    if tags:
        mail["tags"] = {"notify_id": [str(NOTIFY_ID)], "attempt_id": [str(ATTEMPT_ID)]}
    names = {"DeliveryDelay": "deliveryDelay"}
    return {word: kind, "mail": mail, names.get(kind, kind.lower()): part}


def bounce(kind: str, subtype: str, **recipient: str) -> dict[str, Any]:
    """A bounce of one recipient."""
    recipients = [{"emailAddress": "ann@example.org", **recipient}]
    return event(
        "Bounce",
        bounceType=kind,
        bounceSubType=subtype,
        bouncedRecipients=recipients,
        feedbackId="feedback-1",
        timestamp="2026-11-30T03:00:00.000Z",
    )


def test_a_signed_bounce_names_our_ids(aws: Vendor) -> None:
    """The certificate is fetched once for all messages."""
    reads = reader(aws)
    posted = sns(bounce("Permanent", "General", status="5.1.1", diagnosticCode="smtp; 550 5.1.1 x"))
    for _ in range(3):
        reads.verify(posted)
    (receipt,) = reads.read(posted).receipts
    assert (receipt.event, receipt.blame) == (ReceiptEvent.BOUNCED, Blame.RECIPIENT)
    assert (receipt.notification_id, receipt.attempt_id) == (NOTIFY_ID, ATTEMPT_ID)
    assert (receipt.provider_id, receipt.event_id) == ("0100-id-000000", "feedback-1")
    assert (receipt.recipient, receipt.code) == ("ann@example.org", "5.1.1")
    assert receipt.at == datetime.datetime(2026, 11, 30, 3, tzinfo=datetime.UTC)
    assert (receipt.word, receipt.reason) == ("Bounce", "Permanent/General")
    assert [seen.path for seen in aws.seen] == [PATH]


@pytest.mark.parametrize(
    ("fields", "reason"),
    [
        ({"TopicArn": "arn:aws:sns:eu-central-1:999999999999:notify-events"}, "is not con"),
        ({"SignatureVersion": "1"}, "version 2"),
        ({"SigningCertURL": f"https://evil.example{PATH}"}, "address"),
        ({"SigningCertURL": f"https://sns.eu-central-1.amazonaws.com.evil.example{PATH}"}, "addr"),
        ({"SigningCertURL": f"https://sns.eu-central-1.amazonaws.com@evil.example{PATH}"}, "addr"),
        ({"SigningCertURL": f"https://sns.us-east-1.amazonaws.com{PATH}"}, "address"),
        ({"SigningCertURL": URL.replace("https", "http")}, "address"),
        ({"SigningCertURL": f"{URL}?x=1"}, "address"),
        ({"SigningCertURL": URL.replace("/Simple", "/../Simple")}, "address"),
        ({"Type": "Other"}, "field"),
    ],
)
def test_a_message_of_a_stranger_causes_no_request(
    aws: Vendor, fields: dict[str, str], reason: str
) -> None:
    """Whatever addresses it names, nothing is fetched from them."""
    with pytest.raises(Forged, match=reason):
        reader(aws).verify(sns({}, **fields))
    assert aws.seen == []


def test_a_changed_message_is_forged(aws: Vendor) -> None:
    """Each signed field is covered; an absent subject is not."""
    posted = sns(bounce("Permanent", "General"), Subject="Amazon SES")
    reads = reader(aws)
    reads.verify(posted)
    whole = json.loads(posted.body)
    for name in ("Message", "MessageId", "Subject", "Timestamp"):
        for changed in ({**whole, name: f"{whole[name]} "}, {**whole, name: None}):
            with pytest.raises(Forged):
                reads.verify(Posted("", {}, json.dumps(changed).encode()))
    for signature in ("", "!", "AAAA"):
        with pytest.raises(Forged):
            reads.verify(sns({}, Signature=signature))
    for body in (b"", b"[]", b"{", b"[" * 100_000, b"\xff"):
        with pytest.raises(Forged):
            reads.verify(Posted("", {}, body))


def test_an_expired_certificate_verifies_nothing(aws: Vendor) -> None:
    """Even one that AWS serves."""
    aws.on(PATH, say(200, certificate(days=0)))
    with pytest.raises(Forged, match="not valid now"):
        reader(aws, clock=lambda: NOW + 200_000).verify(sns({}))


@pytest.mark.parametrize("reply", [say(404), say(200, b"<html>"), hang_up])
def test_a_certificate_that_cannot_be_fetched_is_asked_for_later(aws: Vendor, reply: Any) -> None:
    """SNS must post again; further messages do not cause a request each."""
    now = [NOW]
    aws.on(PATH, reply)
    reads = reader(aws, clock=lambda: now[0])
    for _ in range(5):
        with pytest.raises(Unverified):
            reads.verify(sns({}))
    assert len(aws.seen) == 1
    aws.on(PATH, say(200, CERTIFICATE))
    now[0] += PAUSE
    reads.verify(sns({}))


def test_a_subscription_is_confirmed_at_our_own_address(aws: Vendor) -> None:
    """Never at the one in the message, though that is signed too."""
    posted = confirmation(SubscribeURL="https://evil.example/")
    reads = reader(aws)
    reads.verify(posted)
    wanted = "/?Action=ConfirmSubscription&TopicArn=arn%3Aaws%3Asns%3Aeu-central-1%3A123456789012"
    aws.default = say(200, b"<ConfirmSubscriptionResponse/>")
    assert (list(reads.read(posted).receipts), aws.seen[-1].method) == ([], "GET")
    assert aws.seen[-1].path == f"{wanted}%3Anotify-events&Token=abc123"


def test_a_subscription_that_is_not_confirmed_is_sent_again(aws: Vendor) -> None:
    """A refusal of SNS, or a token that could change the request."""
    changed = confirmation(Token="a&Action=DeleteTopic")
    for posted, status in ((confirmation(), 500), (changed, 200)):
        aws.default = say(status, b"<x/>")
        reads = reader(aws)
        reads.verify(posted)
        with pytest.raises(Unverified):
            reads.read(posted)


def test_a_subscription_is_left_to_operators_if_they_want_it(aws: Vendor) -> None:
    """And the end of one is never undone."""
    ended = confirmation(Type="UnsubscribeConfirmation")
    for posted, options in ((confirmation(), {"confirm": False}), (ended, {})):
        reads = reader(aws, **options)
        reads.verify(posted)
        assert reads.read(posted).ignored == 1
    assert {seen.path for seen in aws.seen} == {PATH}


@pytest.mark.parametrize(
    ("kind", "subtype", "recipient", "blame"),
    [
        ("Permanent", "General", {}, Blame.RECIPIENT),
        ("Permanent", "NoEmail", {}, Blame.RECIPIENT),
        ("Permanent", "OnAccountSuppressionList", {}, Blame.RECIPIENT),
        ("Permanent", "General", {"status": "5.7.1"}, Blame.SENDER),
        ("Permanent", "General", {"diagnosticCode": "smtp; 550 5.7.26 auth"}, Blame.SENDER),
        ("Transient", "General", {}, Blame.MOMENT),
        ("Transient", "MailboxFull", {"status": "5.2.2"}, Blame.MOMENT),
        ("Transient", "MessageTooLarge", {}, Blame.MESSAGE),
        ("Transient", "ContentRejected", {}, Blame.MESSAGE),
        ("Undetermined", "Undetermined", {}, Blame.MOMENT),
        ("Undetermined", "Undetermined", {"status": "5.1.1"}, Blame.RECIPIENT),
        ("New", "Kind", {"status": "5.1.1"}, Blame.MOMENT),
    ],
)
def test_a_bounce_has_its_blame(
    aws: Vendor, kind: str, subtype: str, recipient: dict[str, str], blame: Blame
) -> None:
    """Only the recipient's fault suppresses."""
    (receipt,) = reader(aws).read(sns(bounce(kind, subtype, **recipient))).receipts
    assert receipt.blame is blame


@pytest.mark.parametrize(
    ("read", "wanted"),
    [
        (event("Send"), ReceiptEvent.ACCEPTED),
        (event("Delivery", recipients=["ann@example.org"]), ReceiptEvent.DELIVERED),
        (event("DeliveryDelay", delayedRecipients=[{"emailAddress": "a@b"}]), "deferred"),
        (event("Complaint", complainedRecipients=[{"emailAddress": "a@b"}]), "complained"),
        (event("Reject", reason="Bad content"), ReceiptEvent.BOUNCED),
        (event("Rendering Failure"), ReceiptEvent.BOUNCED),
        (event("Subscription", newTopicPreferences={"unsubscribeAll": True}), "opted_out"),
        (event("Delivery", word="notificationType", recipients=["a@b"]), "delivered"),
        (event("Subscription", newTopicPreferences={"unsubscribeAll": False}), None),
        (event("Complaint", complaintFeedbackType="not-spam", complainedRecipients=["a"]), None),
        (event("Open"), None),
        (event("Click"), None),
        (event("Something New"), None),
    ],
)
def test_an_event_is_read(aws: Vendor, read: Mapping[str, Any], wanted: str | None) -> None:
    """Opens and clicks are not recorded: they say when a person reads."""
    report = reader(aws).read(sns(read))
    assert [each.event for each in report.receipts] == ([wanted] if wanted else [])
    assert report.ignored == (wanted is None)
    assert "canary" not in str(report)


@pytest.mark.parametrize(
    ("message", "unreadable"),
    [
        ("Successfully validated SNS topic for Amazon SES event publishing.", 0),
        ({}, 1),
        ({"eventType": "Bounce", "mail": None}, 1),
        ({"eventType": ["Bounce"], "mail": {}}, 1),
        ({"eventType": "Bounce", "mail": {"tags": 1}, "bounce": []}, 0),
        ({"eventType": "Send", "mail": {"tags": {"attempt_id": [{}]}, "destination": [{}]}}, 0),
    ],
)
def test_other_messages_break_nothing(aws: Vendor, message: object, unreadable: int) -> None:
    """AWS adds events and fields, and tests a new topic with a plain text."""
    assert reader(aws).read(sns(message)).unreadable == unreadable


@pytest.mark.parametrize("message", ["not JSON", "[]", "[" * 100_000])
def test_a_message_in_another_format_is_reported(aws: Vendor, message: str) -> None:
    """SNS posts it again; an update of the service may read it."""
    with pytest.raises(Unreadable):
        reader(aws).read(sns(message))


@pytest.mark.parametrize("topics", [[], "", "notify-events", ["arn:aws:sqs:eu-central-1:1:x"]])
def test_topics_are_checked_at_the_start(topics: Any) -> None:
    """An empty list would accept nothing."""
    with pytest.raises(ConfigError, match="topics"):
        SesReceipts(public_url="", topics=topics)
    assert [name for name, _ in SesReceipts.wrong_options({"topics": topics})] == ["topics"]
