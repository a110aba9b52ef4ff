"""The form of a dialect: how one vendor expresses each outcome of the contract."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from notify.message import Channel, PushOptions, PushPriority, Rendered
from notify.provider import Provider
from tests.support.vendor import Reply, Seen, Vendor, say

TO = "canary-recipient@example.org"
TEXT = "canary-body"
KEY = "canary-key"
MESSAGE = Rendered(
    notification_id=UUID("00000000-0000-4000-8000-000000000001"),
    attempt_id=UUID("00000000-0000-4000-8000-000000000002"),
    to=TO,
    subject="canary-subject",
    text=TEXT,
    html=f"<p>{TEXT}</p>",
)
OPTIONS = PushOptions(
    data={"screen": "order"},
    image="https://example.com/1017.png",
    sound="ping.caf",
    badge=0,
    link="https://example.com/1017",
    ttl=3600,
    priority=PushPriority.NORMAL,
    collapse_key="order 1017",
    topic="com.example.other",
)
"""All options of a push message."""
ECHO = f"{TO} {TEXT} {KEY}"
"""Free text of a vendor that repeats everything it was told."""


@dataclass(frozen=True, slots=True)
class Dialect:
    """
    One vendor's words.

    Attributes:
        words: What it answers for each outcome of the contract.
        make: Builds its provider for a server at this address.
        path: Where it takes messages.
        ids: Our notification's and attempt's id in a request that it got.
        accepts: The status with which it takes a message.
        connections: How many its provider keeps for messages sent one after the other.
    """

    name: str
    channel: Channel
    words: Mapping[str, Callable[[Mapping[str, str]], Reply]]
    make: Callable[..., Provider]
    path: str
    ids: Callable[[Seen], tuple[str, str]]
    accepts: int = 200
    connections: int = 1

    def build(
        self, vendor: Vendor, word: str, headers: Mapping[str, str] | None = None, **options: Any
    ) -> Provider:
        """A provider whose vendor will answer so."""
        vendor.on(self.path, self.words[word](headers or {}))
        vendor.on("/token", token("canary-token"))
        return self.make(base_url=vendor.url, **options)


def json_reply(status: int, value: object) -> Callable[[Mapping[str, str]], Reply]:
    """An answer in JSON, with headers to be named."""
    body = json.dumps(value).encode()
    return lambda headers: say(status, body, {"Content-Type": "application/json", **headers})


def token(value: str, seconds: int = 3600) -> Reply:
    """The answer of a token endpoint."""
    body = {"access_token": value, "expires_in": seconds, "token_type": "Bearer"}
    return json_reply(200, body)({})
