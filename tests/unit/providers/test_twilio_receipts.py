"""Twilio's status callback: what is refused, and how each status and code is read."""

from __future__ import annotations

import base64
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qsl, urlencode
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import RequestValidator

from notify.errors import ConfigError
from notify.receipt import Blame, DeliveryReceipt, Forged, Posted, ReceiptEvent, Report, Unreadable
from providers.twilio import TwilioReceipts
from tests.support.signing import twilio_posted
from tests.support.tables import each_of

URL = "https://notify.example.com/receipts/twilio"
NOTIFY, ATTEMPT = UUID(int=1, version=4), UUID(int=2, version=4)
QUERY = f"notify_id={NOTIFY}&attempt_id={ATTEMPT}"
TOKEN = "t0ken"
READER = TwilioReceipts(public_url=URL, auth_tokens=[TOKEN, "second"], signing_keys=["k3y", "k4y"])
FORM = {
    "MessageSid": "SM1",
    "MessageStatus": "delivered",
    "To": "+15005550009",
    "From": "+15005550006",
    "AccountSid": "AC1",
    "ApiVersion": "2010-04-01",
}


def _posted(query: str = QUERY, **fields: str) -> Posted:
    return twilio_posted(URL, {**FORM, **fields}, TOKEN, query=query)


def _read(**fields: str) -> list[DeliveryReceipt]:
    return list(_report(**fields).receipts)


def _report(**fields: str) -> Report:
    posted = _posted(**fields)
    READER.verify(posted)
    return READER.read(posted)


def _refused(posted: Posted, reader: TwilioReceipts = READER) -> bool:
    try:
        reader.verify(posted)
    except Forged:
        return True
    return False


# --- the signature

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(
    fields=st.dictionaries(TEXTS.filter(bool), TEXTS, max_size=8),
    query=st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(urlencode),
    secret=st.sampled_from([TOKEN, "second", "third"]),
    port=st.sampled_from(["", ":443", ":8443"]),
)
def test_the_vendors_validator_agrees(
    fields: dict[str, str], query: str, secret: str, port: str
) -> None:
    """Whatever the fields, the query, the port and the secret are."""
    url = f"https://Notify.example.com{port}/receipts/twilio"
    reader = TwilioReceipts(public_url=url, auth_tokens=[TOKEN, "second"])
    posted = twilio_posted(url, fields, secret, query=query)
    whole = f"{url}?{query}" if query else url
    signature = posted.headers["x-twilio-signature"]
    theirs = any(
        RequestValidator(each).validate(whole, fields, signature) for each in (TOKEN, "second")
    )
    assert _refused(posted, reader) != theirs == (secret != "third")


@pytest.mark.parametrize("key", ["", "webhooks_sharedkey_1"])
def test_a_flipped_bit_anywhere_is_refused(key: str) -> None:
    """In the form, the query and the signature, with either hash."""
    posted = twilio_posted(URL, FORM, "k4y" if key else TOKEN, query=QUERY, key=key)
    READER.verify(posted)
    signed = dict(parse_qsl(posted.body.decode()))
    for place in range(len(posted.body)):
        body = bytearray(posted.body)
        body[place] ^= 1
        if dict(parse_qsl(body.decode())) != signed:
            assert _refused(replace(posted, body=bytes(body)))
    for place in range(len(QUERY)):
        query = bytearray(QUERY.encode())
        query[place] ^= 1
        assert _refused(replace(posted, query=query.decode()))
    signature = base64.b64decode(posted.headers["x-twilio-signature"])
    for bit in range(8 * len(signature)):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        headers = {**posted.headers, "x-twilio-signature": base64.b64encode(flipped).decode()}
        assert _refused(replace(posted, headers=headers))


def test_the_public_address_is_signed_and_not_the_one_that_a_proxy_uses() -> None:
    """A request for another account's or environment's address is refused."""
    for url in (
        "https://other.example.com/receipts/twilio",
        "http://127.0.0.1:8480/receipts/twilio",
    ):
        assert _refused(twilio_posted(url, FORM, TOKEN, query=QUERY))


