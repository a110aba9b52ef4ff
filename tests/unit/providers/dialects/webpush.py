"""The push services' words, and a browser's subscription."""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from notify.message import Channel, Receipt, Rendered
from providers.webpush import WebPush
from tests.support.vendor import Reply, Seen, say
from tests.unit.providers.dialects.apns import p256_pem
from tests.unit.providers.dialects.dialect import ECHO, Dialect, json_reply

_AUTH = os.urandom(16)


@cache
def _browsers_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def subscription(endpoint: str) -> str:
    """Return the address of a browser that this test run plays."""
    point = _browsers_key().public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    keys = [base64.urlsafe_b64encode(each).rstrip(b"=").decode() for each in (point, _AUTH)]
    return f"{endpoint}#p256dh={keys[0]}&auth={keys[1]}"


def decrypted(body: bytes) -> Any:
    """Return the JSON that the browser reads, by a library that is not ours."""
    text = http_ece.decrypt(
        body, private_key=_browsers_key(), auth_secret=_AUTH, version="aes128gcm"
    )
    return json.loads(text)


class ToThisBrowser(WebPush):
    """Sends each message to the one browser that this test run plays."""

    def __init__(self, endpoint: str, **options: Any) -> None:
        super().__init__(**options)
        self._endpoint = endpoint

    def send(self, message: Rendered, /) -> Receipt:
        """Send it there."""
        return super().send(replace(message, to=subscription(self._endpoint)))


def make_webpush(*, base_url: str, **options: Any) -> ToThisBrowser:
    """A provider that may call this server only."""
    known = {"private_key": p256_pem(), "subject": "mailto:ops@example.com", "origins": [base_url]}
    return ToThisBrowser(f"{base_url}/push/1", **{**known, **options})


def _ids(seen: Seen) -> tuple[str, str]:
    data = decrypted(seen.body)["notification"]["data"]
    return data["notify_id"], data["attempt_id"]


def _text(status: int) -> Callable[[Mapping[str, str]], Reply]:
    return lambda headers: say(status, ECHO.encode(), {"Content-Type": "text/plain", **headers})


WEBPUSH = Dialect(
    name="webpush",
    channel=Channel.PUSH,
    words={
        "accepted": lambda headers: say(201, b"", {"Location": "id-1", **headers}),
        "transient": json_reply(503, {"errno": 201, "message": ECHO}),
        "throttled": _text(429),
        "unauthorized": _text(401),
        "permanent": _text(413),
        "invalid": _text(410),
        "unknown": json_reply(500, {"errno": 999, "message": ECHO}),
    },
    make=make_webpush,
    path="/push/1",
    ids=_ids,
    accepts=201,
)
