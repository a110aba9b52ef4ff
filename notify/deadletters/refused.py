"""Events about refused messages for their producers, limited in number."""

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
"""Refused events of one source, in each minute of one archive process."""
MOST = 600
"""Refused events of all sources together, in each minute."""
MOST_PROBLEMS = 20
_MINUTE = 60.0

log = structlog.get_logger("notify.archive")


def unroutable(routing_key: str, *, lanes: Collection[str]) -> Iterator[Problem]:
    """Yield why no queue is bound for a routing key, if the key is well-formed."""
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
    """Return the event about a letter's message for the source *to*."""
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
    Return the source that published a message; None if it cannot be found out.

    The broker vouches for the AMQP user, which is the source if the contract requires that.
    Otherwise the routing key names the source, though the key may be malformed.
    """
    user = incoming.user_id
    vouched = user if user and user not in limits.trusted_users and is_source(user) else None
    if limits.require_user_id and vouched:
        return vouched
    try:
        return route(incoming.routing_key).source
    except RequestInvalid:
        return vouched or likely_source(incoming.routing_key)


class EventAllowance:
    """Counts the refused events that may still be published in this minute. Thread-safe."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        for why in ("flood", "no_source"):
            metrics.expect(catalog.REFUSED_EVENTS_DROPPED, why)
        self._begun = 0.0
        self._total = 0
        self._by_source: Counter[str] = Counter()
        self._logged: set[str | None] = set()

    def acquire(self, source: str | None, *, now: datetime) -> bool:
        """Return whether one more may be published to a source; if not, count and log it."""
        with self._lock:
            at = now.timestamp()
            if not 0 <= at - self._begun < _MINUTE:
                self._begun, self._total = at, 0
                self._by_source.clear()
                self._logged.clear()
            if source is None:
                return self._dropped(source, "no_source")
            if self._total >= MOST or self._by_source[source] >= MOST_OF_A_SOURCE:
                return self._dropped(source, "flood")
            self._total += 1
            self._by_source[source] += 1
            return True

    def release(self, sources: Iterable[str], *, now: datetime) -> None:
        """Undo `acquire`, of *now*, for events that were not written."""
        with self._lock:
            if 0 <= now.timestamp() - self._begun < _MINUTE:
                for source in sources:
                    self._total -= 1
                    self._by_source[source] -= 1

    def _dropped(self, source: str | None, why: str) -> bool:
        self._metrics.count(catalog.REFUSED_EVENTS_DROPPED, why)
        # The log is bounded too: once a minute for each source that the allowance knows.
        known = source if source in self._by_source else None
        if known not in self._logged:
            self._logged.add(known)
            source_field = {"for_source": known} if known else {}
            log.warning("notify.refused_events_dropped", cause=why, **source_field)
        return False
