"""Twilio's own words: its request, its codes, and what its client may not do."""

from __future__ import annotations

from base64 import b64encode
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest

from notify.errors import (
    ConfigError,
    InvalidRecipient,
    OptedOut,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.gateway import ConfiguredProvider
from notify.message import SmsSender, SmsSenderKind
from notify.sandbox import Sandbox
from providers.twilio import Twilio
from tests.support.tables import each_of
from tests.support.vendor import Vendor, say
from tests.unit.providers.dialects import MESSAGE, TWILIO, json_reply

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)


def form(vendor: Vendor, message: Any = MESSAGE, **options: Any) -> dict[str, str]:
    """The fields that arrive for a message."""
    provider = TWILIO.build(vendor, "accepted", **options)
    provider.send(message)
    provider.close()
    return {name: values[0] for name, values in parse_qs(vendor.seen[-1].body.decode()).items()}


def refused(vendor: Vendor, status: int, answer: dict[str, Any]) -> ProviderError:
    """The error of a send that Twilio answers so."""
    provider = TWILIO.build(vendor, "accepted")
    vendor.on(TWILIO.path, json_reply(status, answer)({}))
    with pytest.raises(ProviderError) as caught:
        provider.send(MESSAGE)
    provider.close()
    return caught.value


def test_an_sms_is_written_as_twilio_reads_it(vendor: Vendor) -> None:
    """A form with the sender, and the callback with our ids, tried again after any failure."""
    ids = f"notify_id={MESSAGE.notification_id}&attempt_id={MESSAGE.attempt_id}"
    assert form(vendor) == {
        "To": MESSAGE.to,
        "From": "+15005550006",
        "Body": "canary-body",
        "StatusCallback": f"https://notify.example.com/t?{ids}#rc=5&rp=all",
    }
    basic = b64encode(b"AC1:canary-key").decode()
    assert vendor.seen[0].headers["authorization"] == f"Basic {basic}"
    assert vendor.seen[0].headers["content-type"] == "application/x-www-form-urlencoded"


@pytest.mark.parametrize(
    "body",
    [
        b'{"sid": "SM\\ud800", "status": "queued"}',
        b'{"sid": "SM\xed\xa0\x80", "status": "queued"}',
        '{"sid": "SM1", "status": "queued"}'.encode("utf-16"),
    ],
)
def test_an_acceptance_in_any_encoding_is_one(vendor: Vendor, body: bytes) -> None:
    """What JSON allows is read: to call it unknown would park an SMS that was sent."""
    provider = TWILIO.build(vendor, "accepted")
    vendor.on(TWILIO.path, say(201, body))
    assert provider.send(MESSAGE).provider_id.startswith("SM")
    provider.close()


def test_a_callback_keeps_its_own_query_and_fragment(vendor: Vendor) -> None:
    """The operator's setting stays."""
    address = form(vendor, status_callback="https://n.example.com/t?site=1#rc=2")["StatusCallback"]
    assert address.startswith("https://n.example.com/t?site=1&notify_id=0000")
    assert address.endswith("#rc=2")


def test_without_a_callback_none_is_named(vendor: Vendor) -> None:
    """The account's own setting then decides."""
    assert "StatusCallback" not in form(vendor, status_callback=None)


def test_a_messaging_service_and_an_api_key_take_the_places(vendor: Vendor) -> None:
    """The path still names the account."""
    fields = form(vendor, sender=None, messaging_service_sid="MG1", api_key_sid="SK1")
    assert fields["MessagingServiceSid"] == "MG1"
    assert "From" not in fields
    basic = b64encode(b"SK1:canary-key").decode()
    assert vendor.seen[0].headers["authorization"] == f"Basic {basic}"


