"""Amazon SES: its errors, its signature, and its options."""

from __future__ import annotations

import base64
import email
import json
import re
from collections.abc import Mapping
from email import policy
from typing import Any

import pytest

from notify.errors import (
    ConfigError,
    InvalidRecipient,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.message import MailSender
from providers.ses import Ses
from tests.support.vendor import Vendor
from tests.unit.providers.dialects import MESSAGE, SES
from tests.unit.providers.dialects.dialect import json_reply
from tests.unit.providers.dialects.ses import ses_error


def sent_to(vendor: Vendor, message: Any = MESSAGE, **options: Any) -> dict[str, Any]:
    """The request of one send."""
    provider = SES.build(vendor, "accepted", **options)
    provider.send(message)
    provider.close()
    request: dict[str, Any] = json.loads(vendor.seen[-1].body)
    return request


@pytest.mark.parametrize(
    ("status", "name", "text", "kind", "pause"),
    [
        (400, "MessageRejected", "Email address is not verified.", Unauthorized, None),
        (400, "MessageRejected", "Virus", PermanentError, None),
        (400, "MailFromDomainNotVerifiedException", "no", Unauthorized, None),
        (400, "BadRequestException", "Missing final '@domain'", InvalidRecipient, None),
        (400, "BadRequestException", "Bad", PermanentError, None),
        (400, "LimitExceededException", "Maximum", Throttled, 2.0),
        (400, "ThrottlingException", "Maximum sending rate exceeded", Throttled, 2.0),
        (429, "TooManyRequestsException", "Daily message quota exceeded", Throttled, 600.0),
        (400, "AccountSuspendedException", "no", Unauthorized, None),
        (400, "SendingPausedException", "no", Unauthorized, None),
        (404, "NotFoundException", "no configuration set", Unauthorized, None),
        (403, "SignatureDoesNotMatch", "no", Unauthorized, None),
        (400, "ExpiredTokenException", "no", Unauthorized, None),
        (403, "AccessDeniedException", "no", Unauthorized, None),
        (408, "RequestTimeoutException", "no", TransientError, None),
        (503, "ServiceUnavailable", "no", TransientError, None),
        (500, "InternalFailure", "no", OutcomeUnknown, None),
        (400, "SomethingNew", "no", PermanentError, None),
    ],
)
def test_each_documented_error_has_its_meaning(
    vendor: Vendor,
    status: int,
    name: str,
    text: str,
    kind: type[ProviderError],
    pause: float | None,
) -> None:
    """By its name, in the header or in the body; the texts distinguish a few."""
    in_body = json_reply(status, {"__type": f"com.amazonaws#{name}", "message": text})
    for reply in (ses_error(status, name, text), in_body):
        provider = SES.make(base_url=vendor.url)
        vendor.on(SES.path, reply({}))
        with pytest.raises(ProviderError) as caught:
            provider.send(MESSAGE)
        error = caught.value
        assert (type(error), error.code, error.retry_after) == (kind, name, pause)
        provider.close()


@pytest.mark.parametrize("name", ["MailFromDomainNotVerifiedException", "MessageRejected"])
def test_the_sender_of_a_category_does_not_open_the_circuit(vendor: Vendor, name: str) -> None:
    """Only the provider's own From is the same for every message."""
    provider = SES.make(base_url=vendor.url)
    vendor.on(SES.path, ses_error(400, name, "Email address is not verified.")({}))
    message = _with_sender()
    with pytest.raises(PermanentError):
        provider.send(message)
    provider.close()


def _with_sender() -> Any:
    return MESSAGE.__class__(
        MESSAGE.notification_id,
        MESSAGE.attempt_id,
        MESSAGE.to,
        subject="x",
        text="x",
        sender=MailSender("news@example.com", "Näws"),
        headers=[("List-Id", "<news.example.com>")],
    )


def test_the_message_travels_raw_with_our_ids_as_tags(vendor: Vendor) -> None:
    """In the same form as through an SMTP relay; no tag is personal."""
    request = sent_to(vendor, _with_sender(), configuration_set="events")
    mail = email.message_from_bytes(
        base64.b64decode(request["Content"]["Raw"]["Data"]), policy=policy.default
    )
    assert mail["from"] == "Näws <news@example.com>"
    assert mail["list-id"] == "<news.example.com>"
    assert mail["message-id"] == f"<{MESSAGE.attempt_id}@example.com>"
    assert request["FromEmailAddress"] == "news@example.com"
    assert request["Destination"] == {"ToAddresses": [MESSAGE.to]}
    assert request["ConfigurationSetName"] == "events"
    assert "canary" not in str(request["EmailTags"])


def test_the_signature_covers_the_body_and_the_host(vendor: Vendor) -> None:
    """The key itself is in no header."""
    sent_to(vendor)
    headers = vendor.seen[-1].headers
    signed = re.fullmatch(
        r"AWS4-HMAC-SHA256 Credential=canary-key/\d{8}/eu-central-1/ses/aws4_request,"
        r" SignedHeaders=content-type;host;x-amz-date, Signature=[0-9a-f]{64}",
        headers["authorization"],
    )
    assert signed, headers
    assert headers["host"] == vendor.url.removeprefix("http://")


def test_no_credentials_but_the_configured_ones_are_read(
    vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those of the environment, which botocore's own client would use."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "environment")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "environment")
    sent_to(vendor)
    assert "environment" not in str(vendor.seen[-1].headers)


@pytest.mark.parametrize(
    ("account", "kind"),
    [
        ({"SendingEnabled": True, "ProductionAccessEnabled": True}, None),
        ({"SendingEnabled": False, "ProductionAccessEnabled": True}, Unauthorized),
        ({"SendingEnabled": True, "ProductionAccessEnabled": False}, Unauthorized),
        ({}, OutcomeUnknown),
    ],
)
def test_the_account_is_checked_without_sending(
    vendor: Vendor, account: Mapping[str, bool], kind: type[ProviderError] | None
) -> None:
    """A paused account, and one that may only write to verified addresses."""
    provider = Ses(**_options(vendor.url))
    vendor.on("/v2/email/account", json_reply(200, dict(account))({}))
    if kind is None:
        provider.check()
    else:
        with pytest.raises(kind):
            provider.check()
    provider.close()


def _options(url: str) -> dict[str, Any]:
    return {
        "region": "eu-central-1",
        "access_key_id": "id",
        "secret_access_key": "key",
        "sender": "no-reply@example.com",
        "base_url": url,
    }


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("region", "Frankfurt"),
        ("sender", "Example <a@example.com>"),
        ("sender_name", "a\nb"),
        ("configuration_set", "a b"),
        ("base_url", "https://user@host"),
    ],
)
def test_wrong_options_are_found_before_anything_is_sent(option: str, value: str) -> None:
    """`notify config check` finds them by the same rules."""
    with pytest.raises(ConfigError, match=option):
        Ses(**{**_options("https://email.eu-central-1.amazonaws.com"), option: value})


def test_a_region_has_its_own_host() -> None:
    """And China another domain."""
    for region, host in (
        ("us-gov-west-1", "email.us-gov-west-1.amazonaws.com"),
        ("cn-north-1", "email.cn-north-1.amazonaws.com.cn"),
    ):
        options = {**_options(""), "region": region, "base_url": None}
        provider = Ses(**options)
        assert f"Host: {host}" in str(provider._signer.head("/", b""))
        provider.close()
