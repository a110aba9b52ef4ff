"""How each vendor says the same things, for the one contract that all providers keep."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from notify.message import Channel, Rendered
from notify.provider import Provider
from providers.fcm import Fcm
from providers.memory import Memory
from providers.sendgrid import SendGrid
from providers.twilio import Twilio
from tests.vendor import Reply, Seen, Vendor, say

TO = "canary-recipient@example.org"
TEXT = "canary-body"
KEY = "canary-key"
MESSAGE = Rendered(
    notification_id=UUID("00000000-0000-4000-8000-000000000001"),
    attempt_id=UUID("00000000-0000-4000-8000-000000000002"),
    to=TO,
    subject="canary-subject",
    text=TEXT,
    html=f"<p>{TEXT}</p>",
)
ECHO = f"{TO} {TEXT} {KEY}"
"""Free text of a vendor that repeats everything it was told."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    One vendor's words.

    Attributes:
        words: What it answers for each outcome of the contract.
        make: Builds its provider for a server at this address.
        path: Where it takes messages.
        ids: Our notification's and attempt's id in a request that it got.
    """

    name: str
    channel: Channel
    words: Mapping[str, Callable[[Mapping[str, str]], Reply]]
    make: Callable[..., Provider]
    path: str
    ids: Callable[[Seen], tuple[str, str]]

    def build(
        self, vendor: Vendor, word: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Provider:
        """A provider whose vendor will answer so."""
        vendor.on(self.path, self.words[word](headers or {}))
        vendor.on("/token", token("canary-token"))
        return self.make(base_url=vendor.url, **options)


def json_reply(status: int, value: object) -> Callable[[Mapping[str, str]], Reply]:
    """An answer in JSON, with headers to be named."""
    body = json.dumps(value).encode()
    return lambda headers: say(status, body, {"Content-Type": "application/json", **headers})


def token(value: str, seconds: int = 3600) -> Reply:
    """The answer of a token endpoint."""
    body = {"access_token": value, "expires_in": seconds, "token_type": "Bearer"}
    return json_reply(200, body)({})


def _sendgrid_error(status: int, field: str | None) -> Callable[[Mapping[str, str]], Reply]:
    return json_reply(status, {"errors": [{"message": ECHO, "field": field, "help": None}]})


def _sendgrid_ids(seen: Seen) -> tuple[str, str]:
    sent = json.loads(seen.body)["personalizations"][0]["custom_args"]
    return sent["notify_id"], sent["attempt_id"]


def _make_sendgrid(**options: Any) -> SendGrid:
    return SendGrid(api_key=KEY, sender="sender@example.com", **options)


def _twilio_error(status: int, code: int) -> Callable[[Mapping[str, str]], Reply]:
    return json_reply(status, {"code": code, "message": ECHO, "more_info": "", "status": status})


def _twilio_ids(seen: Seen) -> tuple[str, str]:
    callback = parse_qs(seen.body.decode())["StatusCallback"][0]
    query = parse_qs(urlsplit(callback).query)
    return query["notify_id"][0], query["attempt_id"][0]


def _make_twilio(**options: Any) -> Twilio:
    account = {"account_sid": "AC1", "auth_token": KEY, "sender": "+15005550006"}
    return Twilio(**{"status_callback": "https://notify.example.com/t", **account, **options})


def fcm_error(
    status: int, general: str, code: str | None = None, *details: object
) -> Callable[[Mapping[str, str]], Reply]:
    """An answer in Google's error form."""
    fcm = {"@type": "type.googleapis.com/google.firebase.fcm.v1.FcmError", "errorCode": code}
    error = {"code": status, "message": ECHO, "status": general}
    return json_reply(status, {"error": {**error, "details": [*details, *([fcm] if code else [])]}})


def _fcm_ids(seen: Seen) -> tuple[str, str]:
    data = json.loads(seen.body)["message"]["data"]
    return data["notify_id"], data["attempt_id"]


@cache
def service_account() -> str:
    """A key file with a key made for this test run; short, since a long one takes time."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)  # noqa: S505
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    account = {"client_email": "notify@example.com", "private_key": pem, "private_key_id": "1"}
    return json.dumps({"type": "service_account", "token_uri": "http://127.0.0.1:1/t", **account})


def _make_fcm(*, base_url: str, **options: Any) -> Fcm:
    account = {"service_account": service_account(), "token_uri": f"{base_url}/token"}
    return Fcm(base_url=base_url, **{"project": "demo", **account, **options})


SENDGRID = Dialect(
    name="sendgrid",
    channel=Channel.EMAIL,
    words={
        "accepted": lambda headers: say(202, b"", {"X-Message-Id": "id-1", **headers}),
        "transient": _sendgrid_error(503, None),
        "throttled": _sendgrid_error(429, None),
        "unauthorized": _sendgrid_error(401, None),
        "permanent": _sendgrid_error(400, "content.0.value"),
        "invalid": _sendgrid_error(400, "personalizations.0.to.0.email"),
        "unknown": _sendgrid_error(500, None),
    },
    make=_make_sendgrid,
    path="/v3/mail/send",
    ids=_sendgrid_ids,
)
TWILIO = Dialect(
    name="twilio",
    channel=Channel.SMS,
    words={
        "accepted": json_reply(201, {"sid": "id-1", "status": "queued", "error_code": None}),
        "transient": _twilio_error(503, 20503),
        "throttled": _twilio_error(429, 20429),
        "unauthorized": _twilio_error(401, 20003),
        "permanent": _twilio_error(400, 21617),
        "invalid": _twilio_error(400, 21211),
        "unknown": _twilio_error(500, 20500),
    },
    make=_make_twilio,
    path="/2010-04-01/Accounts/AC1/Messages.json",
    ids=_twilio_ids,
)
FCM = Dialect(
    name="fcm",
    channel=Channel.PUSH,
    words={
        "accepted": json_reply(200, {"name": "id-1"}),
        "transient": fcm_error(503, "UNAVAILABLE", "UNAVAILABLE"),
        "throttled": fcm_error(429, "RESOURCE_EXHAUSTED", "QUOTA_EXCEEDED"),
        "unauthorized": fcm_error(401, "UNAUTHENTICATED", "THIRD_PARTY_AUTH_ERROR"),
        "permanent": fcm_error(400, "INVALID_ARGUMENT", "INVALID_ARGUMENT"),
        "invalid": fcm_error(404, "NOT_FOUND", "UNREGISTERED"),
        "unknown": fcm_error(500, "INTERNAL", "INTERNAL"),
    },
    make=_make_fcm,
    path="/v1/projects/demo/messages:send",
    ids=_fcm_ids,
)


@dataclass(frozen=True, slots=True)
class Remembering:
    """The memory provider in the same words; it has no vendor."""

    name: str = "memory"
    channel: Channel = Channel.EMAIL

    def build(self, _vendor: Vendor, word: str, _headers: object = None, **_: Any) -> Provider:
        """A provider that will answer so."""
        return Memory(script={TO: [word]})


OVER_HTTP = (SENDGRID, TWILIO, FCM)
ALL = (*OVER_HTTP, Remembering())
