"""Amazon SES's words."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from notify.message import Channel
from providers.ses import Ses
from tests.support.vendor import Reply, Seen
from tests.unit.providers.dialects.dialect import ECHO, KEY, Dialect, json_reply


def ses_error(status: int, name: str, text: str = ECHO) -> Callable[[Mapping[str, str]], Reply]:
    """An error as SES reports it."""
    reply = json_reply(status, {"message": text})
    return lambda headers: reply({"x-amzn-ErrorType": f"{name}:http://internal", **headers})


def _ses_ids(seen: Seen) -> tuple[str, str]:
    tags = {each["Name"]: each["Value"] for each in json.loads(seen.body)["EmailTags"]}
    return tags["notify_id"], tags["attempt_id"]


def _make_ses(**options: Any) -> Ses:
    return Ses(
        region="eu-central-1",
        access_key_id=KEY,
        secret_access_key=KEY,
        sender="sender@example.com",
        **options,
    )


SES = Dialect(
    name="ses",
    channel=Channel.EMAIL,
    words={
        "accepted": json_reply(200, {"MessageId": "id-1"}),
        "transient": ses_error(503, "ServiceUnavailableException"),
        "throttled": ses_error(429, "TooManyRequestsException"),
        "unauthorized": ses_error(403, "UnrecognizedClientException"),
        "permanent": ses_error(400, "BadRequestException"),
        "invalid": ses_error(400, "MessageRejected", f"Address blacklisted. {ECHO}"),
        "unknown": ses_error(500, "InternalFailure"),
    },
    make=_make_ses,
    path="/v2/email/outbound-emails",
    ids=_ses_ids,
)
