"""SendGrid's Event Webhook: what is refused, and how each event is read."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st
from sendgrid.helpers.eventwebhook import EventWebhook

from notify.errors import ConfigError
from notify.receipt import Blame, DeliveryReceipt, Forged, Posted, ReceiptEvent, Unreadable
from providers.sendgrid import SendGridReceipts
from tests.support.signing import SIGNATURE, TIMESTAMP, SendGridSigner
from tests.support.tables import each_of

URL = "https://notify.example.com/receipts/sendgrid"
NOTIFY, ATTEMPT = UUID(int=1, version=4), UUID(int=2, version=4)
SIGNER, OTHER = SendGridSigner(), SendGridSigner()
READER = SendGridReceipts(public_url=URL, keys=[SIGNER.public_key])


def _event(word: str, **fields: Any) -> dict[str, Any]:
    return {
        "email": "ada@example.com",
        "timestamp": 1764450000,
        "event": word,
        "sg_event_id": "e1",
        "sg_message_id": "14c5d75ce93.recvd-5f54b5d587-1.0",
        "smtp-id": "<14c5d75ce93@ismtpd>",
        "notify_id": str(NOTIFY),
        "attempt_id": str(ATTEMPT),
        **fields,
    }


def _read(*events: Any) -> list[DeliveryReceipt]:
    return list(READER.read(SIGNER.posted(list(events))).receipts)


def _refused(posted: Posted, reader: SendGridReceipts = READER) -> bool:
    try:
        reader.verify(posted)
    except Forged:
        return True
    return False


# --- the signature


@given(body=st.text(), stamp=st.text(st.characters(max_codepoint=127), min_size=1, max_size=20))
def test_the_vendors_verifier_agrees(body: str, stamp: str) -> None:
    """Whatever the body and the time stamp are, with the right key and with another."""
    raw = body.encode()
    for signer in (SIGNER, OTHER):
        headers = signer.headers(raw, stamp=stamp)
        theirs = EventWebhook(SIGNER.public_key).verify_signature(body, headers[SIGNATURE], stamp)
        assert _refused(Posted(query="", headers=headers, body=raw)) != theirs


def test_a_flipped_bit_anywhere_is_refused() -> None:
    """In the body, the time stamp and the signature."""
    posted = SIGNER.posted([_event("delivered")])
    READER.verify(posted)
    for place in range(len(posted.body)):
        body = bytearray(posted.body)
        body[place] ^= 1 << place % 8
        assert _refused(replace(posted, body=bytes(body)))
    signature = base64.b64decode(posted.headers[SIGNATURE])
    for bit in range(8 * len(signature)):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        text = base64.b64encode(flipped).decode()
        assert _refused(replace(posted, headers={**posted.headers, SIGNATURE: text}))
    for digit in range(len(posted.headers[TIMESTAMP])):
        stamp = bytearray(posted.headers[TIMESTAMP].encode())
        stamp[digit] ^= 1
        headers = {**posted.headers, TIMESTAMP: stamp.decode()}
        assert _refused(replace(posted, headers=headers))


@each_of(
    "headers",
    [
        {},
        {SIGNATURE: "", TIMESTAMP: ""},
        {SIGNATURE: "AAAA"},
        {TIMESTAMP: "1"},
        {SIGNATURE: "not base64!", TIMESTAMP: "1"},
        {SIGNATURE: "A" * 100_000, TIMESTAMP: "1"},
        {SIGNATURE: "AAAA", TIMESTAMP: "\u20ac"},
        {SIGNATURE: "\u20ac", TIMESTAMP: "1"},
    ],
)
def test_a_request_without_a_whole_signature_is_refused(headers: dict[str, str]) -> None:
    """Absent, truncated, or not a signature at all."""
    assert _refused(Posted(query="", headers=headers, body=b"[]"))


def test_a_truncated_signature_and_two_signatures_are_refused() -> None:
    """Two headers arrive joined by a comma."""
    posted = SIGNER.posted([])
    one = posted.headers[SIGNATURE]
    for text in (one[:-4], f"{one}, {one}", one + "AAAA"):
        assert _refused(replace(posted, headers={**posted.headers, SIGNATURE: text}))


def test_several_keys_are_valid_at_once() -> None:
    """A webhook is replaced without a gap: both keys verify, in a list or in one text."""
    for keys in ([SIGNER.public_key, OTHER.public_key], f"{SIGNER.public_key}\n{OTHER.public_key}"):
        reader = SendGridReceipts(public_url=URL, keys=keys)
        assert not _refused(SIGNER.posted([]), reader)
        assert not _refused(OTHER.posted([]), reader)
        assert _refused(SendGridSigner().posted([]), reader)


def test_an_old_request_is_accepted() -> None:
    """SendGrid posts again for a day, and may not sign again."""
    body = b"[]"
    headers = SIGNER.headers(body, stamp="1500000000")
    assert not _refused(Posted(query="", headers=headers, body=body))


def test_a_configured_access_token_is_required_beside_the_signature() -> None:
    """Neither replaces the other."""
    reader = SendGridReceipts(public_url=URL, keys=SIGNER.public_key, bearer="t0ken")
    assert not _refused(SIGNER.posted([], authorization="Bearer t0ken"), reader)
    assert not _refused(SIGNER.posted([], authorization="bearer  t0ken "), reader)
    for wrong in ("Bearer t0ke", "Bearer", "Basic t0ken", "t0ken", "", "Bearer t0ken\u20ac"):
        assert _refused(SIGNER.posted([], authorization=wrong), reader)
    assert _refused(OTHER.posted([], authorization="Bearer t0ken"), reader)


def _other_keys() -> list[str]:
    keys: list[Any] = [
        ec.generate_private_key(ec.SECP384R1()).public_key(),
        rsa.generate_private_key(65537, 2048).public_key(),
    ]
    ders = [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in keys]
    return [base64.b64encode(der).decode() for der in ders]


@each_of("keys", [[], "", "c2VjcmV0", "-----BEGIN PUBLIC KEY-----", "\u20ac", *_other_keys()])
def test_a_key_of_another_form_is_refused_without_repeating_it(keys: Any) -> None:
    """Also by `notify config check`."""
    with pytest.raises(ConfigError) as caught:
        SendGridReceipts(public_url=URL, keys=keys)
    assert not keys or str(keys) not in str(caught.value)
    assert [option for option, _ in SendGridReceipts.wrong_options({"keys": keys})] == ["keys"]


def test_good_keys_and_a_secret_are_no_mistake() -> None:
    """A secret is passed as None."""
    assert list(SendGridReceipts.wrong_options({"keys": [SIGNER.public_key]})) == []
    assert list(SendGridReceipts.wrong_options({"keys": None})) == []


# --- the events


def test_every_field_of_an_event_is_read() -> None:
    """The message's id is the beginning of SendGrid's, as in the answer to the call."""
    assert _read(_event("delivered", response="250 2.0.0 OK", category=["x"], useragent="y")) == [
        DeliveryReceipt(
            event=ReceiptEvent.DELIVERED,
            word="delivered",
            notification_id=NOTIFY,
            attempt_id=ATTEMPT,
            provider_id="14c5d75ce93",
            event_id="e1",
            recipient="ada@example.com",
            at=datetime.fromtimestamp(1764450000, UTC),
        )
    ]


R, S, M, T = Blame.RECIPIENT, Blame.SENDER, Blame.MESSAGE, Blame.MOMENT
BOUNCED, OUT = ReceiptEvent.BOUNCED, ReceiptEvent.OPTED_OUT


@pytest.mark.parametrize(
    ("word", "event"),
    [
        ("processed", ReceiptEvent.ACCEPTED),
        ("delivered", ReceiptEvent.DELIVERED),
        ("spamreport", ReceiptEvent.COMPLAINED),
        ("unsubscribe", OUT),
        ("resubscribe", ReceiptEvent.OPTED_IN),
    ],
)
def test_each_plain_event_has_its_event(word: str, event: ReceiptEvent) -> None:
    """The vendor's word stays beside ours."""
    (receipt,) = _read(_event(word, reason="ada@example.com"))
    found = (receipt.event, receipt.word, receipt.blame, receipt.code, receipt.reason)
    assert found == (event, word, None, None, None)


