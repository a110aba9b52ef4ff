"""How each stand-in reads a request: what it refuses, and what it finds in a good one."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from notify.message import Channel
from notify.sandbox.behaviour import Behaviour, Vendor
from notify.sandbox.exchange import HttpRequest, RequestRefused
from notify.sandbox.fcm import GRANT, Fcm
from notify.sandbox.inbox import Inbox, Message
from notify.sandbox.sendgrid import SendGrid
from notify.sandbox.twilio import Twilio
from tests.support.tables import each_of

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
BASIC = {"authorization": "Basic " + base64.b64encode(b"AC1:secret").decode()}
BEARER = {"authorization": "Bearer key"}
SENDGRID = SendGrid(lambda: NOON, lambda: "id1", 2)
TWILIO = Twilio(lambda: NOON, lambda: "id1", 2)
FCM = Fcm(lambda: NOON, lambda: "id1", 2)


def _mail(**changes: Any) -> dict[str, Any]:
    mail = {
        "personalizations": [
            {"to": [{"email": "ada@example.com"}], "custom_args": {"notify_id": "n1"}}
        ],
        "from": {"email": "shop@example.com"},
        "subject": "Hello",
        "content": [{"type": "text/plain", "value": "Hi"}, {"type": "text/html", "value": "<b>"}],
        **changes,
    }
    return {key: value for key, value in mail.items() if value is not None}


def _send_mail(mail: Any, headers: dict[str, str] | None = None) -> list[Message]:
    body = mail if isinstance(mail, bytes) else json.dumps(mail).encode()
    return SENDGRID.read(HttpRequest("POST", "/v3/mail/send", "", headers or BEARER, body))


def test_sendgrid_reads_a_message() -> None:
    """Parts, subject, sender and our id are found."""
    [message] = _send_mail(_mail())
    assert (message.to, message.sender, message.subject) == (
        "ada@example.com",
        "shop@example.com",
        "Hello",
    )
    assert (message.text, message.html, message.notify_id) == ("Hi", "<b>", "n1")
    assert message.provider_id == "id1"


FILE = {"filename": "a.pdf", "type": "application/pdf", "content": "JVBERi0="}


def test_sendgrid_keeps_what_an_inbox_needs_of_files() -> None:
    """Their names, sizes and hashes, not their content; and the address for replies."""
    logo = {"filename": "l.gif", "content": "R0lGOA==", "disposition": "inline", "content_id": "l"}
    [message] = _send_mail(_mail(attachments=[FILE, logo], reply_to={"email": "b@example.com"}))
    assert message.details["reply_to"] == {"email": "b@example.com"}
    digest = hashlib.sha256(b"%PDF-").hexdigest()
    first, second = message.details["attachments"]
    assert first == {
        "filename": "a.pdf",
        "type": "application/pdf",
        "bytes": 5,
        "sha256": digest,
    }
    assert (second["content_id"], second["bytes"]) == ("l", 4)


@each_of(
    ("changes", "field"),
    [
        ({"attachments": {}}, "attachments"),
        ({"attachments": ["x"]}, "attachments.0"),
        ({"attachments": [{**FILE, "filename": ""}]}, "attachments.0.filename"),
        ({"attachments": [FILE, {**FILE, "content": "JVBERi0"}]}, "attachments.1.content"),
        ({"attachments": [{**FILE, "disposition": "x"}]}, "attachments.0.disposition"),
        ({"reply_to": {"email": "x"}}, "reply_to.email"),
    ],
)
def test_sendgrid_refuses_what_it_cannot_attach(changes: dict[str, Any], field: str) -> None:
    """By the place of the mistake."""
    with pytest.raises(RequestRefused) as caught:
        _send_mail(_mail(**changes))
    [error] = json.loads(caught.value.answer.body)["errors"]
    assert error["field"] == field


def test_sendgrid_makes_one_message_a_recipient() -> None:
    """They share the vendor's id and differ in ours."""
    first = {"to": [{"email": "a@x.de"}], "cc": [{"email": "b@x.de"}], "subject": "One"}
    second = {"to": [{"email": "c@x.de"}], "custom_args": {"notify_id": "n2"}}
    messages = _send_mail(_mail(personalizations=[first, second], custom_args={"notify_id": "n0"}))
    assert [m.to for m in messages] == ["a@x.de", "b@x.de", "c@x.de"]
    assert [m.notify_id for m in messages] == ["n0", "n0", "n2"]
    assert [m.subject for m in messages] == ["One", "One", "Hello"]
    assert {m.provider_id for m in messages} == {"id1"}
    assert len({m.id for m in messages}) == 3


