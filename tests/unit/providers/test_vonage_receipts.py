"""Vonage's delivery receipts: the signature, and how each status and code is read."""

from __future__ import annotations

import hashlib
import hmac
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest

from notify.errors import ConfigError
from notify.receipt import Blame, DeliveryReceipt, Forged, Posted, ReceiptEvent, Report, Unreadable
from providers.vonage import VonageReceipts
from tests.support.tables import each_of

URL = "https://notify.example.com/receipts/vonage"
NOTIFY, ATTEMPT = UUID(int=1, version=4), UUID(int=2, version=4)
SECRET = "s3cret"
SIGNED_AT = 1795176001
READER = VonageReceipts(
    public_url=URL, signature_secrets=[SECRET, "second"], clock=lambda: SIGNED_AT + 5
)
RECEIPT = {
    "api-key": "abcd1234",
    "client-ref": f"{NOTIFY}/{ATTEMPT}",
    "err-code": "0",
    "message-timestamp": "2026-11-20 12:00:01",
    "messageId": "0A0000001234567B",
    "msisdn": "15005550009",
    "network-code": "12345",
    "nonce": "ec11dd3e-1e7f-4db5-9467-82b02cd223b9",
    "price": "0.03330000",
    "scts": "2611201200",
    "status": "delivered",
    "timestamp": str(SIGNED_AT),
    "to": "15005550006",
}


def signed(fields: dict[str, str], secret: str = SECRET, method: str = "sha256") -> dict[str, str]:
    """Return the fields with their signature, made from Vonage's description of it."""
    text = "".join(
        f"&{name}={fields[name].replace('&', '_').replace('=', '_')}" for name in sorted(fields)
    )
    digest = hmac.new(secret.encode(), text.encode(), getattr(hashlib, method))
    return {**fields, "sig": digest.hexdigest().upper()}


def posted(fields: dict[str, str], *, form: bool = False) -> Posted:
    """Return the request with these fields."""
    body = urlencode(fields) if form else json.dumps(fields)
    return Posted(query="", headers={}, body=body.encode())


def report(changed: dict[str, str], *, form: bool = False) -> Report:
    """Return the report of a receipt with other values."""
    request = posted(signed({**RECEIPT, **changed}), form=form)
    READER.verify(request)
    return READER.read(request)


def read(**changed: str) -> list[DeliveryReceipt]:
    """Return the receipts of one with other values."""
    return list(report(changed).receipts)


def refused(request: Posted, reader: VonageReceipts = READER) -> bool:
    """Whether a request is not verified."""
    try:
        reader.verify(request)
    except Forged:
        return True
    return False


@each_of(
    ("hours", "stamp", "accepted"),
    [
        (24, str(SIGNED_AT), True),
        (47, str(SIGNED_AT), True),
        (49, str(SIGNED_AT), False),
        (9999, "", True),
        (9999, "yesterday", True),
        (-1, str(SIGNED_AT), True),
    ],
)
def test_a_signature_is_valid_for_two_days(hours: int, stamp: str, accepted: bool) -> None:
    """Vonage posts again for a day; an older request is a copy."""
    reader = VonageReceipts(
        public_url=URL, signature_secrets=SECRET, clock=lambda: SIGNED_AT + 3600 * hours
    )
    request = posted(signed({**RECEIPT, "timestamp": stamp}))
    assert refused(request, reader) is not accepted


# --- the signature


def test_the_published_example_is_verified() -> None:
    """The text of the parameters, from Vonage's page on signing messages."""
    fields = {"akey": "value", "bkey": "value"}
    digest = hmac.new(SECRET.encode(), b"&akey=value&bkey=value", "sha256").hexdigest()
    assert not refused(posted({**fields, "sig": digest}))


