"""The channel `push`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from notify.channels.definition import ChannelDefinition, ContentPart, ContentProblem
from notify.channels.push_fields import (
    LONGEST_LIFE,
    AppData,
    AppTopic,
    CollapseKey,
    ImageAddress,
    LinkAddress,
    PushAddress,
    SoundName,
    is_push_address,
)
from notify.channels.request import TO, Request, Strict, To
from notify.channels.words import Line
from notify.message import NO_OPTIONS, Channel, Extras, PushOptions, PushPriority, Unknown

LARGEST = 4096
"""Bytes of title, body, data and addresses together, including all names and the two ids."""

# https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode, INVALID_ARGUMENT. The pages
# about `data` differ from each other: this is everything that any of them reserves.
_RESERVED = frozenset({"from", "message_type"})
_PREFIXES = ("gcm", "google")
_IDS = dict.fromkeys(("notify_id", "attempt_id"), "0" * 36)
_OWN = frozenset({"link", "image"})
"""Names under which an app gets these fields."""
_OPTIONS = frozenset(
    {"app_data", "image", "sound", "badge", "link", "ttl", "priority", "collapse_key", "topic"}
)


class PushRecipient(Strict):
    """One recipient of a batch of push messages."""

    to: PushAddress = Field(description="The device's token, or another address.")
    data: dict[str, Any] | None = Field(default=None, description="Data for this recipient.")


class PushRequest(Request):
    """A push message: `template`, or `title` and `body`."""

    to: To[PushAddress, PushRecipient] = Field(
        description=(
            f"{TO} Each is a device's token; fid: and an installation id; or a browser's"
            " subscription, as endpoint#p256dh=...&auth=..."
        )
    )
    title: Line | None = Field(default=None, description="The title, on one line.")
    # Characters here, for the schema; `PushChannel.problems` counts bytes.
    body: Annotated[str, Field(min_length=1, max_length=4096)] | None = Field(
        default=None,
        description=(
            "The text below the title. Title, body, metadata, app_data, image and link have 4,096"
            " bytes together, 129 of which the service's own ids take."
        ),
    )
    app_data: AppData | None = Field(
        default=None,
        description="Key-value pairs for the app, beside `metadata`; they are in no event.",
        examples=[{"screen": "order"}],
    )
    image: ImageAddress | None = Field(
        default=None,
        description="The https address of a picture.",
        examples=["https://example.com/parcel.png"],
    )
    sound: SoundName | None = Field(
        default=None, description="`default`, or the name of a sound of the app."
    )
    badge: Annotated[int, Field(ge=0, le=99_999)] | None = Field(
        default=None, description="The number on the app's icon; 0 removes it."
    )
    link: LinkAddress | None = Field(
        default=None,
        description="The address that a tap opens: https, or a scheme of the app.",
        examples=["https://example.com/orders/1017"],
    )
    ttl: Annotated[int, Field(ge=0, le=LONGEST_LIFE)] | None = Field(
        default=None,
        description=(
            "Seconds for which the push service keeps it for a device that is away; 0: now or"
            " never. At most until expires_at. Default: as long as the push service allows."
        ),
    )
    priority: PushPriority | None = Field(
        default=None,
        # JSON has no enumerations.
        strict=False,
        description="high: at once, also on a device that sleeps. Default: the push service's.",
    )
    collapse_key: CollapseKey | None = Field(
        default=None,
        description="A later message with the same key replaces this one on the device.",
        examples=["order-1017"],
    )
    topic: AppTopic | None = Field(
        default=None,
        description="The app's bundle id at Apple, if it is not the configured one.",
        examples=["com.example.app"],
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
        {
            "id": "f4c1c7f0-7f0b-4a4e-8f64-0f9d8f8e3b14",
            "to": "dGhpcyBpcyBhIHRva2Vu",
            "title": "Your parcel",
            "body": "It arrives today.",
            "app_data": {"screen": "order"},
            "link": "https://example.com/orders/1017",
            "collapse_key": "order-1017",
            "priority": "high",
            "ttl": 3600,
        },
    )

    def looks_like_address(self, text: str) -> bool:  # noqa: ARG002 - a token has no form
        """Whether it is any text: a device token has no form that others do not have."""
        return True

    def is_address(self, text: str) -> bool:
        """Whether a request may have it as its recipient."""
        return is_push_address(text)

    def extras(self, request: Any) -> Extras | None:
        """Return the options, if it has any."""
        if _OPTIONS.isdisjoint(request.model_fields_set):
            return None
        options = PushOptions(
            data=request.app_data or {},
            image=request.image,
            sound=request.sound,
            badge=request.badge,
            link=request.link,
            ttl=request.ttl,
            priority=request.priority,
            collapse_key=request.collapse_key,
            topic=request.topic,
        )
        return None if options == NO_OPTIONS else Extras(push=options)

    def problems(self, request: PushRequest) -> Iterator[ContentProblem]:
        """Yield names of data that FCM or the service reserves, and a message too large."""
        metadata, data = request.metadata or {}, request.app_data or {}
        own = {name for name in _OWN if getattr(request, name) is not None}
        yield from _reserved("metadata", metadata, own)
        yield from _reserved("app_data", data, own | metadata.keys())
        extra = {name: str(getattr(request, name)) for name in own}
        together = {**metadata, **data, **extra}
        size = payload_size(request.title or "", request.body or "", together)
        if size > LARGEST:
            where = "body" if request.body else "app_data" if data else "metadata"
            rest = "with title and metadata" if request.body else "alone"
            why = f"{size} bytes {rest}; FCM accepts {LARGEST}"
            hint = "shorten it; a letter outside ASCII takes two bytes or more"
            yield ContentProblem([where], why, hint)


def _reserved(field: str, names: Mapping[str, str], own: set[str]) -> Iterator[ContentProblem]:
    for name in names:
        if name in _RESERVED or name.startswith(_PREFIXES):
            hint = "rename it: from, message_type, gcm... and google... are FCM's own"
            yield ContentProblem([field, name], "a name that FCM reserves", hint)
        elif name in _IDS:
            hint = "rename it: notify_id and attempt_id reach the app with the message's own values"
            yield ContentProblem([field, name], "a name that the service uses", hint)
        elif name == "aps":
            yield ContentProblem([field, name], "a name that Apple reserves", "rename it")
        elif name in own:
            hint = "rename it: the app gets another value under this name"
            yield ContentProblem([field, name], "a name that is there twice", hint)


def payload_size(title: str, body: str, data: Mapping[str, str]) -> int:
    """Return the size of a push message in bytes, as JSON in UTF-8 without spaces."""
    parts = [{"title": title, "body": body}, {**data, **_IDS}]
    return len(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode())