def _many(count: int) -> list[dict[str, Any]]:
    return [{"to": [{"email": f"a{number}@x.de"} for number in range(count)]}]


def _with(substitutions: Any, *, args: dict[str, str] | None = None) -> dict[str, Any]:
    to = [{"email": "b@x.de"}]
    return {"to": to, "substitutions": substitutions, "custom_args": args or {}}


@each_of(
    ("mail", "field"),
    [
        (b"{", None),
        (b"[]", None),
        (b"[" * 100_000, None),
        (_mail(personalizations=None), "personalizations"),
        (_mail(personalizations=[]), "personalizations"),
        (_mail(personalizations={}), "personalizations"),
        (_mail(personalizations=["x"]), "personalizations.0.to"),
        (_mail(personalizations=[{"to": []}]), "personalizations.0.to"),
        (_mail(personalizations=[{"to": {"email": "a@x.de"}}]), "personalizations.0.to"),
        (_mail(personalizations=[{"to": ["a@x.de"]}]), "personalizations.0.to.0.email"),
        (_mail(personalizations=[{"to": [{"email": "ada"}]}]), "personalizations.0.to.0.email"),
        (
            _mail(personalizations=[{"to": [{"email": "a b@x.de"}]}]),
            "personalizations.0.to.0.email",
        ),
        (
            _mail(personalizations=[{"to": [{"email": "a@x.de"}], "cc": [{"email": "A@x.de"}]}]),
            "personalizations.0.cc",
        ),
        (
            _mail(personalizations=[{"to": [{"email": "a@x.de"}], "custom_args": "n1"}]),
            "personalizations.0.custom_args",
        ),
        (_mail(personalizations=[*_many(1), *_many(1)]), "personalizations"),
        (_mail(personalizations=[_with({"-a-": 5})]), ""),
        (_mail(personalizations=[_with(["-a-"])]), ""),
        (
            _mail(personalizations=[_with({"-a-": "x" * 9_998})]),
            "personalizations.0.substitutions",
        ),
        (
            _mail(personalizations=[_with({"-a-": "x"})], template_id="d-1"),
            "personalizations.0.substitutions",
        ),
        (
            _mail(personalizations=[*_many(1), _with({}, args={"n": "x" * 10_000})]),
            "personalizations.1.custom_args",
        ),
        (_mail(personalizations=_many(1001)), "personalizations"),
        (_mail(personalizations=_many(1) * 1001), "personalizations"),
        (_mail(custom_args=["n1"]), "custom_args"),
        (_mail(**{"from": None}), "from.email"),
        (_mail(**{"from": {"email": "shop"}}), "from.email"),
        (_mail(subject=None), "subject"),
        (_mail(subject=5), "subject"),
        (_mail(content=None), "content"),
        (_mail(content="Hi"), "content"),
        (_mail(content=[{"type": "text/plain"}]), "content.0.value"),
        (_mail(content=[{"type": 1, "value": "Hi"}], template_id="d-1"), "content.0.type"),
    ],
)
def test_sendgrid_names_the_field_that_is_wrong(mail: Any, field: str | None) -> None:
    """400, in SendGrid's own error form."""
    with pytest.raises(RequestRefused) as caught:
        _send_mail(mail)
    assert caught.value.answer.status == 400
    [error] = json.loads(caught.value.answer.body)["errors"]
    assert error["field"] == field
    assert set(error) == {"message", "field", "help"}


def test_sendgrid_puts_substitutions_into_subject_and_content_once() -> None:
    """A tag within a value is not replaced, and a recipient without substitutions has none."""
    content = [{"type": "text/plain", "value": "-a- -b-"}, {"type": "text/html", "value": "-b-"}]
    own = {**_with({"-a-": "-b-", "-b-": "B" * 9_991}), "subject": "-a-"}
    first, second = _send_mail(_mail(personalizations=[own, *_many(1)], content=content))
    assert (first.text, first.html) == (f"-b- {'B' * 9_991}", "B" * 9_991)
    assert first.subject == "-b-"
    assert (second.subject, second.text, second.html) == ("Hello", "-a- -b-", "-b-")


def test_sendgrid_names_each_recipient_that_it_refuses() -> None:
    """By the index of its personalization: nothing of the request is sent."""
    messages = _send_mail(_mail(personalizations=[*_many(2), _with({})]))
    second, third = (replace(each, behaviour=Behaviour.INVALID) for each in messages[1:])
    answer = SENDGRID.answer(Behaviour.INVALID, [messages[0], second, third])
    assert answer.status == 400
    fields = [error["field"] for error in json.loads(answer.body)["errors"]]
    assert fields == ["personalizations.0.to.1.email", "personalizations.1.to.0.email"]