def test_a_deferral_has_the_servers_code() -> None:
    """SendGrid tries again by itself."""
    (receipt,) = _read(_event("deferred", response="450 4.2.1 ada@example.com", attempt="3"))
    found = (receipt.event, receipt.blame, receipt.code, receipt.reason)
    assert found == (ReceiptEvent.DEFERRED, T, "4.2.1", None)


def test_a_change_of_the_account_has_its_type() -> None:
    """It is about no message."""
    event = {"event": "account_status_change", "type": "compliance_suspend", "timestamp": 1}
    (receipt,) = _read(event)
    assert (receipt.event, receipt.reason) == (ReceiptEvent.ACCOUNT, "compliance_suspend")


@each_of(
    ("kind", "classified", "status", "blame"),
    [
        ("bounce", "Invalid Address", "5.1.1", R),
        ("bounce", "Invalid Address", None, R),
        ("bounce", "Unclassified", "5.1.10", R),
        ("bounce", None, "5.1.1", R),
        (None, None, "5.1.2", R),
        ("bounce", None, "5.1.7", S),
        ("bounce", None, "5.1.8", S),
        ("bounce", "Invalid Address", "5.7.26", S),
        ("bounce", "Reputation", "5.1.1", S),
        ("bounce", "Frequency or Volume Too High", None, S),
        ("bounce", "Content", None, M),
        ("bounce", "Mailbox Unavailable", "5.2.2", T),
        ("bounce", "Technical Failure", None, T),
        ("bounce", "Technical", None, T),
        ("bounce", None, "5.0.0", T),
        ("bounce", None, None, T),
        ("blocked", None, "5.7.1", S),
        ("blocked", "Invalid Address", "5.1.1", S),
        ("blocked", "Unclassified", None, S),
        ("blocked", "Reputation", None, S),
        ("blocked", "Mailbox Unavailable", None, T),
        ("blocked", "Content", None, M),
    ],
)
def test_a_bounce_blames_by_the_rules(
    kind: str | None, classified: str | None, status: str | None, blame: Blame
) -> None:
    """Only a fault of the address blames the recipient; a block never does."""
    fields = {"type": kind, "bounce_classification": classified, "status": status}
    sent = {name: value for name, value in fields.items() if value is not None}
    (receipt,) = _read(_event("bounce", **sent))
    assert (receipt.event, receipt.blame, receipt.code) == (BOUNCED, blame, status)
    assert receipt.reason == (classified or ("blocked" if kind == "blocked" else None))


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("550 5.1.2 <ada@example.com> unknown", "5.1.2"),
        ("550-5.1.1 The account ada@example.com does not exist", "5.1.1"),
        ("ada@example.com said 10.5.1.1 and 5.1.1.1", None),
        ("550 no such user ada@example.com", None),
    ],
)
def test_a_code_is_found_in_the_servers_text(text: str, code: str | None) -> None:
    """The text itself is not kept."""
    (receipt,) = _read(_event("bounce", type="bounce", reason=text, bounce_classification=text))
    assert (receipt.code, receipt.reason) == (code, None)


