"""One message from the dead queue, decoded as far as possible."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from notify import contract
from notify.arrival import Raw
from notify.contract import (
    Limits,
    Problem,
    RequestInvalid,
    Route,
    is_uuid,
    likely_source,
    route,
    unique,
)
from notify.deadletters.death import Death, death
from notify.deadletters.known_requests import KnownRequests
from notify.deadletters.plain import bounded, clean
from notify.deadletters.refused import unroutable
from notify.deadletters.reports import NO_QUEUE, ReportKind, report_kind, report_problem
from notify.errors import DecodeError
from notify.message import Notification, Status
from notify.store.deadletters import LONGEST_REASON, Cause, Letter

_BROKERS = {
    "delivery_limit": (Cause.DELIVERY_LIMIT, "delivered too often without being settled"),
    "maxlen": (Cause.MAXLEN, "its queue was full"),
    "expired": (Cause.BROKER_EXPIRED, "it waited in its queue for longer than the broker allows"),
}
_ENDS = {
    Status.FAILED: Cause.FAILED,
    Status.EXPIRED: Cause.EXPIRED,
    Status.REJECTED: Cause.REJECTED,
}
# RabbitMQ adds both to redelivered messages; the second since 4.3.
# https://www.rabbitmq.com/docs/quorum-queues#poison-message-handling
_COUNTS = frozenset({"x-delivery-count", "x-acquired-count"})
CONFLICT = Problem(
    "",
    "another request has its key or id",
    "send it with a new id and a new key",
)
_TEMPLATE = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,99}")


@dataclass(frozen=True, slots=True)
class Reading:
    """A decoded message, and why it was refused if it was."""

    incoming: contract.Incoming
    exchange: str
    properties: Mapping[str, Any]
    death: Death | None
    notifications: Sequence[Notification] = field(default_factory=list)
    refused: RequestInvalid | None = None
    """How it breaks the contract; None if it does not."""
    report: ReportKind | None = None
    """The kind of a report; None for a request."""

    def letter(self, known: KnownRequests, *, delivery_limits: Mapping[str, int]) -> Letter:
        """Return the letter to archive, with the cause according to the record."""
        cause, reason, code = self._why(known, lanes=delivery_limits)
        incoming, died = self.incoming, self.death
        at = self._route()
        lane = at.lane if at else None
        limit = delivery_limits.get(lane or "")
        first = self.notifications[0] if self.notifications else None
        return Letter(
            fingerprint=self._fingerprint(),
            died_at=died.at if died else None,
            message_id=_fit(incoming.message_id),
            notification_id=(first.batch_id or first.id) if first else self._likely_id(),
            channel=at.channel if at else None,
            lane=lane,
            source=at.source if at else self._reporter(),
            template=first.template if first else self._likely_template(),
            cause=cause,
            reason=clean(reason, longest=LONGEST_REASON) or None,
            code=code,
            exchange=clean(died.exchange if died else self.exchange, longest=255),
            routing_key=clean(incoming.routing_key, longest=255),
            queue=died.queue if died else None,
            # The broker delivers a message once more than its limit says, then dead-letters it.
            delivery_count=limit + 1 if limit and cause is Cause.DELIVERY_LIMIT else None,
            properties=self.properties,
            body=incoming.body,
        )

    def bare(self) -> Letter:
        """Return a letter of the body alone, for a record that refuses the rest."""
        reason = "the record refused the message's properties"
        return Letter(
            fingerprint=self._fingerprint(),
            cause=Cause.OTHER,
            reason=reason,
            exchange="",
            routing_key="",
            properties={},
            body=self.incoming.body,
            **dict.fromkeys(_UNREAD),
        )

    def problems(self, cause: Cause, *, lanes: Collection[str]) -> Sequence[Problem]:
        """Return what its producer can correct; empty if the message is not at fault."""
        if self.report is ReportKind.RECEIPTS:
            return []
        mistakes = self.refused.problems if self.refused else []
        match cause:
            case Cause.CONTRACT:
                return mistakes
            case Cause.CONFLICT:
                return [CONFLICT]
            case Cause.UNROUTABLE if self.report:
                return [NO_QUEUE, *mistakes]
            case Cause.UNROUTABLE:
                return [*unroutable(self.incoming.routing_key, lanes=lanes), *mistakes]
            case _:
                return []

    def _why(
        self, known: KnownRequests, *, lanes: Collection[str]
    ) -> tuple[Cause, str, str | None]:
        if self.death is None:
            found = self.problems(Cause.UNROUTABLE, lanes=lanes) or [NO_QUEUE]
            return Cause.UNROUTABLE, str(RequestInvalid(found)), None
        if self.death.reason in _BROKERS:
            return *_BROKERS[self.death.reason], None
        if self.refused is not None:
            return Cause.CONTRACT, str(self.refused), None
        if any(known.conflicts(each) for each in self.notifications):
            return Cause.CONFLICT, str(CONFLICT), None
        return self._ended(known)

    def _ended(self, known: KnownRequests) -> tuple[Cause, str, str | None]:
        """Return the cause of a rejected message: the most frequent end of its notifications."""
        rows = [row for each in self.notifications if (row := known.row(each))]
        dead = [row for row in rows if row.status in _ENDS]
        if not dead:
            return Cause.OTHER, "rejected by a worker; see the worker's log", None
        status = Counter(row.status for row in dead).most_common(1)[0][0]
        row = next(row for row in dead if row.status is status)
        several = f"{len(dead)} of {len(self.notifications)}: " if self.notifications[1:] else ""
        code = row.calls[-1].code if row.calls else None
        return _ENDS[status], several + (row.reason or ""), code

    def _fingerprint(self) -> bytes:
        """Return a digest of this message; how often it was delivered does not change it."""
        properties = dict(self.properties)
        headers = properties.get("application_headers")
        if isinstance(headers, dict):
            own = {name: value for name, value in headers.items() if name not in _COUNTS}
            properties["application_headers"] = own
        around = [self.exchange, clean(self.incoming.routing_key), properties]
        digest = hashlib.sha256(json.dumps(around, sort_keys=True).encode())
        digest.update(self.incoming.body)
        return digest.digest()

    def _route(self) -> Route | None:
        try:
            return route(self.incoming.routing_key)
        except DecodeError:
            return None

    def _reporter(self) -> str | None:
        producer = self.report is ReportKind.PRODUCER
        return likely_source(self.incoming.routing_key) if producer else None

    def _document(self) -> dict[str, Any]:
        try:
            document = json.loads(self.incoming.body, object_pairs_hook=unique)
        except (ValueError, RecursionError):
            return {}
        return document if isinstance(document, dict) else {}

    def _likely_id(self) -> UUID | None:
        """Return the id that a malformed request most likely has; None if there is none."""
        if self.report is not None:
            return None
        for text in (self._document().get("id"), self.incoming.message_id):
            if isinstance(text, str) and is_uuid(text):
                return UUID(text)
        return None

    def _likely_template(self) -> str | None:
        name = None if self.report else self._document().get("template")
        return name if isinstance(name, str) and _TEMPLATE.fullmatch(name) else None


_UNREAD = (
    *("died_at", "message_id", "notification_id", "channel", "lane", "source"),
    *("template", "code", "queue", "delivery_count"),
)


def read(incoming: contract.Incoming, raw: Raw, *, limits: Limits, now: datetime) -> Reading:
    """Decode one message; never raises, so that every message can be archived."""
    died = death(raw.exchange, raw.properties)
    properties = bounded(raw.properties)
    kind = report_kind(died.exchange if died else raw.exchange, incoming.routing_key)
    if kind is not None:
        broken = report_problem(kind, incoming, limits)
        return Reading(incoming, raw.exchange, properties, died, refused=broken, report=kind)
    try:
        asked = contract.decode(incoming, limits, now=now)
    except RequestInvalid as error:
        return Reading(incoming, raw.exchange, properties, died, refused=error)
    return Reading(incoming, raw.exchange, properties, died, asked)


def _fit(text: str | None) -> str | None:
    return clean(text, longest=255) if isinstance(text, str) else None
