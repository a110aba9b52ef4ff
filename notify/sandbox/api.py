"""The sandbox's own JSON API, for tests and tools."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from notify.contract import unique
from notify.sandbox.behaviour import Behaviour, ReceiptFault, Vendor
from notify.sandbox.exchange import HttpAnswer, HttpRequest, as_json
from notify.sandbox.inbox import Inbox
from notify.sandbox.ledger import SandboxLedger
from notify.sandbox.posting import Poster
from notify.sandbox.switch import ACCOUNT, MAX_RATE, MAX_SECONDS, Switch, seconds

DEFAULT_LIMIT = 100
"""The entries of a list if the request names no limit."""

NO_RECEIPTS = "no events are posted; start the sandbox with --receipts"


@dataclass(frozen=True, slots=True)
class Api:
    """
    Answers queries about messages, and sets outages.

    Args:
        inbox: The accepted messages.
        ledger: The effect of each request, and its answer.
        switch: The settings to change.
        poster: Posts the later events; None if it posts none.
    """

    inbox: Inbox
    ledger: SandboxLedger
    switch: Switch
    poster: Poster | None = None

    def messages(self, request: HttpRequest) -> HttpAnswer:
        """GET: list the inbox, newest first; by channel, to, notify_id, limit."""
        query = request.arguments
        filters = {key: query.get(key, "") for key in ("channel", "to", "notify_id")}
        return _listed(query, lambda limit: self.inbox.find(**filters, limit=limit))

    def clear(self, request: HttpRequest) -> HttpAnswer:  # noqa: ARG002 - a route's signature
        """DELETE: empty the inbox; the ledger is unchanged."""
        return as_json(200, {"deleted": self.inbox.clear()})

    def entries(self, request: HttpRequest) -> HttpAnswer:
        """GET: list the ledger, newest first; by notify_id, account, limit."""
        query = request.arguments
        filters = {key: query.get(key, "") for key in ("notify_id", "account")}
        return _listed(query, lambda limit: self.ledger.entries(**filters, limit=limit))

    def counts(self, request: HttpRequest) -> HttpAnswer:  # noqa: ARG002 - a route's signature
        """GET: count the effects and answers of all requests."""
        return as_json(200, {**self.ledger.counts(), "inbox": len(self.inbox)})

    def receipts(self, request: HttpRequest) -> HttpAnswer:
        """GET: list the events that were posted, newest first; by notify_id, limit."""
        query, poster = request.arguments, self.poster
        if poster is None:
            return as_json(404, {"error": NO_RECEIPTS})
        wanted = query.get("notify_id", "")
        return _listed(query, lambda limit: poster.ledger.entries(notify_id=wanted, limit=limit))

    def receipt_counts(self, request: HttpRequest) -> HttpAnswer:  # noqa: ARG002
        """GET: return where events are posted, the key that verifies them, and their number."""
        poster = self.poster
        if poster is None:
            return as_json(404, {"error": NO_RECEIPTS})
        state = {
            "url": poster.composer.root,
            "public_key": poster.composer.key.public,
            "waiting": poster.waiting,
            "dropped": poster.dropped,
            "answered": poster.ledger.counts(),
        }
        return as_json(200, state)

    def behaviour(self, request: HttpRequest) -> HttpAnswer:  # noqa: ARG002 - a route's signature
        """GET: return the outage, latency and limit of each vendor and account."""
        return as_json(200, self.switch.as_dict())

    def set_behaviour(self, request: HttpRequest) -> HttpAnswer:
        """PUT: set an outage, a latency or a limit, for one vendor or account or for all."""
        try:
            names, changes = _change(json.loads(request.body, object_pairs_hook=unique))
        except (TypeError, ValueError) as error:
            return as_json(400, {"error": str(error)})
        self.switch.set(names, **changes)
        return as_json(200, self.switch.as_dict())

    def health(self, request: HttpRequest) -> HttpAnswer:  # noqa: ARG002 - a route's signature
        """GET: answer that the server is up."""
        return as_json(200, {"status": "ok"})


def _listed(query: dict[str, str], find: Callable[[int], Iterable[Any]]) -> HttpAnswer:
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10):
        return as_json(400, {"error": "limit must be a whole number"})
    return as_json(200, [each.as_dict() for each in find(int(text))])


def _change(wanted: Any) -> tuple[list[str] | None, dict[str, Any]]:
    if not isinstance(wanted, dict):
        raise TypeError("the body must be a JSON object")
    unknown = sorted(set(wanted) - {"vendor", "account", *_READERS})
    if unknown:
        raise ValueError(f"unknown key {unknown[0]}: use vendor, account, {', '.join(_READERS)}")
    changes = {key: read(wanted[key]) for key, read in _READERS.items() if key in wanted}
    return _names(wanted), changes


def _names(wanted: dict[str, Any]) -> list[str] | None:
    if "vendor" in wanted and "account" in wanted:
        raise ValueError("name a vendor or an account, not both")
    if "vendor" in wanted:
        return [Vendor(wanted["vendor"])]
    if "account" not in wanted:
        return None
    account = wanted["account"]
    if not isinstance(account, str) or not re.fullmatch(ACCOUNT, account):
        raise ValueError("account must be a name of a-z, 0-9, - and _, at most 31 long")
    return [account]


def _behaviour(value: Any) -> Behaviour | None:
    return None if value is None else Behaviour(value)


def _rate(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_RATE:
        return value
    raise ValueError(f"rate must be a whole number up to {MAX_RATE}, or null")


def _seconds(value: Any) -> float:
    if isinstance(value, str):
        return seconds(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("a duration must be seconds or a text such as 50ms")
    if not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"a duration must be between 0 and {MAX_SECONDS:g} seconds")
    return float(value)


def _fault(value: Any) -> ReceiptFault | None:
    return None if value is None else ReceiptFault(value)


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "behaviour": _behaviour,
    "latency": _seconds,
    "rate": _rate,
    "receipts": _fault,
    "receipt_delay": _seconds,
}
"""The reader of each field of a setting from JSON."""
