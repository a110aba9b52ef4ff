"""Apple's own words: the token of all workers, each reason, headers and payload."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from hypothesis import given
from hypothesis import strategies as st

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
from providers.apns import Apns
from providers.apns.token import ProviderToken
from tests.support.http2 import http2_front
from tests.support.tables import each_of
from tests.support.vendor import Vendor, say
from tests.unit.providers.dialects import APNS, MESSAGE, OPTIONS, apns_error, make_apns, p256_pem

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DEVICE = "0a" * 32
PUSH = replace(MESSAGE, to=DEVICE)
PATH = f"/3/device/{DEVICE}"
ACCEPTED = say(200, b"", {"apns-id": "id-1"})

REASONS: list[tuple[int, str, type[ProviderError]]] = [
    (400, "BadCollapseId", PermanentError),
    (400, "BadDeviceToken", InvalidRecipient),
    (400, "BadExpirationDate", PermanentError),
    (400, "BadMessageId", PermanentError),
    (400, "BadPriority", PermanentError),
    (400, "BadTopic", Unauthorized),
    (400, "DeviceTokenNotForTopic", TransientError),
    (400, "DuplicateHeaders", PermanentError),
    (400, "IdleTimeout", TransientError),
    (400, "InvalidPushType", PermanentError),
    (400, "MissingDeviceToken", InvalidRecipient),
    (400, "MissingTopic", Unauthorized),
    (400, "PayloadEmpty", PermanentError),
    (400, "TopicDisallowed", Unauthorized),
    (403, "BadCertificate", Unauthorized),
    (403, "BadCertificateEnvironment", Unauthorized),
    (403, "ExpiredProviderToken", TransientError),
    (403, "Forbidden", Unauthorized),
    (403, "InvalidProviderToken", Unauthorized),
    (403, "MissingProviderToken", Unauthorized),
    (403, "UnrelatedKeyIdInToken", Unauthorized),
    (403, "BadEnvironmentKeyIdInToken", Unauthorized),
    (404, "BadPath", TransientError),
    (405, "MethodNotAllowed", TransientError),
    (410, "ExpiredToken", RecipientGone),
    (410, "Unregistered", RecipientGone),
    (413, "PayloadTooLarge", PermanentError),
    (429, "TooManyProviderTokenUpdates", Throttled),
    (429, "TooManyRequests", TransientError),
    (500, "InternalServerError", OutcomeUnknown),
    (503, "ServiceUnavailable", TransientError),
    (503, "Shutdown", TransientError),
    (400, "SomethingNew", PermanentError),
]


def refused(provider: Apns) -> ProviderError:
    """Return the error of one send."""
    with pytest.raises(ProviderError) as caught:
        provider.send(PUSH)
    return caught.value


def test_every_reason_has_its_class(vendor: Vendor) -> None:
    """With the reason as the code; and all of them over one connection."""
    provider = make_apns(base_url=http2_front(vendor))
    for status, reason, kind in REASONS:
        vendor.on(PATH, apns_error(status, reason)({}))
        error = refused(provider)
        assert (type(error), error.status, error.code) == (kind, status, reason)
    provider.close()


def test_a_device_that_is_gone_has_the_time_of_apples_notice(vendor: Vendor) -> None:
    """A device that registered again later is not suppressed; a strange time is none."""
    provider = make_apns(base_url=http2_front(vendor))
    stamp = int(NOW.timestamp() * 1000)
    for value, since in [(stamp, NOW), (None, None), ("x", None), (True, None), (1e300, None)]:
        vendor.on(PATH, apns_error(410, "Unregistered", timestamp=value)({}))
        error = refused(provider)
        assert isinstance(error, RecipientGone)
        assert error.since == since
    provider.close()


def sent(vendor: Vendor, message: Any = PUSH, **options: Any) -> tuple[dict[str, str], Any]:
    """Return the headers and the JSON that arrive for a message."""
    provider = make_apns(base_url=http2_front(vendor), **options)
    vendor.on(PATH, ACCEPTED)
    assert provider.send(message).provider_id == "id-1"
    provider.close()
    return dict(vendor.seen[-1].headers), json.loads(vendor.seen[-1].body)


def test_a_message_is_written_as_apple_reads_it(vendor: Vendor) -> None:
    """A second copy replaces the first on the device; the app gets data and ids."""
    message = replace(PUSH, data={"order": "1017"}, text="Grüße \ud83d")
    headers, payload = sent(vendor, message)
    assert headers["apns-topic"] == "com.example.app"
    assert headers["apns-push-type"] == "alert"
    assert headers["apns-id"] == str(MESSAGE.attempt_id)
    assert headers["apns-collapse-id"] == str(MESSAGE.notification_id)
    assert "apns-expiration" not in headers
    assert payload == {
        "aps": {"alert": {"title": "canary-subject", "body": "Grüße ?"}},
        "order": "1017",
        "notify_id": str(MESSAGE.notification_id),
        "attempt_id": str(MESSAGE.attempt_id),
    }


def test_an_expiry_is_a_time(vendor: Vendor) -> None:
    """In seconds since 1970, at most 30 days ahead; 0 means now or never."""
    for hours, expected in [(1, NOW + timedelta(hours=1)), (9999, NOW + timedelta(days=30))]:
        message = replace(PUSH, expires_at=NOW + timedelta(hours=hours))
        headers, _ = sent(vendor, message, clock=NOW.timestamp)
        assert headers["apns-expiration"] == str(int(expected.timestamp()))
    message = replace(PUSH, expires_at=NOW - timedelta(hours=1))
    assert sent(vendor, message, clock=NOW.timestamp)[0]["apns-expiration"] == "0"


def test_the_options_of_a_message_are_written_as_apple_reads_them(vendor: Vendor) -> None:
    """The app finds its own values in its data too."""
    headers, payload = sent(vendor, replace(PUSH, push=OPTIONS), clock=NOW.timestamp)
    assert headers["apns-expiration"] == str(int(NOW.timestamp()) + 3600)
    assert headers["apns-priority"] == "5"
    assert headers["apns-collapse-id"] == "order 1017"
    assert headers["apns-topic"] == "com.example.other"
    assert payload["aps"] == {
        "alert": {"title": "canary-subject", "body": "canary-body"},
        "sound": "ping.caf",
        "badge": 0,
        "mutable-content": 1,
    }
    assert (payload["screen"], payload["link"]) == ("order", "https://example.com/1017")
    assert payload["image"] == "https://example.com/1017.png"


def test_a_topic_of_the_message_is_its_own_fault(vendor: Vendor) -> None:
    """A producer that names a foreign app must not stop all others."""
    provider = make_apns(base_url=http2_front(vendor))
    vendor.on(PATH, apns_error(400, "TopicDisallowed")({}))
    assert type(refused(provider)) is Unauthorized
    with pytest.raises(PermanentError):
        provider.send(replace(PUSH, push=OPTIONS))
    provider.close()


# --- the token


def token_at(seconds: float) -> str:
    """Return the token of a fresh process at a time."""
    token = ProviderToken(
        team_id="ABCDE12345", key_id="KEY1234567", key=p256_pem(), clock=lambda: seconds
    )
    return token.get()


@given(at=st.integers(1_700_000_000, 2_000_000_000), skew=st.integers(-300, 300))
def test_a_token_is_never_older_than_apple_accepts(at: int, skew: int) -> None:
    """Less than an hour, and not of the future, if both clocks agree within five minutes."""
    public = load_pem_private_key(p256_pem().encode(), None).public_key()
    read = jwt.decode(
        token_at(at),
        public,  # type: ignore[arg-type]
        algorithms=["ES256"],
        options={"verify_iat": False},
    )
    age = at + skew - read["iat"]
    assert read["iss"] == "ABCDE12345"
    assert 0 <= age < 3600


def test_all_workers_have_the_same_token_and_change_it_rarely() -> None:
    """In two hours, four tokens at most; two of them are never within 20 minutes."""
    start = 1_795_000_000
    changes, last = [], ""
    for at in range(start, start + 7200, 60):
        token = token_at(at)
        assert token == token_at(at + 0.5)
        if token != last:
            changes.append(at)
            last = token
    assert len(changes) <= 4
    assert all(after - before >= 1200 for before, after in pairwise(changes[1:]))


def test_the_key_id_is_in_the_header() -> None:
    """Apple finds the key by it."""
    assert jwt.get_unverified_header(token_at(0)) == {"alg": "ES256", "kid": "KEY1234567"}


# --- check and options


def test_a_good_key_passes_the_check(vendor: Vendor) -> None:
    """Apple checks the token before the device, which does not exist."""
    provider = make_apns(base_url=http2_front(vendor))
    vendor.default = apns_error(400, "BadDeviceToken")({})
    provider.check()
    vendor.default = apns_error(403, "InvalidProviderToken")({})
    with pytest.raises(Unauthorized):
        provider.check()
    vendor.default = say(200, b"<html>")
    with pytest.raises(OutcomeUnknown):
        provider.check()
    provider.close()


@pytest.mark.parametrize(
    ("to", "takes"),
    [
        (DEVICE, True),
        ("0A" * 80, True),
        ("0a" * 31, False),
        ("c:APA91b", False),
        ("https://x", False),
    ],
)
def test_it_takes_device_tokens_of_apple(to: str, takes: bool) -> None:
    """Hexadecimal digits, at least 64."""
    assert Apns.takes(to) is takes


@each_of(
    "options",
    [
        {"team_id": "short"},
        {"key_id": "lowercase1"},
        {"topic": "com.example/app"},
        {"key": "canary"},
        {"key": ""},
        {"base_url": "api.push.apple.com"},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    """At once, and without the key in the text."""
    with pytest.raises(ConfigError, match="apns") as caught:
        make_apns(**options)
    assert "canary" not in str(caught.value)


def test_a_key_on_one_line_is_read() -> None:
    """As a file of secrets has it."""
    make_apns(key=p256_pem().replace("\n", "\\n")).close()


def test_wrong_options_are_found_before_it_is_built() -> None:
    """`notify config check` names each; a secret is not checked."""
    wrong = {"team_id": "x", "key_id": "y", "topic": "", "key": None, "base_url": "z"}
    assert [name for name, _ in Apns.wrong_options(wrong)] == [
        "team_id", "key_id", "topic", "base_url",
    ]  # fmt: skip


def test_the_contracts_dialect_has_apples_path() -> None:
    """A token is quoted, whatever a producer writes."""
    assert APNS.path.endswith("canary-recipient%40example.org")
