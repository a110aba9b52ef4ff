"""
SendGrid's suppression lists of an account: the recipients of the events that were posted.

Shapes: https://www.twilio.com/docs/sendgrid/api-reference/bounces-api and its neighbours. There are
no unsubscribe groups, so that list is empty.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

from notify.message import Channel
from notify.sandbox.behaviour import Behaviour, Vendor, behaviour_of
from notify.sandbox.exchange import HttpAnswer, HttpRequest, as_json
from notify.sandbox.posting import PostEntry

LARGEST_PAGE = 500
"""Entries on one page, the most that SendGrid returns."""

_LISTS: Mapping[str, str] = {
    "bounce": "bounces",
    "spamreport": "spam_reports",
    "unsubscribe": "unsubscribes",
}
"""The list that each event adds its recipient to."""
_DETAILS = {"bounces": {"status": "5.1.1", "reason": "550 5.1.1 The account does not exist"}}


@dataclass
class SendGridMemory:
    """
    The lists of all accounts. Safe to use from several threads.

    Args:
        posted: Returns the events that were posted, newest first.
    """

    posted: Callable[[], list[PostEntry]]
    _deleted: dict[tuple[str, str, str], float] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def page(self, request: HttpRequest) -> HttpAnswer:
        """Return a page of a list, oldest first: GET /v3/suppression/bounces, for example."""
        entries = list(self._entries(request.prefix, request.groups.get("list") or "groups"))
        begin = _number(request.arguments.get("offset"), 0)
        size = min(_number(request.arguments.get("limit"), LARGEST_PAGE), LARGEST_PAGE)
        return as_json(200, entries[begin : begin + size])

    def delete(self, request: HttpRequest) -> HttpAnswer:
        """Delete an address from a list; 404 if it is not there."""
        name = request.groups.get("list") or "unsubscribes"
        address = unquote(request.groups["address"]).casefold()
        listed = [each for each in self._entries(request.prefix, name) if each["email"] == address]
        if not listed:
            return as_json(404, {"errors": [{"message": "not found", "field": None}]})
        with self._lock:
            self._deleted[request.prefix, name, address] = max(each["created"] for each in listed)
        return HttpAnswer(204)

    def _entries(self, account: str, name: str) -> Iterator[dict[str, Any]]:
        with self._lock:
            deleted = dict(self._deleted)
        seen: set[str] = set()
        for entry in reversed(self.posted()):
            address, created = entry.recipient.casefold(), int(entry.at.timestamp())
            if not _belongs(entry, account or Vendor.SENDGRID.value, name) or address in seen:
                continue
            if created <= deleted.get((account, name, address), -1):
                continue
            seen.add(address)
            yield {"created": created, "email": address, **_DETAILS.get(name, {})}


def _belongs(entry: PostEntry, account: str, name: str) -> bool:
    """Whether an event put its recipient on a list; a block is about the sender."""
    own = entry.vendor is Vendor.SENDGRID and entry.account == account and bool(entry.recipient)
    blocked = behaviour_of(Channel.EMAIL, entry.recipient) is Behaviour.BLOCK
    return own and _LISTS.get(entry.event) == name and not blocked


def _number(text: str | None, default: int) -> int:
    return int(text) if text is not None and text.isdecimal() and len(text) < 10 else default