def test_sendgrid_takes_a_thousand_recipients_and_a_template_without_content() -> None:
    """The limits are the last good values."""
    assert len(_send_mail(_mail(personalizations=_many(1000)))) == 1000
    assert _send_mail(_mail(subject=None, content=None, template_id="d-1"))


@pytest.mark.parametrize("headers", [{"x": "y"}, {"authorization": "Bearer bad-key"}, BASIC])
def test_sendgrid_refuses_a_key_that_is_not_good(headers: dict[str, str]) -> None:
    """401, whatever the request says."""
    with pytest.raises(RequestRefused) as caught:
        _send_mail(b"", headers)
    assert caught.value.answer.status == 401


def _send_sms(fields: Mapping[str, str], headers: dict[str, str] = BASIC) -> list[Message]:
    form = {"To": "+4915123456789", "From": "+15005550006", "Body": "Hi", **fields}
    body = urlencode({key: value for key, value in form.items() if value}).encode()
    groups = {"account": "AC1"}
    return TWILIO.read(HttpRequest("POST", "/m", "", headers, body, groups))


def test_twilio_reads_a_message() -> None:
    """Our ids come from the callback's address."""
    callback = "https://n.example.com/cb?notify_id=n1&attempt_id=a1#rc=3"
    [message] = _send_sms({"StatusCallback": callback})
    assert (message.to, message.text, message.sender) == ("+4915123456789", "Hi", "+15005550006")
    assert (message.notify_id, message.attempt_id) == ("n1", "a1")
    assert message.provider_id == "SMid1"


@each_of(
    ("fields", "code"),
    [
        ({"To": ""}, 21604),
        ({"From": ""}, 21603),
        ({"Body": ""}, 21602),
        ({"Body": "x" * 1601}, 21617),
        ({"To": "0151 23456"}, 21211),
        ({"To": "+49abc1234"}, 21211),
    ],
)
def test_twilio_names_what_is_wrong_by_its_code(fields: dict[str, str], code: int) -> None:
    """400, in Twilio's own error form."""
    with pytest.raises(RequestRefused) as caught:
        _send_sms(fields)
    error = json.loads(caught.value.answer.body)
    assert (error["status"], error["code"]) == (400, code)
    assert set(error) == {"code", "message", "more_info", "status"}


@pytest.mark.parametrize(
    "authorization",
    ["", "Bearer x", "Basic ???", "Basic " + base64.b64encode(b"AC1:bad-key").decode()],
)
def test_twilio_refuses_credentials_that_are_not_good(authorization: str) -> None:
    """401 with code 20003."""
    with pytest.raises(RequestRefused) as caught:
        _send_sms({}, {"authorization": authorization})
    assert caught.value.answer.status == 401
    assert json.loads(caught.value.answer.body)["code"] == 20003


def _look_up(query: str, inbox: Inbox) -> Any:
    request = HttpRequest("GET", "/m", query, BASIC, groups={"account": "AC1"})
    return json.loads(TWILIO.look_up(request, inbox).body)


def _sms(
    number: int, *, account: str = "AC1", to: str = "+4915123456789", day: int = 20
) -> Message:
    return Message(
        id=f"SM{number}",
        provider_id=f"SM{number}",
        vendor=Vendor.TWILIO,
        channel=Channel.SMS,
        at=datetime(2026, 11, day, 12, tzinfo=UTC),
        to=to,
        details={"account": account},
    )


@each_of(
    ("query", "found"),
    [
        ("", ["SM3", "SM2", "SM1"]),
        ("To=%2B15005551000", ["SM3"]),
        ("From=%2B1", []),
        ("DateSent=2026-11-19", ["SM2"]),
        ("DateSent=2026-11-19T23:00:00Z", ["SM2"]),
        ("DateSent%3E=2026-11-19", ["SM3", "SM2"]),
        ("DateSent%3C=2026-11-19", ["SM2", "SM1"]),
        ("DateSent%3E=2026-11-19T12:00:01Z", ["SM3"]),
        ("DateSent%3C=2026-11-19T11:59:59Z", ["SM1"]),
        ("PageSize=2", ["SM3", "SM2"]),
        ("PageSize=2&Page=1", ["SM1"]),
    ],
)
def test_twilio_lists_by_recipient_and_day(query: str, found: list[str]) -> None:
    """Newest first, of this account only."""
    inbox = Inbox(keep=10)
    for message in (
        _sms(0, account="AC2"),
        _sms(1, day=18),
        _sms(2, day=19),
        _sms(3, to="+15005551000"),
    ):
        inbox.add(message)
    assert [each["sid"] for each in _look_up(query, inbox)["messages"]] == found


