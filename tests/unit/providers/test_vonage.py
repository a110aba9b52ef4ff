"""Vonage's own words: its request, its statuses inside HTTP 200, and the sender's form."""

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
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    RecipientGone,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.gateway import ConfiguredProvider
from notify.message import SmsSender, SmsSenderKind
from providers.vonage import Vonage
from tests.support.tables import each_of
from tests.support.vendor import Reply, Vendor, say
from tests.unit.providers.dialects import MESSAGE, VONAGE, json_reply, vonage_parts

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SMS = replace(MESSAGE, to="+4915112345678")


def form(vendor: Vendor, message: Any = SMS, **options: Any) -> dict[str, str]:
    """Return the parameters that arrive for a message."""
    provider = VONAGE.build(vendor, "accepted", **options)
    provider.send(message)
    provider.close()
    return {name: values[0] for name, values in parse_qs(vendor.seen[-1].body.decode()).items()}


def refused(vendor: Vendor, reply: Reply) -> ProviderError:
    """Return the error of a send that Vonage answers so."""
    provider = VONAGE.build(vendor, "accepted")
    vendor.on(VONAGE.path, reply)
    with pytest.raises(ProviderError) as caught:
        provider.send(SMS)
    provider.close()
    assert "canary" not in str(caught.value)
    return caught.value


def test_an_sms_is_written_as_vonage_reads_it(vendor: Vendor) -> None:
    """Numbers have no plus, the secret is in a header, and our ids return with each receipt."""
    assert form(vendor, receipts_url="https://notify.example.com/receipts/vonage") == {
        "from": "15005550006",
        "to": "4915112345678",
        "text": "canary-body",
        "client-ref": f"{MESSAGE.notification_id}/{MESSAGE.attempt_id}",
        "callback": "https://notify.example.com/receipts/vonage",
    }
    basic = b64encode(b"abcd1234:canary-key").decode()
    assert vendor.seen[0].headers["authorization"] == f"Basic {basic}"


def test_a_name_is_sent_without_spaces_as_receipts_repeat_it(vendor: Vendor) -> None:
    """An opt-out is limited to the sender: both spellings must be the same."""
    assert form(vendor, sender="Parcel Post")["from"] == "ParcelPost"
    assert Vonage(api_key="a", api_secret="b", sender="Parcel Post").sender == "ParcelPost"


@pytest.mark.parametrize(
    ("sender", "sent"),
    [
        (SmsSender("+4915112345600", SmsSenderKind.NUMBER), "4915112345600"),
        (SmsSender("Parcel Post", SmsSenderKind.ALPHANUMERIC), "ParcelPost"),
        (SmsSender("MG" + "0" * 32, SmsSenderKind.MESSAGING_SERVICE), "15005550006"),
    ],
)
def test_a_message_has_its_own_sender(vendor: Vendor, sender: SmsSender, sent: str) -> None:
    """Spelled as receipts name it; a service of Twilio's is replaced by our own sender."""
    message = replace(SMS, sms_sender=sender)
    assert form(vendor, message)["from"] == sent
    assert ConfiguredProvider("vonage", VONAGE.make()).sender_of(message) == sent


@pytest.mark.parametrize(("text", "kind"), [("Grüße €5", None), ("Привет", "unicode")])
def test_unicode_is_asked_for_only_where_it_is_needed(
    vendor: Vendor, text: str, kind: str | None
) -> None:
    """Vonage replaces other characters by question marks; Unicode halves the room of a part."""
    assert form(vendor, replace(SMS, text=text)).get("type") == kind


@pytest.mark.parametrize(
    ("left", "life"),
    [
        (timedelta(minutes=15), "900000"),
        (timedelta(seconds=1), "20000"),
        (timedelta(days=30), "604800000"),
    ],
)
def test_an_expiry_becomes_a_ttl(vendor: Vendor, left: timedelta, life: str) -> None:
    """In milliseconds, within what Vonage allows."""
    message = replace(SMS, expires_at=NOW + left)
    assert form(vendor, message, clock=NOW.timestamp)["ttl"] == life


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        ("1", Throttled),
        ("2", PermanentError),
        ("3", PermanentError),
        ("4", Unauthorized),
        ("5", OutcomeUnknown),
        ("6", InvalidRecipient),
        ("7", InvalidRecipient),
        ("8", Unauthorized),
        ("9", Unauthorized),
        ("10", Throttled),
        ("11", Unauthorized),
        ("12", PermanentError),
        ("14", Unauthorized),
        ("15", TransientError),
        ("22", PermanentError),
        ("23", Unauthorized),
        ("29", Unauthorized),
        ("32", Unauthorized),
        ("33", RecipientGone),
        ("99", TransientError),
    ],
)
def test_every_status_has_its_class(vendor: Vendor, status: str, kind: type[ProviderError]) -> None:
    """Although HTTP says 200."""
    error = refused(vendor, vonage_parts(status)({}))
    assert type(error) is kind
    assert (error.provider, error.status, error.code) == ("vonage", 200, status)
    assert error.retry_after == (1.0 if kind is Throttled else None)


