"""The notifications that scenes publish."""

from __future__ import annotations

import json
from collections.abc import Callable
from uuid import uuid4

from notify.message import Channel
from notify.publisher import Outgoing
from notify.topology import routing_key

SOURCE = "shop"
_LONG = "Your order has left our house and will be with you on Friday. " * 6
"""An SMS of three segments: 372 characters of GSM-7."""


def maker(channel: Channel, lane: str = "normal") -> Callable[[int], Outgoing]:
    """Return the function that makes a channel's messages by their number."""

    def make(number: int) -> Outgoing:
        id_ = str(uuid4())
        return Outgoing(
            body=json.dumps({"id": id_, **_FIELDS[channel](number)}).encode(),
            routing_key=routing_key(channel, lane, SOURCE),
            message_id=id_,
        )

    return make


_FIELDS: dict[Channel, Callable[[int], dict[str, str]]] = {
    Channel.EMAIL: lambda number: {
        "to": f"r{number}@example.com",
        "subject": "Hello",
        "text": f"Your code is {number}.",
    },
    Channel.SMS: lambda number: {"to": f"+49151{10_000_000 + number}", "text": _LONG},
    Channel.PUSH: lambda number: {"to": f"device-{number}", "title": "Hello", "body": "Hello"},
}
