"""Vonage's words: HTTP 200, with a status for each part of the SMS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs

from notify.message import Channel
from providers.vonage import Vonage
from tests.support.vendor import Reply, Seen
from tests.unit.providers.dialects.dialect import ECHO, KEY, Dialect, json_reply


def vonage_parts(*statuses: str) -> Callable[[Mapping[str, str]], Reply]:
    """An answer with a status for each part."""
    parts = [
        {"status": "0", "message-id": f"id-{number}", "to": "15005550009"}
        if status == "0"
        else {"status": status, "error-text": ECHO}
        for number, status in enumerate(statuses, 1)
    ]
    return json_reply(200, {"message-count": str(len(parts)), "messages": parts})


def _ids(seen: Seen) -> tuple[str, str]:
    notify_id, attempt_id = parse_qs(seen.body.decode())["client-ref"][0].split("/")
    return notify_id, attempt_id


def _make_vonage(**options: Any) -> Vonage:
    return Vonage(**{"api_key": "abcd1234", "api_secret": KEY, "sender": "+15005550006", **options})


VONAGE = Dialect(
    name="vonage",
    channel=Channel.SMS,
    words={
        "accepted": vonage_parts("0"),
        "transient": vonage_parts("15"),
        "throttled": vonage_parts("1"),
        "unauthorized": vonage_parts("4"),
        "permanent": vonage_parts("12"),
        "invalid": vonage_parts("6"),
        "unknown": vonage_parts("5"),
    },
    make=_make_vonage,
    path="/sms/json",
    ids=_ids,
)
