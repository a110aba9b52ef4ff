"""
The vocabulary of the service: channels, statuses, and the values of a delivery.

Not here: rules about them (`contract`, `delivery`), and how they are stored (`store`).
"""

from __future__ import annotations

from notify.message.extras import Extras
from notify.message.notification import Content, Identity, Notification, SharedBody, ids
from notify.message.push import NO_OPTIONS, PushOptions, PushPriority
from notify.message.rendered import (
    Attachment,
    MailSender,
    Receipt,
    Rendered,
    SmsSender,
    SmsSenderKind,
)
from notify.message.time_ids import RandomBuffer, lowest_id, time_id
from notify.message.words import Channel, Outcome, Status, Unknown

__all__ = [
    "NO_OPTIONS",
    "Attachment",
    "Channel",
    "Content",
    "Extras",
    "Identity",
    "MailSender",
    "Notification",
    "Outcome",
    "PushOptions",
    "PushPriority",
    "RandomBuffer",
    "Receipt",
    "Rendered",
    "SharedBody",
    "SmsSender",
    "SmsSenderKind",
    "Status",
    "Unknown",
    "ids",
    "lowest_id",
    "time_id",
]
