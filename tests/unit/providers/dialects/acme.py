"""Acme's words: the vendor of examples/custom_provider."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from examples.custom_provider.acme import Acme
from notify.message import Channel
from tests.support.vendor import Reply, Seen
from tests.unit.providers.dialects.dialect import ECHO, KEY, Dialect, json_reply


def _error(status: int, code: str) -> Callable[[Mapping[str, str]], Reply]:
    return json_reply(status, {"code": code, "text": ECHO})


def _ids(seen: Seen) -> tuple[str, str]:
    notify_id, attempt_id = json.loads(seen.body)["reference"].split("/")
    return notify_id, attempt_id


def _make(**options: Any) -> Acme:
    return Acme(api_key=KEY, sender="sender@example.com", **options)


ACME = Dialect(
    name="acme",
    channel=Channel.EMAIL,
    words={
        "accepted": json_reply(200, {"id": "id-1"}),
        "transient": _error(503, "busy"),
        "throttled": _error(429, "quota"),
        "unauthorized": _error(403, "key"),
        "permanent": _error(400, "content"),
        "invalid": _error(400, "no_such_mailbox"),
        "unknown": _error(500, "crash"),
    },
    make=_make,
    path="/messages",
    ids=_ids,
)
