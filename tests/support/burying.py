"""Dead letters to test the archive with, as the broker would deliver them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

from notify import contract
from notify.arrival import Arrival, Decision, Raw
from notify.deadletters import Archive, Replayer, ReplayPlan, ReplayRequest
from notify.message import Notification
from notify.store import Store
from notify.store.deadletters.search import DeadLetter, LetterFilter, find_letter_ids, find_letters
from notify.topology import DEAD
from tests.support.recording import NOW

LIMITS = contract.Limits()
LANES = {"critical": 20, "normal": 20, "bulk": 20}
KEY = "email.critical.shop"


def body_of(id_: UUID, **fields: Any) -> bytes:
    """Write an email's request."""
    request = {"id": str(id_), "to": "ann@example.com", "subject": "Hello", "text": "Hi."}
    return json.dumps({**request, **fields}).encode()


def read(body: bytes, key: str = KEY) -> list[Notification]:
    """Read a request as a worker does."""
    message = contract.Incoming(body, key, content_type="application/json")
    return contract.decode(message, LIMITS)


def died(
    reason: str = "rejected", *, at: datetime = NOW, queue: str = "notify.email.critical"
) -> dict[str, Any]:
    """Return the headers that the broker adds to a dead letter."""
    first = {"x-first-death-reason": reason, "x-first-death-queue": queue}
    # The broker's times are in UTC, without a zone.
    death = {"reason": reason, "queue": queue, "time": at.replace(tzinfo=None), "count": 1}
    return {"x-death": [{**death, "exchange": "notify"}], **first, "x-delivery-count": 0}


def arrival(
    body: bytes,
    *,
    key: str = KEY,
    exchange: str = DEAD,
    headers: Mapping[str, Any] | None = None,
    settle: Any = lambda _: None,
    **properties: Any,
) -> Arrival:
    """Return one message of the dead queue."""
    around = {
        "content_type": "application/json",
        "application_headers": died() if headers is None else dict(headers),
        **properties,
    }
    incoming = contract.Incoming(
        body,
        key,
        content_type=around["content_type"],
        message_id=around.get("message_id"),
    )
    return Arrival(incoming, settle, lambda: Raw(exchange, around))


def bury(store: Store, *arrivals: Arrival, now: datetime = NOW) -> list[DeadLetter]:
    """Archive messages as one batch; return the whole archive, the oldest first."""
    archive = Archive(store, limits=LIMITS, delivery_limits=LANES, clock=lambda: now)
    archive.deliver(arrivals)
    return buried(store)


def buried(store: Store, **wanted: Any) -> list[DeadLetter]:
    """Return the archive, oldest first."""
    with store.reading() as connection:
        return find_letters(connection, LetterFilter(**wanted), limit=10_000)[::-1]


def decisions(store: Store, *bodies: bytes) -> list[Decision]:
    """Archive bodies; return the decisions on their messages."""
    decisions: list[Decision] = []
    bury(store, *(arrival(body, settle=decisions.append) for body in bodies))
    return decisions


def replayer(store: Store, *, now: datetime = NOW) -> Replayer:
    """Return a replayer with a fixed time."""
    return Replayer(store, limits=LIMITS, lanes=LANES, clock=lambda: now)


def order(store: Store, **changes: Any) -> ReplayRequest:
    """Return a request to replay all waiting letters."""
    with store.reading() as connection:
        ids = find_letter_ids(connection, LetterFilter())
    values: dict[str, Any] = {"ids": ids, "rate": 10.0}
    return ReplayRequest(**(values | changes))


def plan(store: Store, *, now: datetime = NOW, **changes: Any) -> ReplayPlan:
    """Plan the replay of all waiting letters."""
    return replayer(store, now=now).plan(order(store, **changes))