def test_twilio_refuses_a_date_that_is_none() -> None:
    """400 rather than an answer to another question."""
    assert _look_up("DateSent=yesterday", Inbox(keep=1))["status"] == 400


def test_twilio_reports_the_segments_that_the_limits_count() -> None:
    """An escape at the border of two segments moves to the next one."""
    messages = _send_sms({"Body": "x" * 152 + "€" * 77})
    answer = json.loads(TWILIO.answer(Behaviour.DELIVER, messages).body)
    assert answer["num_segments"] == "3"


def _send_push(message: Any, headers: dict[str, str] | None = None) -> list[Message]:
    body = json.dumps({"message": message}).encode()
    return FCM.read(HttpRequest("POST", "/p", "", headers or BEARER, body, {"project": "shop"}))


def test_fcm_reads_a_message() -> None:
    """Title, body, and our ids in the data."""
    data = {"notify_id": "n1", "attempt_id": "a1", "order": "7"}
    [message] = _send_push(
        {"token": "t", "notification": {"title": "T", "body": "B"}, "data": data}
    )
    assert (message.to, message.subject, message.text) == ("t", "T", "B")
    assert (message.notify_id, message.attempt_id) == ("n1", "a1")
    assert message.provider_id == "projects/shop/messages/id1"


@each_of(
    "message",
    [
        None,
        [],
        {"notification": {"title": "T"}},
        {"token": ""},
        {"token": "t", "topic": "u"},
        {"token": "t", "titel": "T"},
        {"token": "t", "data": {"n": 1}},
        {"token": "t", "notification": {"title": None}},
        {"token": "t", "data": {"n": "x" * 4096}},
    ],
)
def test_fcm_refuses_what_it_cannot_read(message: Any) -> None:
    """400 as google.rpc.Status with FCM's own code."""
    with pytest.raises(RequestRefused) as caught:
        _send_push(message)
    error = json.loads(caught.value.answer.body)["error"]
    assert (error["code"], error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["details"][0]["errorCode"] == "INVALID_ARGUMENT"


def test_fcm_refuses_a_token_that_is_not_good() -> None:
    """401, without looking at the message."""
    with pytest.raises(RequestRefused) as caught:
        _send_push(None, {"authorization": "Bearer bad-key"})
    assert caught.value.answer.status == 401


def _grant(claims: Any = None, grant: str = GRANT, **changes: Any) -> tuple[int, Any]:
    now = int(NOON.timestamp())
    good = {
        "iss": "notify@shop.iam.gserviceaccount.com",
        "aud": "https://oauth2.googleapis.com/token",
        "scope": "https://www.googleapis.com/auth/firebase.messaging",
        "iat": now,
        "exp": now + 3600,
        **changes,
    }
    middle = base64.urlsafe_b64encode(json.dumps(claims or good).encode()).decode().rstrip("=")
    body = urlencode({"grant_type": grant, "assertion": f"e30.{middle}.sig"}).encode()
    answer = FCM.grant(HttpRequest("POST", "/token", body=body))
    return answer.status, json.loads(answer.body)


def test_google_grants_a_token_for_a_good_assertion() -> None:
    """As google-auth expects it: the token, its kind and its life."""
    status, grant = _grant()
    assert status == 200
    assert grant["token_type"] == "Bearer"
    assert grant["expires_in"] == 3599
    assert grant["access_token"]


@each_of(
    ("changes", "error"),
    [
        ({"grant": "password"}, "unsupported_grant_type"),
        ({"claims": ["x"]}, "invalid_grant"),
        ({"iss": ""}, "invalid_grant"),
        ({"iat": "now"}, "invalid_grant"),
        ({"exp": 1}, "invalid_grant"),
        ({"iat": 1}, "invalid_grant"),
        ({"iss": "bad-key@shop"}, "invalid_grant"),
        ({"scope": "email"}, "invalid_scope"),
    ],
)
def test_google_refuses_an_assertion_that_is_not_good(changes: dict[str, Any], error: str) -> None:
    """400 in the form of OAuth."""
    status, answer = _grant(**changes)
    assert (status, answer["error"]) == (400, error)
