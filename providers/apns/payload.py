"""A push message as Apple reads it: headers and JSON."""

from __future__ import annotations

import json
from typing import Any

from notify.message import NO_OPTIONS, PushPriority, Rendered

LONGEST_LIFE = 2_592_000
"""Seconds: the 30 days for which Apple keeps a message at most."""


def headers_of(message: Rendered, now: float) -> dict[str, str]:
    """
    Return the headers of one message.

    `apns-id` is our attempt's id: Apple repeats it in its answer and its console. A second copy of
    a message replaces the first on the device, since both have one `apns-collapse-id`.
    """
    push = message.push
    headers = {
        "apns-push-type": "alert",
        "apns-id": str(message.attempt_id),
        "apns-collapse-id": push.collapse_key or str(message.notification_id),
    }
    life = message.push_life(now, longest=LONGEST_LIFE)
    if life is not None:
        # 0 is "now or never".
        headers["apns-expiration"] = str(int(now) + life if life else 0)
    if push.priority is not None:
        headers["apns-priority"] = "10" if push.priority is PushPriority.HIGH else "5"
    return headers


def payload_of(message: Rendered) -> bytes:
    """Return the JSON of one message; the app's data are beside Apple's own dictionary."""
    aps: dict[str, Any] = {"alert": {"title": message.subject, "body": message.text}}
    push = message.push
    if push is not NO_OPTIONS:
        if push.sound is not None:
            aps["sound"] = push.sound
        if push.badge is not None:
            aps["badge"] = push.badge
        if push.image is not None:
            # An extension of the app loads the picture, whose address is in its data.
            aps["mutable-content"] = 1
    payload = {**message.app_data, "aps": aps}
    return json.dumps(payload, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