@pytest.mark.parametrize(
    ("sender", "field"),
    [
        (SmsSender("+4915112345600", SmsSenderKind.NUMBER), "From"),
        (SmsSender("Parcel Post", SmsSenderKind.ALPHANUMERIC), "From"),
        (SmsSender("MG" + "0" * 32, SmsSenderKind.MESSAGING_SERVICE), "MessagingServiceSid"),
    ],
)
@pytest.mark.parametrize("own", [{}, {"sender": None, "messaging_service_sid": "MG1"}])
def test_a_message_has_its_own_sender(
    vendor: Vendor, sender: SmsSender, field: str, own: dict[str, Any]
) -> None:
    """Exactly one is named, and an opt-out is limited to it."""
    message = replace(MESSAGE, sms_sender=sender)
    fields = form(vendor, message, **own)
    named = {name: fields[name] for name in ("From", "MessagingServiceSid") if name in fields}
    assert named == {field: sender.value}
    gateway = ConfiguredProvider("twilio", TWILIO.make(**own))
    assert gateway.sender_of(message) == sender.value
    assert gateway.sender_of(MESSAGE) == ("MG1" if own else "+15005550006")


@pytest.mark.parametrize(
    ("left", "period"),
    [(timedelta(seconds=90.9), "90"), (timedelta(days=2), "36000"), (timedelta(0), "1")],
)
def test_an_expiry_becomes_a_validity_period(vendor: Vendor, left: timedelta, period: str) -> None:
    """In whole seconds, within what Twilio allows."""
    message = replace(MESSAGE, expires_at=NOW + left)
    assert form(vendor, message, clock=NOW.timestamp)["ValidityPeriod"] == period


def test_a_text_that_no_encoding_holds_is_still_sent(vendor: Vendor) -> None:
    """Half of a surrogate pair must not end in an error of another kind."""
    assert form(vendor, replace(MESSAGE, text="a\ud83d"))["Body"] == "a?"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, 21211, InvalidRecipient),
        (400, 21214, InvalidRecipient),
        (400, 21217, InvalidRecipient),
        (400, 21408, InvalidRecipient),
        (400, 21610, OptedOut),
        (403, 21610, OptedOut),
        (400, 21612, InvalidRecipient),
        (400, 21614, InvalidRecipient),
        (400, 21265, InvalidRecipient),
        (400, 21266, InvalidRecipient),
        (400, 21268, InvalidRecipient),
        (400, 21635, InvalidRecipient),
        (400, 21662, InvalidRecipient),
        (400, 21617, PermanentError),
        (400, 30001, Throttled),
        (400, 30022, Throttled),
        (409, 20409, TransientError),
        (400, 21602, PermanentError),
        (400, 21606, Unauthorized),
        (400, 21608, Unauthorized),
        (400, 20005, Unauthorized),
        (403, 20403, Unauthorized),
        (404, 20404, Unauthorized),
        (400, 21611, Throttled),
        (503, 21730, TransientError),
        (400, 21730, TransientError),
        (502, 20429, OutcomeUnknown),
    ],
)
def test_a_code_says_more_than_its_status(
    vendor: Vendor, status: int, code: int, kind: type[ProviderError]
) -> None:
    """Twilio's code says whose fault it is."""
    error = refused(vendor, status, {"code": code, "message": "canary", "status": status})
    assert type(error) is kind
    assert (error.provider, error.status, error.code) == ("twilio", status, str(code))


@pytest.mark.parametrize("code", ["21211", 21211.0])
def test_a_code_is_one_however_json_writes_it(vendor: Vendor, code: object) -> None:
    """A message to a number that is none would else be tried until its time is over."""
    error = refused(vendor, 400, {"code": code, "message": "canary"})
    assert (type(error), error.code) == (InvalidRecipient, "21211")


@pytest.mark.parametrize(
    "code", [True, None, "", "canary", "+21211", "21_211", "२१२११", 21211.5, 1e300, -1, 0, [21211]]
)
def test_what_is_no_code_is_not_twilios_word(vendor: Vendor, code: object) -> None:
    """A proxy's answer says nothing about a message."""
    error = refused(vendor, 400, {"code": code, "message": "canary"})
    assert (type(error), error.code) == (TransientError, None)


