"""FCM's own words: its request, its codes, and the access token behind every call."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from notify.errors import (
    ConfigError,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    RecipientGone,
    TransientError,
    Unauthorized,
)
from notify.message import PushOptions
from notify.provider import Provider
from providers.fcm import Fcm
from tests.support.tables import each_of
from tests.support.vendor import Vendor
from tests.unit.providers.dialects import (
    FCM,
    MESSAGE,
    OPTIONS,
    fcm_error,
    json_reply,
    service_account,
)

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOKEN_FIELD = {
    "@type": "type.googleapis.com/google.rpc.BadRequest",
    "fieldViolations": [{"field": "message.token", "description": "canary"}],
}


def push(vendor: Vendor, message: Any = MESSAGE, **options: Any) -> dict[str, Any]:
    """The request for a message."""
    provider = FCM.build(vendor, "accepted", **options)
    provider.send(message)
    provider.close()
    sent: dict[str, Any] = json.loads(vendor.seen[-1].body)["message"]
    return sent


def error_of(provider: Provider) -> ProviderError:
    """The error of one send."""
    with pytest.raises(ProviderError) as caught:
        provider.send(MESSAGE)
    assert "canary" not in str(caught.value)
    return caught.value


def test_a_push_is_written_as_fcm_reads_it(vendor: Vendor) -> None:
    """A second copy replaces the first on every platform; the app's data goes along."""
    identity = str(MESSAGE.notification_id)
    assert push(vendor, replace(MESSAGE, data={"order": "7", "notify_id": "theirs"})) == {
        "token": MESSAGE.to,
        "notification": {"title": "canary-subject", "body": "canary-body"},
        "data": {"order": "7", "notify_id": identity, "attempt_id": str(MESSAGE.attempt_id)},
        "android": {"notification": {"tag": identity}},
        "apns": {"headers": {"apns-collapse-id": identity}},
        "webpush": {
            "headers": {"Topic": MESSAGE.notification_id.hex},
            "notification": {"tag": identity},
        },
    }
    assert vendor.seen[-1].headers["authorization"] == "Bearer canary-token"


def test_the_options_of_a_message_are_written_for_every_platform(vendor: Vendor) -> None:
    """The app finds its own values in its data too."""
    sent = push(vendor, replace(MESSAGE, push=replace(OPTIONS, badge=7)))
    assert sent["notification"]["image"] == "https://example.com/1017.png"
    assert sent["android"] == {
        "ttl": "3600s",
        "priority": "NORMAL",
        "collapse_key": "order 1017",
        "notification": {"tag": "order 1017", "sound": "ping.caf", "notification_count": 7},
    }
    apple = sent["apns"]
    assert apple["payload"] == {"aps": {"sound": "ping.caf", "badge": 7, "mutable-content": 1}}
    assert apple["fcm_options"] == {"image": "https://example.com/1017.png"}
    assert apple["headers"]["apns-collapse-id"] == "order 1017"
    assert apple["headers"]["apns-priority"] == "5"
    assert apple["headers"]["apns-topic"] == "com.example.other"
    web = sent["webpush"]
    assert web["fcm_options"] == {"link": "https://example.com/1017"}
    assert web["notification"] == {"tag": "order 1017"}
    assert (web["headers"]["TTL"], web["headers"]["Urgency"]) == ("3600", "normal")
    assert len(web["headers"]["Topic"]) == 32
    ids = {"notify_id": str(MESSAGE.notification_id), "attempt_id": str(MESSAGE.attempt_id)}
    addresses = {"link": "https://example.com/1017", "image": "https://example.com/1017.png"}
    assert sent["data"] == {"screen": "order", **addresses, **ids}


def test_a_badge_of_zero_and_a_link_of_the_app_reach_the_app_only(vendor: Vendor) -> None:
    """Android counts from one, and FCM opens https alone."""
    sent = push(vendor, replace(MESSAGE, push=PushOptions(badge=0, link="shop://order/1")))
    assert "notification_count" not in sent["android"]["notification"]
    assert sent["apns"]["payload"] == {"aps": {"badge": 0}}
    assert "fcm_options" not in sent["webpush"]
    assert sent["data"]["link"] == "shop://order/1"


