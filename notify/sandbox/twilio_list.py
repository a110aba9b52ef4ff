"""Twilio's message resource as JSON, and its list by pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, time
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from notify.sandbox.exchange import HttpRequest
from notify.sandbox.inbox import Message
from notify.sandbox.posting import last_status
from notify.segments import segments

_ERRORS = {
    "21610": "Attempt to send to unsubscribed recipient",
    "30002": "Account suspended",
    "30003": "Unreachable destination handset",
    "30005": "Unknown destination handset",
    "30007": "Message filtered",
}


def resource(message: Message, *, later: bool) -> dict[str, Any]:
    """
    Return a message as Twilio's API shows it.

    Args:
        message: The message.
        later: As a look-up shows it after it was sent; else as the answer to sending does.
    """
    account = message.details.get("account", "")
    uri = f"/2010-04-01/Accounts/{account}/Messages/{message.provider_id}"
    service = message.details.get("MessagingServiceSid")
    last = last_status(message.behaviour) if later else None
    code = last.fields.get("ErrorCode") if last else None
    at_first = "accepted" if service else "queued"
    return {
        "account_sid": account,
        "api_version": "2010-04-01",
        "body": message.text,
        "date_created": format_datetime(message.at),
        "date_sent": format_datetime(message.at) if later else None,
        "date_updated": format_datetime(message.at),
        "direction": "outbound-api",
        "error_code": int(code) if code else None,
        "error_message": _ERRORS.get(code) if code else None,
        "from": message.sender or None,
        "messaging_service_sid": service,
        "num_media": "0",
        "num_segments": str(segments(message.text)),
        "price": None,
        "price_unit": "USD",
        "sid": message.provider_id,
        "status": last.word if last else at_first,
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": message.to,
        "uri": f"{uri}.json",
    }


def page_of(messages: Sequence[Message], request: HttpRequest) -> dict[str, Any]:
    """
    Return one page, newest first, of the messages that the query selects.

    Raises:
        ValueError: A date or a page number cannot be read.
    """
    query = request.arguments
    size = min(max(int(query.get("PageSize", "50")), 1), 1000)
    number = max(int(query.get("Page", "0")), 0)
    fits, sender = _dates(query), query.get("From")
    found = [m for m in messages if fits(m) and sender in (None, m.sender)]
    start = number * size
    shown = found[start : start + size]

    def uri_of(page: int) -> str:
        return f"{request.path}?{urlencode({**query, 'PageSize': size, 'Page': page})}"

    return {
        "end": start + max(len(shown) - 1, 0),
        "first_page_uri": uri_of(0),
        "messages": [resource(message, later=True) for message in shown],
        "next_page_uri": uri_of(number + 1) if start + size < len(found) else None,
        "page": number,
        "page_size": size,
        "previous_page_uri": uri_of(number - 1) if number else None,
        "start": start,
        "uri": uri_of(number),
    }


def _dates(query: dict[str, str]) -> Callable[[Message], bool]:
    on, before, after = (query.get(f"DateSent{sign}") for sign in ("", "<", ">"))
    day = _moment(on).date() if on else None
    latest = _moment(before, time.max) if before else datetime.max.replace(tzinfo=UTC)
    earliest = _moment(after) if after else datetime.min.replace(tzinfo=UTC)
    return lambda m: day in (None, m.at.date()) and earliest <= m.at <= latest


def _moment(text: str, at: time = time.min) -> datetime:
    moment = datetime.fromisoformat(text)
    if len(text) == len("2026-01-31"):
        moment = datetime.combine(moment.date(), at)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
