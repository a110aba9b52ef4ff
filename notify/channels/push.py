"""The channel `push`."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, Field

from notify.channels.definition import ChannelDefinition, ContentPart, ContentProblem
from notify.channels.request import TO, Request, Strict, To
from notify.channels.words import Line, refuse
from notify.message import Channel, Unknown

LARGEST = 4096
"""Bytes of title, body and data together, including the names of the data and the two ids."""

# https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode, INVALID_ARGUMENT. The pages
# about `data` differ from each other: this is everything that any of them reserves.
_RESERVED = frozenset({"from", "message_type"})
_PREFIXES = ("gcm", "google")
_IDS = dict.fromkeys(("notify_id", "attempt_id"), "0" * 36)

_TOKEN = re.compile(r"[!-~]{1,4096}")


def device_token(text: str) -> str:
    """Return a push token: 1 to 4,096 printable ASCII characters without spaces."""
    if not _TOKEN.fullmatch(text):
        hint = "send the token as the app received it"
        raise refuse("not a device token", hint)
    return text


DeviceToken = Annotated[
    str,
    Field(max_length=4096, json_schema_extra={"pattern": "^[!-~]+$"}, examples=["dGhpcyBpcyBh"]),
    AfterValidator(device_token),
]


class PushRecipient(Strict):
    """One recipient of a batch of push messages."""

    to: DeviceToken = Field(description="The device's registration token.")
    data: dict[str, Any] | None = Field(default=None, description="Data for this recipient.")


class PushRequest(Request):
    """A push message: `template`, or `title` and `body`."""

    to: To[DeviceToken, PushRecipient] = Field(description=TO)
    title: Line | None = Field(default=None, description="The title, on one line.")
    # Characters here, for the schema; `PushChannel.problems` counts bytes.
    body: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None,
        description=(
            "The text below the title. Title, body and metadata have 4,096 bytes together, 129"
            " of which the service's own ids take."
        ),
    )


class PushChannel(ChannelDefinition):
    """Push messages, counted in messages. A second copy does little harm: resend."""

    channel = Channel.PUSH
    request = PushRequest
    parts = (ContentPart("title", "subject"), ContentPart("body", "text"))
    complete = (("title",), ("body",))
    unknown = Unknown.RESEND
    examples = (
        {
            "id": "f4c1c7f0-7f0b-4a4e-8f64-0f9d8f8e3b13",
            "to": "dGhpcyBpcyBhIHRva2Vu",
            "title": "Your parcel",
            "body": "It arrives today.",
        },
    )

    def looks_like_address(self, text: str) -> bool:  # noqa: ARG002 - a token has no form
        """Whether it is any text: a device token has no form that others do not have."""
        return True

    def is_address(self, text: str) -> bool:
        """Whether a request may have it as its recipient."""
        return _TOKEN.fullmatch(text) is not None

    def problems(self, request: PushRequest) -> Iterator[ContentProblem]:
        """Yield names of metadata that FCM or the service reserves, and a message too large."""
        metadata = request.metadata or {}
        yield from _reserved(metadata)
        size = payload_size(request.title or "", request.body or "", metadata)
        if size > LARGEST:
            where = "body" if request.body else "metadata"
            rest = "with title and metadata" if request.body else "alone"
            why = f"{size} bytes {rest}; FCM accepts {LARGEST}"
            hint = "shorten it; a letter outside ASCII takes two bytes or more"
            yield ContentProblem([where], why, hint)


def _reserved(metadata: Mapping[str, str]) -> Iterator[ContentProblem]:
    for name in metadata:
        if name in _RESERVED or name.startswith(_PREFIXES):
            hint = "rename it: from, message_type, gcm... and google... are FCM's own"
            yield ContentProblem(["metadata", name], "a name that FCM reserves", hint)
        elif name in _IDS:
            hint = "rename it: notify_id and attempt_id reach the app with the message's own values"
            yield ContentProblem(["metadata", name], "a name that the service uses", hint)


def payload_size(title: str, body: str, data: Mapping[str, str]) -> int:
    """Return the size of a push message in bytes, as JSON in UTF-8 without spaces."""
    parts = [{"title": title, "body": body}, {**data, **_IDS}]
    return len(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode())