def test_an_installation_id_is_another_field(vendor: Vendor) -> None:
    """FCM is told which of both an address is."""
    sent = push(vendor, replace(MESSAGE, to="fid:dGhpcyBpcyBh"))
    assert sent["fid"] == "dGhpcyBpcyBh"
    assert "token" not in sent


@pytest.mark.parametrize(
    ("left", "life"),
    [(timedelta(minutes=5), 300), (timedelta(days=90), 2_419_200), (timedelta(seconds=-1), 0)],
)
def test_an_expiry_becomes_a_life_on_every_platform(
    vendor: Vendor, left: timedelta, life: int
) -> None:
    """In whole seconds, within FCM's four weeks."""
    sent = push(vendor, replace(MESSAGE, expires_at=NOW + left), clock=NOW.timestamp)
    assert sent["android"]["ttl"] == f"{life}s"
    assert sent["apns"]["headers"]["apns-expiration"] == str(int(NOW.timestamp()) + life)
    assert sent["webpush"]["headers"]["TTL"] == str(life)


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        (fcm_error(404, "NOT_FOUND", "UNREGISTERED"), RecipientGone, "UNREGISTERED"),
        (fcm_error(404, "NOT_FOUND"), TransientError, "NOT_FOUND"),
        (
            fcm_error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
            TransientError,
            "SENDER_ID_MISMATCH",
        ),
        (fcm_error(403, "PERMISSION_DENIED"), Unauthorized, "PERMISSION_DENIED"),
        (
            fcm_error(400, "INVALID_ARGUMENT", "THIRD_PARTY_AUTH_ERROR"),
            Unauthorized,
            "THIRD_PARTY_AUTH_ERROR",
        ),
        (
            fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", TOKEN_FIELD),
            RecipientGone,
            "INVALID_ARGUMENT",
        ),
        (fcm_error(400, "INVALID_ARGUMENT"), PermanentError, "INVALID_ARGUMENT"),
        (fcm_error(500, "INTERNAL", "QUOTA_EXCEEDED"), OutcomeUnknown, "QUOTA_EXCEEDED"),
        (
            json_reply(
                400,
                {
                    "error": {
                        "status": "INVALID_ARGUMENT",
                        "message": "The registration token is not a valid FCM registration token",
                    }
                },
            ),
            RecipientGone,
            "INVALID_ARGUMENT",
        ),
        (json_reply(400, {"error": {"status": "canary", "details": 1}}), TransientError, None),
    ],
)
def test_a_code_says_who_is_at_fault(
    vendor: Vendor, answer: Any, kind: type[ProviderError], code: str | None
) -> None:
    """FCM's own code goes before Google's general one."""
    provider = FCM.build(vendor, "accepted")
    vendor.on(FCM.path, answer({}))
    error = error_of(provider)
    assert (type(error), error.code) == (kind, code)
    provider.close()


def test_a_quota_without_a_time_is_waited_for_a_minute(vendor: Vendor) -> None:
    """It is filled up every minute."""
    provider = FCM.build(vendor, "throttled")
    assert error_of(provider).retry_after == 60.0
    provider.close()


@each_of(
    "options",
    [
        {"project": "no/such"},
        {"service_account": "canary"},
        {"service_account": "[]"},
        {"service_account": '{"private_key": "canary", "client_email": "x", "token_uri": "y"}'},
        {"token_uri": "canary"},
        {"token_uri": "https://oauth2.googleapis.com@canary.example.com/token"},
        {"base_url": "fcm.googleapis.com"},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    """At once, and without the key in the text."""
    given: dict[str, Any] = {"project": "demo", "service_account": service_account()}
    with pytest.raises(ConfigError, match="fcm") as caught:
        Fcm(**{**given, **options})
    assert "canary" not in str(caught.value)
