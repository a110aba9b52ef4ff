"""FCM's words, and a key file for it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from notify.message import Channel
from providers.fcm import Fcm
from tests.support.vendor import Reply, Seen
from tests.unit.providers.dialects.dialect import ECHO, Dialect, json_reply


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
    # One for the messages, one for a token.
    connections=2,
)