@pytest.mark.parametrize("form", [False, True])
def test_a_changed_byte_anywhere_is_refused(form: bool) -> None:
    """In JSON and in a form; white space of JSON is not signed."""
    request = posted(signed(RECEIPT), form=form)
    assert not refused(request)
    for place in range(len(request.body)):
        body = bytearray(request.body)
        body[place] ^= 1
        assert refused(replace(request, body=bytes(body))), body[place - 5 : place + 5]


@each_of(
    "changed",
    [
        {"sig": ""},
        {"sig": "0" * 64},
        {"sig": "\u00e9"},
        {"extra": "1"},
        {"status&to": "x"},
        {"": "x"},
    ],
)
def test_another_parameter_or_signature_is_refused(changed: dict[str, str]) -> None:
    """Also one whose name could stand for several."""
    assert refused(posted({**signed(RECEIPT), **changed}))


def test_a_parameter_less_or_twice_is_refused() -> None:
    """Also if both have the same value."""
    fields = signed(RECEIPT)
    assert refused(posted({name: fields[name] for name in fields if name != "price"}))
    twice = json.dumps(fields)[:-1] + ', "status": "delivered"}'
    assert refused(Posted(query="", headers={}, body=twice.encode()))


def test_no_name_may_stand_for_two_parameters() -> None:
    """Names are signed as they are: `a=1&b` with 2 has the signature of `a` with 1, `b` with 2."""
    fields = signed({"a": "1", "b": "2"})
    assert not refused(posted(fields))
    assert refused(posted({"a=1&b": "2", "sig": fields["sig"]}))


def test_several_secrets_are_valid_at_once_and_one_method() -> None:
    """The secret is changed without a gap; a weaker method is not accepted beside."""
    for secret in (SECRET, "second"):
        assert not refused(posted(signed(RECEIPT, secret)))
        assert refused(posted(signed(RECEIPT, secret, "sha512")))
    assert refused(posted(signed(RECEIPT, "third")))
    reader = VonageReceipts(
        public_url=URL, signature_secrets=f"x, {SECRET}", method="sha512", clock=lambda: SIGNED_AT
    )
    assert not refused(posted(signed(RECEIPT, SECRET, "sha512")), reader)


@pytest.mark.parametrize(
    "options",
    [
        {"signature_secrets": ""},
        {"signature_secrets": SECRET, "method": "md5"},
        {"signature_secrets": SECRET, "method": "md5hash"},
    ],
)
def test_a_reader_that_could_verify_nothing_is_refused(options: dict[str, Any]) -> None:
    """MD5 is Vonage's default, and is not accepted."""
    with pytest.raises(ConfigError, match="vonage"):
        VonageReceipts(public_url=URL, **options)


# --- the receipts


def test_a_delivery_has_everything_that_it_is_matched_by() -> None:
    """Our ids, Vonage's id, the number with its plus, and the time."""
    for form in (False, True):
        (receipt,) = report({}, form=form).receipts
        assert receipt == DeliveryReceipt(
            event=ReceiptEvent.DELIVERED,
            word="delivered",
            notification_id=NOTIFY,
            attempt_id=ATTEMPT,
            provider_id="0A0000001234567B",
            recipient="+15005550009",
            at=datetime(2026, 11, 20, 12, 0, 1, tzinfo=UTC),
        )


@each_of(
    ("status", "event"),
    [
        ("accepted", ReceiptEvent.ACCEPTED),
        ("unknown", ReceiptEvent.ACCEPTED),
        ("buffered", ReceiptEvent.DEFERRED),
        ("delivered", ReceiptEvent.DELIVERED),
        ("expired", ReceiptEvent.BOUNCED),
        ("failed", ReceiptEvent.BOUNCED),
        ("rejected", ReceiptEvent.BOUNCED),
        ("undelivered", ReceiptEvent.BOUNCED),
    ],
)
def test_each_status_is_one_event(status: str, event: ReceiptEvent) -> None:
    """In Vonage's own word too."""
    (receipt,) = read(status=status)
    assert (receipt.event, receipt.word) == (event, status)