def test_a_sender_of_the_message_is_its_own_fault(vendor: Vendor) -> None:
    """Another country's sender or the account's own stays in use."""
    provider = VONAGE.build(vendor, "transient")
    message = replace(SMS, sms_sender=SmsSender("Example", SmsSenderKind.ALPHANUMERIC))
    with pytest.raises(PermanentError):
        provider.send(message)
    provider.close()


def test_a_status_may_be_a_number(vendor: Vendor) -> None:
    """However JSON writes it."""
    reply = json_reply(200, {"messages": [{"status": 33, "error-text": "canary"}]})({})
    assert type(refused(vendor, reply)) is RecipientGone


def test_an_sms_that_was_accepted_in_part_is_not_sent_again(vendor: Vendor) -> None:
    """The recipient may get a piece: the lane's policy decides, and no retry."""
    error = refused(vendor, vonage_parts("0", "1")({}))
    assert (type(error), error.code) == (OutcomeUnknown, "1")


def test_a_long_sms_has_the_id_of_its_first_part(vendor: Vendor) -> None:
    """Receipts of the other parts are matched by our own ids."""
    provider = VONAGE.build(vendor, "accepted")
    vendor.on(VONAGE.path, vonage_parts("0", "0", "0")({}))
    assert provider.send(SMS).provider_id == "id-1"
    provider.close()


@pytest.mark.parametrize(
    "messages", [[], {}, [{"status": "0"}], [{"status": ""}], [{"status": "ok"}], ["0"], [None]]
)
def test_an_answer_without_statuses_leaves_the_outcome_unknown(
    vendor: Vendor, messages: object
) -> None:
    """A status of success without an id is not Vonage's either."""
    assert type(refused(vendor, json_reply(200, {"messages": messages})({}))) is OutcomeUnknown


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (401, {"error-code": "401", "error-code-label": "canary"}, Unauthorized),
        (403, {"type": "https://developer.vonage.com/api-errors#unauthorized"}, Unauthorized),
        (403, {"title": "canary"}, TransientError),
        (429, {"error-code": "429"}, Throttled),
        (500, {"error-code": "500"}, OutcomeUnknown),
    ],
)
def test_an_error_of_its_gateway_is_read_by_its_status(
    vendor: Vendor, status: int, body: object, kind: type[ProviderError]
) -> None:
    """Only in one of Vonage's forms."""
    assert type(refused(vendor, json_reply(status, body)({}))) is kind


def test_the_balance_shows_that_the_key_works(vendor: Vendor) -> None:
    """Nothing is sent."""
    provider = VONAGE.build(vendor, "accepted")
    vendor.on("/account/get-balance", json_reply(200, {"value": 10.28, "autoReload": False})({}))
    provider.check()  # type: ignore[attr-defined]
    vendor.on("/account/get-balance", json_reply(401, {"error-code": "401"})({}))
    with pytest.raises(Unauthorized):
        provider.check()  # type: ignore[attr-defined]
    vendor.on("/account/get-balance", say(200, b"<html>"))
    with pytest.raises(OutcomeUnknown):
        provider.check()  # type: ignore[attr-defined]
    provider.close()


@each_of(
    "options",
    [
        {"sender": ""},
        {"sender": "+49 151"},
        {"sender": "Twelve Chars"},
        {"api_key": ""},
        {"api_key": "a:b"},
        {"api_secret": ""},
        {"callback": "notify.example.com"},
        {"callback": f"https://notify.example.com/{'x' * 80}"},
        {"base_url": "rest.nexmo.com"},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    """At once, and without the secret in the text."""
    given = {"api_key": "abcd1234", "api_secret": "canary", "sender": "+15005550006"}
    with pytest.raises(ConfigError, match="vonage") as caught:
        Vonage(**{**given, **options})
    assert "canary" not in str(caught.value)


def test_wrong_options_are_found_before_it_is_built() -> None:
    """`notify config check` names each."""
    wrong = {"sender": "a-name-too-long", "callback": "x", "base_url": "y", "api_key": None}
    assert [name for name, _ in Vonage.wrong_options(wrong)] == ["sender", "callback", "base_url"]
