"""The Topic of a web push message (RFC 8030 section 5.4)."""

from __future__ import annotations

import hashlib
import re

from notify.message import Rendered
from providers._shared.jwt import base64url

_TOPIC = re.compile(r"[A-Za-z0-9_-]{1,32}")


def topic_of(message: Rendered) -> str:
    """
    Return the topic: at most 32 letters, digits, - and _.

    A message that still waits for the device is replaced by a later one of its topic: by a second
    copy, or by one with the same collapse key.
    """
    key = message.push.collapse_key
    if key is None:
        return message.notification_id.hex
    if _TOPIC.fullmatch(key):
        return key
    return base64url(hashlib.sha256(key.encode()).digest())[:32]