@each_of(
    ("code", "blame"),
    [
        ("1", Blame.MOMENT),
        ("2", Blame.MOMENT),
        ("3", Blame.RECIPIENT),
        ("4", Blame.RECIPIENT),
        ("5", Blame.MOMENT),
        ("6", Blame.SENDER),
        ("7", Blame.MOMENT),
        ("8", Blame.MOMENT),
        ("10", Blame.MESSAGE),
        ("11", Blame.MOMENT),
        ("12", Blame.MOMENT),
        ("13", Blame.MESSAGE),
        ("14", Blame.MOMENT),
        ("15", Blame.MOMENT),
        ("39", Blame.SENDER),
        ("50", Blame.SENDER),
        ("52", Blame.MESSAGE),
        ("99", Blame.MOMENT),
    ],
)
def test_each_code_blames_one_side(code: str, blame: Blame) -> None:
    """Only the recipient's own fault suppresses."""
    (receipt,) = read(status="failed", **{"err-code": code})
    assert (receipt.blame, receipt.code) == (blame, code)


@pytest.mark.parametrize("status", ["failed", "rejected"])
def test_error_9_is_an_opt_out_from_the_sender(status: str) -> None:
    """Although the request was accepted; the bounce itself blames no side."""
    bounced, opted_out = read(status=status, **{"err-code": "9"})
    assert (bounced.event, bounced.blame, bounced.code) == (ReceiptEvent.BOUNCED, None, "9")
    assert opted_out.event is ReceiptEvent.OPTED_OUT
    assert (opted_out.scope, opted_out.recipient) == ("15005550006", "+15005550009")


@each_of(
    ("words", "event"),
    [
        ("STOP", ReceiptEvent.OPTED_OUT),
        (" stop. ", ReceiptEvent.OPTED_OUT),
        ("Stop all", ReceiptEvent.OPTED_OUT),
        ("revoke", ReceiptEvent.OPTED_OUT),
        ("START", ReceiptEvent.OPTED_IN),
        ("Please stop by at noon", None),
        ("Yes", None),
        ("", None),
    ],
)
def test_a_reply_of_one_word_opts_out_or_in(words: str, event: ReceiptEvent | None) -> None:
    """Only a reply that is the word and nothing else."""
    fields = {
        "msisdn": "15005550009",
        "to": "15005550006",
        "messageId": "0B1",
        "text": words,
        "type": "text",
        "keyword": "CANARY",
        "message-timestamp": "2026-11-20 12:00:01",
    }
    request = posted(signed(fields))
    READER.verify(request)
    found = READER.read(request)
    if event is None:
        assert (list(found.receipts), found.ignored) == ([], 1)
        return
    (reply,) = found.receipts
    assert (reply.event, reply.recipient, reply.scope) == (event, "+15005550009", "15005550006")


def test_a_status_that_is_new_is_ignored() -> None:
    """A refusal would make Vonage repeat it for a day."""
    found = report({"status": "teleported"})
    assert (list(found.receipts), found.ignored) == ([], 1)


@pytest.mark.parametrize("ref", ["", "ours", f"{NOTIFY}", "/", "a/b/c"])
def test_another_reference_is_not_ours(ref: str) -> None:
    """Other programs may share the account."""
    (receipt,) = read(**{"client-ref": ref})
    assert receipt.attempt_id is None


@pytest.mark.parametrize("stamp", ["", "yesterday", "2026-13-20 12:00:01"])
def test_a_receipt_without_a_readable_time_has_none(stamp: str) -> None:
    """It counts as of its arrival."""
    (receipt,) = read(**{"message-timestamp": stamp})
    assert receipt.at is None


@each_of("body", [b"", b"{", b"{}", b"[1]", b"\xff", b'{"status": {"a": 1}}'])
def test_what_is_neither_is_refused(body: bytes) -> None:
    """By both steps, each in its own way."""
    request = Posted(query="", headers={}, body=body)
    assert refused(request)
    with pytest.raises(Unreadable):
        READER.read(request)