def test_a_field_more_or_less_is_refused() -> None:
    """Also one that is empty, or twice."""
    posted = _posted()
    for body in (posted.body + b"&x=1", posted.body + b"&x=", posted.body.partition(b"&")[2]):
        assert _refused(replace(posted, body=body))


def test_several_tokens_and_keys_are_valid_at_once() -> None:
    """The auth token is changed without a gap; a shared key's header selects the shared keys."""
    for secret in (TOKEN, "second"):
        assert not _refused(twilio_posted(URL, FORM, secret))
        assert _refused(twilio_posted(URL, FORM, secret, key="k"))
    for secret in ("k3y", "k4y"):
        assert not _refused(twilio_posted(URL, FORM, secret, key="k"))
        assert _refused(twilio_posted(URL, FORM, secret))
    reader = TwilioReceipts(public_url=URL, auth_tokens=f" {TOKEN},\nsecond ")
    assert not _refused(twilio_posted(URL, FORM, "second"), reader)


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-twilio-signature": ""},
        {"x-twilio-signature": "AAAA"},
        {"x-twilio-signature": "\u20ac"},
        {"x-twilio-webhooks-signature-settings": "key=k,algorithm=HMAC_SHA256"},
    ],
)
def test_a_request_without_a_signature_is_refused(headers: dict[str, str]) -> None:
    """Absent or not a signature at all."""
    assert _refused(replace(_posted(), headers=headers))


@pytest.mark.parametrize(
    "settings", ["key=k,algorithm=HMAC_MD5", "algorithm=NONE", "algorithm=md5"]
)
def test_an_unknown_algorithm_is_refused(settings: str) -> None:
    """Nothing weaker may be chosen by the request."""
    posted = twilio_posted(URL, FORM, "k3y", key="k")
    headers = {**posted.headers, "x-twilio-webhooks-signature-settings": settings}
    assert _refused(replace(posted, headers=headers))


def test_a_body_that_is_not_a_form_is_refused() -> None:
    """Before a signature is computed."""
    for body in (b"\xff\xfe", b"a=1&" * 10_000):
        assert _refused(replace(_posted(), body=body))


def test_a_reader_needs_a_secret() -> None:
    """Without one every request would be refused."""
    with pytest.raises(ConfigError):
        TwilioReceipts(public_url=URL)
    with pytest.raises(ConfigError):
        TwilioReceipts(public_url=URL, auth_tokens=" , ")


# --- statuses and codes


def test_every_field_of_a_callback_is_read() -> None:
    """Our ids come back in the query of the address; Twilio reports no time."""
    assert _read() == [
        DeliveryReceipt(
            event=ReceiptEvent.DELIVERED,
            word="delivered",
            notification_id=NOTIFY,
            attempt_id=ATTEMPT,
            provider_id="SM1",
            recipient="+15005550009",
        )
    ]


@each_of(
    ("status", "event"),
    [
        ("accepted", ReceiptEvent.ACCEPTED),
        ("scheduled", ReceiptEvent.ACCEPTED),
        ("queued", ReceiptEvent.ACCEPTED),
        ("sending", ReceiptEvent.ACCEPTED),
        ("sent", ReceiptEvent.ACCEPTED),
        ("partially_delivered", ReceiptEvent.ACCEPTED),
        ("delivered", ReceiptEvent.DELIVERED),
        ("read", ReceiptEvent.DELIVERED),
        ("undelivered", ReceiptEvent.BOUNCED),
        ("failed", ReceiptEvent.BOUNCED),
        ("canceled", ReceiptEvent.BOUNCED),
    ],
)
def test_each_status_has_its_event(status: str, event: ReceiptEvent) -> None:
    """The vendor's word stays beside ours."""
    (receipt,) = _read(MessageStatus=status)
    assert (receipt.event, receipt.word) == (event, status)


@pytest.mark.parametrize("status", ["receiving", "received", "new"])
def test_other_statuses_are_ignored(status: str) -> None:
    """Those of incoming messages, and new ones."""
    assert _report(MessageStatus=status) == Report((), ignored=1)