@each_of(
    ("text", "blame", "reason"),
    [
        ("Bounced Address", R, "bounced address"),
        ("Invalid", R, "invalid"),
        ("Invalid SMTPAPI header", M, "invalid smtpapi header"),
        ("Spam Content (if spam checker app enabled)", M, "spam content"),
        ("Recipient List over Package Quota", S, "recipient list over package quota"),
        ("because ada@example.com", T, None),
        (None, T, None),
    ],
)
def test_a_drop_blames_by_its_reason(text: str | None, blame: Blame, reason: str | None) -> None:
    """SendGrid sent nothing; a reason that is not known is not kept."""
    (receipt,) = _read(_event("dropped", reason=text))
    assert (receipt.event, receipt.blame, receipt.reason) == (BOUNCED, blame, reason)


@pytest.mark.parametrize("reason", ["Unsubscribed Address", "Spam Reporting Address"])
def test_a_drop_for_an_earlier_opt_out_opts_out_here_too(reason: str) -> None:
    """Else the next provider would send what the first one suppresses."""
    end, out = _read(_event("dropped", reason=reason))
    assert (end.event, end.blame, end.word) == (BOUNCED, None, "dropped")
    assert (out.event, out.reason, out.scope) == (OUT, reason.lower(), "")


@pytest.mark.parametrize("word", ["group_unsubscribe", "group_resubscribe"])
def test_a_groups_opt_out_is_limited_to_it(word: str) -> None:
    """It is not an opt-out of everything."""
    for number in (17, "17"):
        (receipt,) = _read(_event(word, asm_group_id=number))
        wanted = OUT if word == "group_unsubscribe" else ReceiptEvent.OPTED_IN
        assert (receipt.event, receipt.scope) == (wanted, "group-17")


