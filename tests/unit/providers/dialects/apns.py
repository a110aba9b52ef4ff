"""Apple's words, behind an HTTP/2 server that is not ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from notify.message import Channel
from notify.provider import Provider
from providers.apns import Apns
from tests.support.http2 import http2_front
from tests.support.vendor import Reply, Seen, Vendor, say
from tests.unit.providers.dialects.dialect import ECHO, Dialect, json_reply


def apns_error(status: int, reason: str, **more: object) -> Callable[[Mapping[str, str]], Reply]:
    """An answer in Apple's error form."""
    return json_reply(status, {"reason": reason, "canary": ECHO, **more})


@cache
def p256_pem() -> str:
    """A private key on P-256, made for this test run."""
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


def make_apns(**options: Any) -> Apns:
    """A provider with ids that are well-formed."""
    ids = {"team_id": "ABCDE12345", "key_id": "KEY1234567", "topic": "com.example.app"}
    return Apns(**{**ids, "key": p256_pem(), **options})


def _ids(seen: Seen) -> tuple[str, str]:
    payload = json.loads(seen.body)
    return payload["notify_id"], seen.headers["apns-id"]


@dataclass(frozen=True, slots=True)
class OverHttp2(Dialect):
    """A vendor that speaks HTTP/2 only."""

    def build(
        self, vendor: Vendor, word: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Provider:
        """A provider whose vendor will answer so, through a proxy."""
        vendor.on(self.path, self.words[word](headers or {}))
        return self.make(base_url=http2_front(vendor), **options)


APNS = OverHttp2(
    name="apns",
    channel=Channel.PUSH,
    words={
        "accepted": lambda headers: say(200, b"", {"apns-id": "id-1", **headers}),
        "transient": apns_error(503, "ServiceUnavailable"),
        "throttled": apns_error(429, "TooManyProviderTokenUpdates"),
        "unauthorized": apns_error(403, "InvalidProviderToken"),
        "permanent": apns_error(400, "PayloadEmpty"),
        "invalid": apns_error(400, "BadDeviceToken"),
        "unknown": apns_error(500, "InternalServerError"),
    },
    make=make_apns,
    path="/3/device/canary-recipient%40example.org",
    ids=_ids,
)