OF_THE_SENDER = [
    21210, 21212, 21213, 21264, 21267, 21407, 21601, 21603, 21606, 21607, 21616, 21657, 21659,
    21660, 21661, 21663, 21668, 21701, 21702, 21703, 21704, 21705, 21708, 21709, 21711, 21712,
    21713, 21715, 21717, 21719, 21720, 21729, 21731, 21733, 21910, 30024, 30032, 30033, 30034,
    30035, 63007,
]  # fmt: skip
OF_THE_ACCOUNT = [
    20003, 20005, 20006, 20008, 20010, 20403, 20404, 21219, 21470, 21471, 21472, 21608, 30002,
    21502, 21609, 21626,
]  # fmt: skip


@pytest.mark.parametrize("code", [*OF_THE_SENDER, *OF_THE_ACCOUNT])
def test_a_sender_that_cannot_be_used_is_no_fault_of_the_message(vendor: Vendor, code: int) -> None:
    """From and messaging service are the same for all: messages wait until they are corrected."""
    error = refused(vendor, 400, {"code": code, "message": "canary"})
    assert (type(error), error.code) == (Unauthorized, str(code))


@pytest.mark.parametrize(
    ("code", "kind"), [(21606, PermanentError), (21212, PermanentError), (20003, Unauthorized)]
)
def test_a_sender_of_the_message_is_its_own_fault(
    vendor: Vendor, code: int, kind: type[ProviderError]
) -> None:
    """Messages from other senders pass; the account is another matter."""
    provider = TWILIO.build(vendor, "accepted")
    vendor.on(TWILIO.path, json_reply(400, {"code": code, "message": "canary"})({}))
    message = replace(MESSAGE, sms_sender=SmsSender("Example", SmsSenderKind.ALPHANUMERIC))
    with pytest.raises(ProviderError) as caught:
        provider.send(message)
    provider.close()
    assert (type(caught.value), caught.value.status, caught.value.code) == (kind, 400, str(code))


@pytest.mark.parametrize(
    ("sender", "kind"),
    [
        ("+15005550001", Unauthorized),
        ("+15005550007", Unauthorized),
        ("+15005550008", Throttled),
    ],
)
def test_twilios_test_senders_fail_in_the_sandbox(
    sandbox: Sandbox, sender: str, kind: type[ProviderError]
) -> None:
    """A sender that cannot be used can be rehearsed: no message is rejected for it."""
    provider = TWILIO.make(base_url=sandbox.url, sender=sender)
    with pytest.raises(ProviderError) as caught:
        provider.send(replace(MESSAGE, to="+4915112345678"))
    assert type(caught.value) is kind
    provider.close()


def test_the_newer_error_form_is_understood(vendor: Vendor) -> None:
    """RFC 9457: Twilio's client raises another exception for it; we mean the same."""
    problem = {"type": "https://t", "title": "canary", "status": 400, "code": 21211, "detail": "x"}
    assert type(refused(vendor, 400, problem)) is InvalidRecipient


@each_of(
    "options",
    [
        {"sender": None},
        {"messaging_service_sid": "MG1"},
        {"account_sid": "AC1/../x"},
        {"account_sid": ""},
        {"auth_token": ""},
        {"status_callback": "notify.example.com"},
        {"status_callback": "https://user:canary@notify.example.com/t?x=1"},
        {"status_callback": "https://["},
        {"base_url": "api.twilio.com"},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    """At once, and without the token in the text."""
    given = {"account_sid": "AC1", "auth_token": "canary", "sender": "+15005550006"}
    with pytest.raises(ConfigError, match="twilio") as caught:
        Twilio(**{**given, **options})
    assert "canary" not in str(caught.value)


def test_the_environment_does_not_redirect_us(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Twilio's client reads an edge and a region from it; our base_url alone decides."""
    monkeypatch.setenv("TWILIO_EDGE", "sydney")
    monkeypatch.setenv("TWILIO_REGION", "au1")
    assert form(vendor)["To"] == MESSAGE.to
