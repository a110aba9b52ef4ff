"""A push message as Apple reads it: headers and JSON."""

from __future__ import annotations

import json
from typing import Any

from notify.message import Rendered

LATEST = 4_102_444_800
"""Seconds since 1970: the year 2100. A later expiry is none."""


def headers_of(message: Rendered, now: float) -> dict[str, str]:
    """
    Return the headers of one message.

    `apns-id` is our attempt's id: Apple repeats it in its answer and its console. A second copy of
    a message replaces the first on the device, since both have one `apns-collapse-id`.
    """
    headers = {
        "apns-push-type": "alert",
        "apns-id": str(message.attempt_id),
        "apns-collapse-id": str(message.notification_id),
    }
    if message.expires_at is not None:
        expiry = max(int(message.expires_at.timestamp()), int(now))
        headers["apns-expiration"] = str(min(expiry, LATEST))
    return headers


def payload_of(message: Rendered) -> bytes:
    """Return the JSON of one message; its data are beside Apple's own dictionary."""
    aps: dict[str, Any] = {"alert": {"title": message.subject, "body": message.text}}
    ids = {"notify_id": str(message.notification_id), "attempt_id": str(message.attempt_id)}
    payload = {**message.data, **ids, "aps": aps}
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
