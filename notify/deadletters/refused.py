"""Telling a producer of a message that was refused, and no more of it than a flood allows."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from uuid import uuid4

import structlog

from notify.contract import (
    Incoming,
    Limits,
    Mistake,
    Problem,
    RefusalCause,
    RefusedEvent,
    RequestInvalid,
    is_source,
    likely_source,
    route,
)
from notify.store.deadletters import Letter
from notify.telemetry.metrics import Metrics, catalog

MOST_OF_A_SOURCE = 60
"""Refused events of one source in each minute of one archive process."""
MOST = 600
"""Those of all sources together."""
MOST_PROBLEMS = 20
_MINUTE = 60.0

log = structlog.get_logger("notify.archive")


def unroutable(routing_key: str, *, lanes: Collection[str]) -> Iterator[Problem]:
    """Say why no queue takes a routing key that is well-formed."""
    try:
        at = route(routing_key)
    except RequestInvalid:
        # The contract's check of the key says what is wrong with it.
        return
    if at.lane in lanes:
        hint = "ask the operators to run `notify topology apply`"
        yield Problem("", "no queue was bound for its key", hint)
        return
    hint = f"the lanes are {', '.join(lanes)}"
    yield Problem("", "no queue was bound for its key: there is no such lane", hint)


def refused_event(
    letter: Letter, incoming: Incoming, problems: Collection[Problem], *, to: str, now: datetime
) -> RefusedEvent:
    """Write the event about a letter's message to a source."""
    mistakes = [
        Mistake(where=each.where, why=each.why, hint=each.hint, line=each.line, column=each.column)
        for each in [*problems][:MOST_PROBLEMS]
    ]
    message_id = letter.message_id
    return RefusedEvent(
        v=1,
        event_id=uuid4(),
        sequence=0,
        at=now,
        status="refused",
        id=letter.notification_id,
        message_id=message_id if message_id == incoming.message_id else None,
        source=to,
        channel=letter.channel,
        lane=letter.lane,
        cause=RefusalCause(letter.cause.value),
        reason=letter.reason,
        problems=mistakes,
    )


def addressee(incoming: Incoming, limits: Limits) -> str | None:
    """
    Find the source that published a message; None where nothing tells.

    The broker vouches for the AMQP user, and where the contract demands it, a source is one. Else
    the routing key says, though it may be broken.
    """
    user = incoming.user_id
    vouched = user if user and user != limits.trusted_user and is_source(user) else None
    if limits.require_user_id and vouched:
        return vouched
    try:
        return route(incoming.routing_key).source
    except RequestInvalid:
        return vouched or likely_source(incoming.routing_key)


class EventAllowance:
    """How many refused events may still be published in this minute; safe to share by threads."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        for why in ("flood", "no_source"):
            metrics.expect(catalog.REFUSED_EVENTS_DROPPED, why)
        self._begun = 0.0
        self._total = 0
        self._of: Counter[str] = Counter()
        self._logged: set[str | None] = set()

    def take(self, source: str | None, *, now: datetime) -> bool:
        """Whether one more may be published to a source; one that may not is counted and logged."""
        with self._lock:
            at = now.timestamp()
            if not 0 <= at - self._begun < _MINUTE:
                self._begun, self._total = at, 0
                self._of.clear()
                self._logged.clear()
            if source is None:
                return self._dropped(source, "no_source")
            if self._total >= MOST or self._of[source] >= MOST_OF_A_SOURCE:
                return self._dropped(source, "flood")
            self._total += 1
            self._of[source] += 1
            return True

    def give_back(self, sources: Iterable[str], *, now: datetime) -> None:
        """Undo what was taken at *now* for events that were not written."""
        with self._lock:
            if 0 <= now.timestamp() - self._begun < _MINUTE:
                for source in sources:
                    self._total -= 1
                    self._of[source] -= 1

    def _dropped(self, source: str | None, why: str) -> bool:
        self._metrics.count(catalog.REFUSED_EVENTS_DROPPED, why)
        # The log is bounded too: once a minute for each source that the allowance knows.
        known = source if source in self._of else None
        if known not in self._logged:
            self._logged.add(known)
            told = {"for_source": known} if known else {}
            log.warning("notify.refused_events_dropped", cause=why, **told)
        return False
