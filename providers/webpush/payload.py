"""A push message for a browser: JSON, encrypted for its subscription."""

from __future__ import annotations

import json
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec

from notify.message import Rendered
from providers.webpush.subscription import WebSubscription

_OVERHEAD = 17
"""Bytes of a record beside its text: the delimiter and the tag."""
_RECORD = 4096


def payload_of(message: Rendered) -> bytes:
    """Return the JSON that the app's service worker reads."""
    ids = {"notify_id": str(message.notification_id), "attempt_id": str(message.attempt_id)}
    notification: dict[str, Any] = {
        "title": message.subject,
        "body": message.text,
        # A second copy replaces the first.
        "tag": str(message.notification_id),
        "data": {**message.data, **ids},
    }
    text = json.dumps({"notification": notification}, ensure_ascii=False, separators=(",", ":"))
    return text.encode(errors="replace")


def encrypted(text: bytes, subscription: WebSubscription) -> bytes:
    """Return the text encrypted for one browser, in one record (RFC 8291)."""
    sealed: bytes = http_ece.encrypt(
        text,
        private_key=ec.generate_private_key(ec.SECP256R1()),
        dh=subscription.key,
        auth_secret=subscription.auth,
        rs=max(_RECORD, len(text) + _OVERHEAD),
        version="aes128gcm",
    )
    return sealed