@each_of("number", [None, "", "x", True, 1.5, [17], {}, 10**30])
def test_a_group_that_cannot_be_read_never_permits_more(number: Any) -> None:
    """An opt-out is then of everything; an opt-in, which would end every opt-out, is ignored."""
    (receipt,) = _read(_event("group_unsubscribe", asm_group_id=number))
    assert (receipt.event, receipt.scope) == (OUT, "")
    report = READER.read(SIGNER.posted([_event("group_resubscribe", asm_group_id=number)]))
    assert (list(report.receipts), report.ignored) == ([], 1)


def test_events_that_are_not_recorded_are_counted() -> None:
    """Opens and clicks say when a person reads; new events are not an error."""
    words = ["open", "click", "machine_open", "delivered"]
    active = {"event": "account_status_change", "type": "compliance_reactivate"}
    report = READER.read(SIGNER.posted([*map(_event, words), active]))
    assert ([r.word for r in report.receipts], report.ignored) == (["delivered"], 4)


POISON: list[Any] = [
    None,
    True,
    1,
    "delivered",
    [],
    {},
    {"event": None},
    {"event": ["delivered"]},
    {"event": ""},
]


@each_of("poison", POISON, ids=repr)
def test_one_poison_element_of_a_thousand_harms_no_other(poison: Any) -> None:
    """Wherever it is."""
    events: list[Any] = [_event("delivered", sg_event_id=f"e{n}") for n in range(999)]
    events.insert(500, poison)
    report = READER.read(SIGNER.posted(events))
    assert (len(report.receipts), report.unreadable, report.ignored) == (999, 1, 0)


@each_of(
    "fields",
    [
        {"email": None, "sg_message_id": 5, "sg_event_id": {}, "timestamp": None},
        {"email": ["a"], "timestamp": True, "notify_id": 1, "attempt_id": "x" * 36},
        {"timestamp": 10**17, "status": 5, "reason": ["x"], "type": 1},
        {"timestamp": "NaN", "bounce_classification": {}, "asm_group_id": "x"},
        {"timestamp": float("inf"), "notify_id": "\ud800"},
    ],
)
@each_of("word", ["bounce", "dropped", "group_unsubscribe", "delivered"])
def test_fields_of_another_type_are_left_out(word: str, fields: dict[str, Any]) -> None:
    """The rest of the event still counts, also without an id: it may suppress."""
    (receipt,) = _read(_event(word, **fields))
    assert receipt.word == word
    assert receipt.at is None


def test_numbers_beyond_reason_and_text_that_no_database_stores_are_read() -> None:
    """Python refuses a number of 5,000 digits, and JSON can hold half a character."""
    body = json.dumps([_event("delivered", email="a\0\ud800@example.com")])
    body = body.replace("1764450000", "9" * 5000)
    (receipt,) = READER.read(SIGNER.posted(body.encode())).receipts
    assert (receipt.recipient, receipt.at) == ("a\ufffd\ufffd@example.com", None)


@each_of("body", [b"", b"{}", b"null", b"\xff\xfe", b"[" * 100_000, b'[{"event"'])
def test_a_body_of_another_format_is_refused_as_a_whole(body: bytes) -> None:
    """The vendor posts it again, until this service can read it."""
    with pytest.raises(Unreadable):
        READER.read(SIGNER.posted(body))
