"""Twilio's words."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import parse_qs, urlsplit

from notify.message import Channel
from providers.twilio import Twilio
from tests.support.vendor import Reply, Seen
from tests.unit.providers.dialects.dialect import ECHO, KEY, Dialect, json_reply


def _twilio_error(status: int, code: int) -> Callable[[Mapping[str, str]], Reply]:
    return json_reply(status, {"code": code, "message": ECHO, "more_info": "", "status": status})


def _twilio_ids(seen: Seen) -> tuple[str, str]:
    callback = parse_qs(seen.body.decode())["StatusCallback"][0]
    query = parse_qs(urlsplit(callback).query)
    return query["notify_id"][0], query["attempt_id"][0]


def _make_twilio(**options: Any) -> Twilio:
    account = {"account_sid": "AC1", "auth_token": KEY, "sender": "+15005550006"}
    return Twilio(**{"status_callback": "https://notify.example.com/t", **account, **options})


TWILIO = Dialect(
    name="twilio",
    channel=Channel.SMS,
    words={
        "accepted": json_reply(201, {"sid": "id-1", "status": "queued", "error_code": None}),
        "transient": _twilio_error(503, 20503),
        "throttled": _twilio_error(429, 20429),
        "unauthorized": _twilio_error(401, 20003),
        "permanent": _twilio_error(400, 21617),
        "invalid": _twilio_error(400, 21211),
        "unknown": _twilio_error(500, 20500),
    },
    make=_make_twilio,
    path="/2010-04-01/Accounts/AC1/Messages.json",
    ids=_twilio_ids,
    accepts=201,
)
