"""What of a push message travels to the device, and what FCM refuses the whole message for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from notify.contract.problem import Problem
from notify.contract.request import PushRequest

LARGEST = 4096
"""Bytes of title, body and data together, the names of the data and our own two ids included."""

# https://firebase.google.com/docs/reference/fcm/rest/v1/ErrorCode, INVALID_ARGUMENT. The pages
# about `data` are narrower or wider than each other: this is all that any of them reserves.
_RESERVED = frozenset({"from", "message_type"})
_PREFIXES = ("gcm", "google")

_IDS = dict.fromkeys(("notify_id", "attempt_id"), "0" * 36)


def payload_problems(request: PushRequest) -> Iterator[Problem]:
    """Yield the names of metadata that FCM or we reserve, and a message that is too large."""
    metadata = request.metadata or {}
    for name in metadata:
        if name in _RESERVED or name.startswith(_PREFIXES):
            hint = "rename it: from, message_type, gcm... and google... are FCM's own"
            yield Problem.at(["metadata", name], "a name that FCM reserves", hint)
        elif name in _IDS:
            hint = "rename it: notify_id and attempt_id reach the app with the message's own values"
            yield Problem.at(["metadata", name], "a name of our own", hint)
    size = payload_size(request.title or "", request.body or "", metadata)
    if size > LARGEST:
        where, rest = ("body", "with title and metadata") if request.body else ("metadata", "alone")
        why = f"{size} bytes {rest}; FCM takes {LARGEST}"
        yield Problem(where, why, "shorten it; a letter of another alphabet has two bytes or more")


def payload_size(title: str, body: str, data: Mapping[str, str]) -> int:
    """Return the bytes that a push message takes, as JSON in UTF-8 without spaces."""
    parts = [{"title": title, "body": body}, {**data, **_IDS}]
    return len(json.dumps(parts, ensure_ascii=False, separators=(",", ":")).encode())