@each_of(
    ("code", "blame"),
    [
        ("30005", Blame.RECIPIENT),
        ("30006", Blame.RECIPIENT),
        ("30007", Blame.SENDER),
        ("30034", Blame.SENDER),
        ("30023", Blame.SENDER),
        ("63038", Blame.SENDER),
        ("30019", Blame.MESSAGE),
        ("21614", Blame.MESSAGE),
        ("30001", Blame.MOMENT),
        ("30003", Blame.MOMENT),
        ("30004", Blame.MOMENT),
        ("30008", Blame.MOMENT),
        ("30036", Blame.MOMENT),
        ("30610", Blame.MOMENT),
        ("99999", Blame.MOMENT),
        ("", Blame.MOMENT),
        ("1e3", Blame.MOMENT),
    ],
)
def test_each_code_blames_by_the_rules(code: str, blame: Blame) -> None:
    """Only an unknown number and a landline blame the recipient."""
    (receipt,) = _read(MessageStatus="undelivered", ErrorCode=code, ErrorMessage="to +15005550009")
    wanted = code if code.isdecimal() else None
    assert (receipt.event, receipt.blame, receipt.code, receipt.reason) == (
        ReceiptEvent.BOUNCED,
        blame,
        wanted,
        None,
    )


@pytest.mark.parametrize(
    ("fields", "scope"), [({}, "+15005550006"), ({"MessagingServiceSid": "MG1"}, "MG1")]
)
def test_an_opt_out_is_limited_to_its_sender(fields: dict[str, str], scope: str) -> None:
    """The message bounced without a fault, and the recipient opted out of this sender."""
    bounced, out = _read(MessageStatus="failed", ErrorCode="21610", **fields)
    assert (bounced.event, bounced.blame, bounced.code) == (ReceiptEvent.BOUNCED, None, "21610")
    assert (out.event, out.scope, out.recipient) == (
        ReceiptEvent.OPTED_OUT,
        scope,
        "+15005550009",
    )


def test_a_suspended_account_is_reported_beside_the_message() -> None:
    """It is about all messages."""
    bounced, account = _read(MessageStatus="undelivered", ErrorCode="30002")
    assert (bounced.event, bounced.blame) == (ReceiptEvent.BOUNCED, Blame.SENDER)
    assert (account.event, account.code) == (ReceiptEvent.ACCOUNT, "30002")


@pytest.mark.parametrize(
    ("word", "event"), [("STOP", ReceiptEvent.OPTED_OUT), ("START", ReceiptEvent.OPTED_IN)]
)
def test_a_reply_opts_out_or_in(word: str, event: ReceiptEvent) -> None:
    """The recipient is the sender of the reply; its text is not read."""
    (receipt,) = _read(OptOutType=word, Body="stop it", SmsStatus="received", MessageStatus="")
    assert (receipt.event, receipt.word, receipt.scope) == (event, word, "+15005550009")
    assert (receipt.recipient, receipt.event_id, receipt.provider_id) == ("+15005550006", "SM1", "")


def test_a_reply_for_help_is_ignored() -> None:
    """It changes nothing."""
    assert _report(OptOutType="HELP") == Report((), ignored=1)


@pytest.mark.parametrize(
    "query",
    ["", "attempt_id=x", f"attempt_id={ATTEMPT}&x=1", f"site=a&notify_id={NOTIFY}", "%ff=&&&"],
)
def test_ids_of_another_form_are_left_out(query: str) -> None:
    """The callback may have an operator's own query, or be another environment's."""
    (receipt,) = _read(query=query)
    assert receipt.attempt_id == (ATTEMPT if str(ATTEMPT) in query else None)
    assert receipt.notification_id == (NOTIFY if str(NOTIFY) in query else None)


@pytest.mark.parametrize("fields", [{"MessageSid": ""}, {"MessageStatus": ""}])
def test_a_form_without_status_or_sid_is_refused(fields: dict[str, Any]) -> None:
    """It is Twilio's, and about something else."""
    posted = _posted(**fields)
    READER.verify(posted)
    with pytest.raises(Unreadable):
        READER.read(posted)
