"""SendGrid's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from notify.message import Channel
from providers.sendgrid import SendGrid
from tests.support.vendor import Reply, Seen, say
from tests.unit.providers.dialects.dialect import ECHO, KEY, Dialect, json_reply


def _sendgrid_error(status: int, field: str | None) -> Callable[[Mapping[str, str]], Reply]:
    return json_reply(status, {"errors": [{"message": ECHO, "field": field, "help": None}]})


def _sendgrid_ids(seen: Seen) -> tuple[str, str]:
    sent = json.loads(seen.body)["personalizations"][0]["custom_args"]
    return sent["notify_id"], sent["attempt_id"]


def _make_sendgrid(**options: Any) -> SendGrid:
    return SendGrid(api_key=KEY, sender="sender@example.com", **options)


SENDGRID = Dialect(
    name="sendgrid",
    channel=Channel.EMAIL,
    words={
        "accepted": lambda headers: say(202, b"", {"X-Message-Id": "id-1", **headers}),
        "transient": _sendgrid_error(503, None),
        "throttled": _sendgrid_error(429, None),
        "unauthorized": _sendgrid_error(401, None),
        "permanent": _sendgrid_error(400, "content.0.value"),
        "invalid": _sendgrid_error(400, "personalizations.0.to.0.email"),
        "unknown": _sendgrid_error(500, None),
    },
    make=_make_sendgrid,
    path="/v3/mail/send",
    ids=_sendgrid_ids,
    accepts=202,
)
