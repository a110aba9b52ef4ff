"""FCM's own words: its request, its codes, and the access token behind every call."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
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
from notify.provider import Provider
from providers.fcm import Fcm
from tests.unit.providers.dialects import (
    FCM,
    MESSAGE,
    fcm_error,
    json_reply,
    service_account,
    token,
)
from tests.vendor import Reply, Vendor, hang, reset, say

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
TOKEN_FIELD = {
    "@type": "type.googleapis.com/google.rpc.BadRequest",
    "fieldViolations": [{"field": "message.token", "description": "canary"}],
}


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A server that does what the test says."""
    with Vendor() as vendor:
        yield vendor


def push(vendor: Vendor, message: Any = MESSAGE, **options: Any) -> dict[str, Any]:
    """What arrives for a message."""
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


def asked(vendor: Vendor) -> int:
    """How often a token was asked for."""
    return [seen.path for seen in vendor.seen].count("/token")


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
        (fcm_error(404, "NOT_FOUND", "UNREGISTERED"), InvalidRecipient, "UNREGISTERED"),
        (fcm_error(404, "NOT_FOUND"), TransientError, "NOT_FOUND"),
        (
            fcm_error(403, "PERMISSION_DENIED", "SENDER_ID_MISMATCH"),
            InvalidRecipient,
            "SENDER_ID_MISMATCH",
        ),
        (fcm_error(403, "PERMISSION_DENIED"), Unauthorized, "PERMISSION_DENIED"),
        (
            fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT", TOKEN_FIELD),
            InvalidRecipient,
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
            InvalidRecipient,
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


def test_a_token_serves_many_messages_and_threads(vendor: Vendor) -> None:
    """It is fetched once, also where many threads come first at once."""
    provider = FCM.build(vendor, "accepted")
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(provider.send, [MESSAGE] * 24))
    assert asked(vendor) == 1
    provider.close()


def test_a_token_is_renewed_before_it_ends(vendor: Vendor) -> None:
    """Five minutes early, so that no call meets its end."""
    now = [datetime.now(UTC).timestamp()]
    provider = FCM.build(vendor, "accepted", clock=lambda: now[0])
    provider.send(MESSAGE)
    now[0] += 3250
    provider.send(MESSAGE)
    assert asked(vendor) == 1
    now[0] += 60
    vendor.on("/token", token("canary-second", seconds=9999))
    provider.send(MESSAGE)
    assert asked(vendor) == 2
    assert vendor.seen[-1].headers["authorization"] == "Bearer canary-second"
    provider.close()


def test_a_token_that_still_serves_outlives_a_failed_renewal(vendor: Vendor) -> None:
    """Nothing is lost while the old one is good; it is tried again, but not by every call."""
    now = [datetime.now(UTC).timestamp()]
    provider = FCM.build(vendor, "accepted", clock=lambda: now[0])
    provider.send(MESSAGE)
    vendor.on("/token", say(500))
    now[0] += 3310
    provider.send(MESSAGE)
    provider.send(MESSAGE)
    assert asked(vendor) == 2
    now[0] += 20
    provider.send(MESSAGE)
    assert asked(vendor) == 3
    now[0] += 300
    assert type(error_of(provider)) is TransientError
    provider.close()


def test_nobody_waits_for_a_renewal_while_the_old_token_serves(vendor: Vendor) -> None:
    """One thread renews it; the others go on sending."""
    now = [datetime.now(UTC).timestamp()]
    provider = FCM.build(vendor, "accepted", clock=lambda: now[0], timeout=1.0)
    provider.send(MESSAGE)
    vendor.on("/token", hang)
    now[0] += 3310
    with ThreadPoolExecutor(1) as thread:
        renewing = thread.submit(provider.send, MESSAGE)
        assert vendor.wait_for_requests(3)
        started = time.monotonic()
        provider.send(MESSAGE)
        assert time.monotonic() - started < 0.3
        renewing.result()
    provider.close()


def test_a_refused_token_is_fetched_anew(vendor: Vendor) -> None:
    """A token that was revoked does not stay until its end."""
    provider = FCM.build(vendor, "unauthorized")
    assert type(error_of(provider)) is Unauthorized
    vendor.on("/token", token("canary-second"))
    vendor.on(FCM.path, FCM.words["accepted"]({}))
    provider.send(MESSAGE)
    assert vendor.seen[-1].headers["authorization"] == "Bearer canary-second"
    provider.close()


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (json_reply(400, {"error": "invalid_grant", "why": "canary"})({}), Unauthorized),
        (json_reply(401, {"error": "invalid_client"})({}), Unauthorized),
        (json_reply(429, {"error": "slow"})({}), Throttled),
        (json_reply(503, {"error": "canary x"})({}), TransientError),
        (json_reply(200, {"access_token": "canary", "expires_in": "soon"})({}), TransientError),
        (json_reply(200, {"access_token": "canary\n", "expires_in": 3600})({}), TransientError),
        (json_reply(200, {"access_token": "", "expires_in": 3600})({}), TransientError),
        (say(400, b"<html>canary</html>"), TransientError),
        (say(200, b"[]"), TransientError),
        (reset, TransientError),
        (hang, TransientError),
    ],
)  # fmt: skip
def test_without_a_token_nothing_was_sent(
    vendor: Vendor, reply: Reply, kind: type[ProviderError]
) -> None:
    """Whatever became of the token's request, no message left: never an unknown outcome."""
    provider = FCM.build(vendor, "accepted", timeout=0.4 if reply is hang else 10.0)
    vendor.on("/token", reply)
    started = time.monotonic()
    error = error_of(provider)
    assert time.monotonic() - started < 2.0
    assert type(error) is kind
    assert "nothing was sent" in str(error)
    assert [seen.path for seen in vendor.seen] == ["/token"]
    provider.close()


@pytest.mark.parametrize(
    "options",
    [
        {"project": "no/such"},
        {"service_account": "canary"},
        {"service_account": "[]"},
        {"service_account": '{"private_key": "canary", "client_email": "x", "token_uri": "y"}'},
        {"token_uri": "canary"},
        {"base_url": "fcm.googleapis.com"},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    """At once, and without the key in the text."""
    given: dict[str, Any] = {"project": "demo", "service_account": service_account()}
    with pytest.raises(ConfigError, match="fcm") as caught:
        Fcm(**{**given, **options})
    assert "canary" not in str(caught.value)
