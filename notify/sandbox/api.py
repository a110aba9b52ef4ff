"""The sandbox's own JSON API, for tests and tools."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from notify.sandbox.behaviour import Behaviour, Vendor
from notify.sandbox.exchange import Answer, Request, as_json
from notify.sandbox.inbox import Inbox
from notify.sandbox.ledger import Ledger
from notify.sandbox.switch import MAX_SECONDS, Switch, seconds

DEFAULT_LIMIT = 100
"""How many entries a list shows unless asked."""


@dataclass(frozen=True, slots=True)
class Api:
    """
    Answers questions about what was sent, and switches outages.

    Args:
        inbox: What was accepted.
        ledger: What was done and answered.
        switch: What to set.
    """

    inbox: Inbox
    ledger: Ledger
    switch: Switch

    def messages(self, request: Request) -> Answer:
        """GET: list the inbox, newest first; by channel, to, notify_id, limit."""
        query = request.arguments
        filters = {key: query.get(key, "") for key in ("channel", "to", "notify_id")}
        return _listed(query, lambda limit: self.inbox.find(**filters, limit=limit))

    def clear(self, request: Request) -> Answer:  # noqa: ARG002 - a route's signature
        """DELETE: empty the inbox; the ledger stays."""
        return as_json(200, {"deleted": self.inbox.clear()})

    def entries(self, request: Request) -> Answer:
        """GET: list the ledger, newest first; by notify_id, limit."""
        query = request.arguments
        notify_id = query.get("notify_id", "")
        return _listed(query, lambda limit: self.ledger.entries(notify_id=notify_id, limit=limit))

    def counts(self, request: Request) -> Answer:  # noqa: ARG002 - a route's signature
        """GET: count what all requests did and were answered."""
        return as_json(200, {**self.ledger.counts(), "inbox": len(self.inbox)})

    def behaviour(self, request: Request) -> Answer:  # noqa: ARG002 - a route's signature
        """GET: tell each vendor's outage and latency."""
        return as_json(200, self.switch.as_dict())

    def set_behaviour(self, request: Request) -> Answer:
        """PUT: set or end a vendor's outage, set its latency."""
        try:
            vendors, changes = _change(json.loads(request.body))
        except (TypeError, ValueError) as error:
            return as_json(400, {"error": str(error)})
        self.switch.set(vendors, **changes)
        return as_json(200, self.switch.as_dict())

    def health(self, request: Request) -> Answer:  # noqa: ARG002 - a route's signature
        """GET: tell that the server answers."""
        return as_json(200, {"status": "ok"})


def _listed(query: dict[str, str], find: Callable[[int], Iterable[Any]]) -> Answer:
    text = query.get("limit", str(DEFAULT_LIMIT))
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10):
        return as_json(400, {"error": "limit must be a whole number"})
    return as_json(200, [each.as_dict() for each in find(int(text))])


def _change(wanted: Any) -> tuple[list[Vendor], dict[str, Any]]:
    if not isinstance(wanted, dict):
        raise TypeError("the body must be a JSON object")
    unknown = sorted(set(wanted) - {"vendor", "behaviour", "latency"})
    if unknown:
        raise ValueError(f"unknown key {unknown[0]}: use vendor, behaviour, latency")
    vendors = [Vendor(wanted["vendor"])] if "vendor" in wanted else list(Vendor)
    changes: dict[str, Any] = {}
    if "behaviour" in wanted:
        word = wanted["behaviour"]
        changes["behaviour"] = None if word is None else Behaviour(word)
    if "latency" in wanted:
        changes["latency"] = _latency(wanted["latency"])
    return vendors, changes


def _latency(value: Any) -> float:
    if isinstance(value, str):
        return seconds(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("latency must be seconds or a text such as 50ms")
    if not 0 <= value <= MAX_SECONDS:
        raise ValueError(f"latency must lie between 0 and {MAX_SECONDS:g} seconds")
    return float(value)
