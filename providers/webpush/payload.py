"""A push message for a browser: JSON, encrypted for its subscription."""

from __future__ import annotations

import json
from typing import Any

import http_ece
from cryptography.hazmat.primitives.asymmetric import ec

from notify.message import NO_OPTIONS, Rendered
from providers.webpush.subscription import WebSubscription

_OVERHEAD = 17
"""Bytes of a record beside its text: the delimiter and the tag."""
_RECORD = 4096


def payload_of(message: Rendered) -> bytes:
    """
    Return the JSON that the app's service worker reads.

    With a link it is also a declarative message, which Safari shows without a service worker:
    https://www.w3.org/TR/push-api/#declarative-push-message.
    """
    push = message.push
    notification: dict[str, Any] = {
        "title": message.subject,
        "body": message.text,
        # A second copy replaces the first.
        "tag": push.collapse_key or str(message.notification_id),
        "data": message.app_data,
    }
    whole: dict[str, Any] = {"notification": notification}
    if push is not NO_OPTIONS:
        if push.image is not None:
            notification["image"] = push.image
        if push.link is not None and push.link.startswith("https://"):
            notification["navigate"] = push.link
            whole["web_push"] = 8030
        if push.badge is not None:
            whole["app_badge"] = push.badge
    text = json.dumps(whole, ensure_ascii=False, separators=(",", ":"))
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
