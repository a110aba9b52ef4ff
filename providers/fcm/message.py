"""A push message as FCM reads it, for Android, Apple's devices and browsers at once."""

from __future__ import annotations

from typing import Any

from notify.message import NO_OPTIONS, PushOptions, PushPriority, Rendered
from providers._shared.topic import topic_of

INSTALLATION = "fid:"
"""Before a Firebase installation id, which FCM takes beside registration tokens."""


def message_of(message: Rendered, *, life: int | None, now: int) -> dict[str, Any]:
    """
    Return the message's JSON.

    Args:
        life: Seconds for which FCM may keep it; None if it may choose.
        now: Seconds since 1970.
    """
    identity = str(message.notification_id)
    # A second copy of a message replaces the first on the device. On Android the tag does that:
    # FCM keeps only four collapse keys for each device, and drops the messages of the others.
    android: dict[str, Any] = {"notification": {"tag": identity}}
    apns: dict[str, Any] = {"headers": {"apns-collapse-id": identity}}
    webpush: dict[str, Any] = {
        "headers": {"Topic": topic_of(message)},
        "notification": {"tag": identity},
    }
    if life is not None:
        android["ttl"] = f"{life}s"
        apns["headers"]["apns-expiration"] = str(now + life)
        webpush["headers"]["TTL"] = str(life)
    notification = {"title": message.subject, "body": message.text}
    if message.push is not NO_OPTIONS:
        _add_looks(message.push, notification, android, apns)
        _add_delivery(message.push, android, apns, webpush)
    to = message.to
    installed = to.startswith(INSTALLATION)
    return {
        "fid" if installed else "token": to.removeprefix(INSTALLATION) if installed else to,
        "notification": notification,
        "data": message.app_data,
        "android": android,
        "apns": apns,
        "webpush": webpush,
    }


def _add_looks(
    push: PushOptions,
    notification: dict[str, str],
    android: dict[str, Any],
    apns: dict[str, Any],
) -> None:
    """Add picture, sound and badge."""
    aps: dict[str, Any] = {}
    if push.image is not None:
        notification["image"] = push.image
        aps["mutable-content"] = 1
        apns["fcm_options"] = {"image": push.image}
    if push.sound is not None:
        aps["sound"] = android["notification"]["sound"] = push.sound
    if push.badge is not None:
        aps["badge"] = push.badge
    if push.badge:
        android["notification"]["notification_count"] = push.badge
    if aps:
        apns["payload"] = {"aps": aps}


def _add_delivery(
    push: PushOptions, android: dict[str, Any], apns: dict[str, Any], webpush: dict[str, Any]
) -> None:
    """Add link, priority, collapse key and topic."""
    # FCM opens https only; an app reads any other link from its data.
    if push.link is not None and push.link.startswith("https://"):
        webpush["fcm_options"] = {"link": push.link}
    if push.priority is not None:
        high = push.priority is PushPriority.HIGH
        android["priority"] = "HIGH" if high else "NORMAL"
        apns["headers"]["apns-priority"] = "10" if high else "5"
        webpush["headers"]["Urgency"] = push.priority.value
    if push.collapse_key is not None:
        android["collapse_key"] = android["notification"]["tag"] = push.collapse_key
        apns["headers"]["apns-collapse-id"] = push.collapse_key
        webpush["notification"]["tag"] = push.collapse_key
    if push.topic is not None:
        apns["headers"]["apns-topic"] = push.topic
