"""Dispatching a group: claim it, start its calls, and settle messages that need no call."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple
from uuid import UUID

import structlog

from notify.arrival import AGAIN_AFTER, Again, Dead, Decision, Done
from notify.delivery.call_runner import CallRunner
from notify.delivery.claiming import Claimer
from notify.delivery.lane import Lane
from notify.delivery.metrics import DeliveryMetrics
from notify.delivery.outcome_recorder import OutcomeRecorder
from notify.delivery.plan import Call, DeliveryItem, NoCall, Plan, Ready
from notify.flow import Circuits
from notify.message import Notification, Status
from notify.store import Claim, Claimed, Entry
from notify.telemetry.tracing import Tracing, nanoseconds_now

_DONE_EVENTS = {
    Status.SCHEDULED: "notify.scheduled",
    Status.QUEUED: "notify.deferred",
    Status.SUPPRESSED: "notify.suppressed",
}
"""The log events of the statuses after which the message is acknowledged."""

log = structlog.get_logger("notify.delivery")


class Dispatched(NamedTuple):
    """The result of one group."""

    follow_ups: list[DeliveryItem]
    """The other recipients of batch requests whose first recipient is now on record."""
    permits: int
    """How many of the lane's permits the calls in flight have, each until it ends."""
    store_ok: bool
    """Whether the record answered every claim."""


class Dispatcher:
    """Claims groups of plans, and submits the calls to a lane's senders. Safe among threads."""

    def __init__(
        self,
        *,
        claimer: Claimer,
        calls: CallRunner,
        outcomes: OutcomeRecorder,
        circuits: Circuits,
        metrics: DeliveryMetrics,
        tracing: Tracing,
    ) -> None:
        self._claimer = claimer
        self._calls = calls
        self._outcomes = outcomes
        self._circuits = circuits
        self._metrics = metrics
        self._tracing = tracing

    def dispatch(self, lane: Lane, plans: Sequence[Plan]) -> Dispatched:
        """Claim a group, start its calls, and settle the rest."""
        deadline = self._calls.deadline()
        began = nanoseconds_now()
        answers = self._claimer.claim([part.entry for plan in plans for part in plan.parts])
        ended = nanoseconds_now()
        follow_ups: list[DeliveryItem] = []
        permits = 0
        remaining = iter(answers)
        for plan in plans:
            parts: Sequence[NoCall | Ready] = plan.parts
            claims = [next(remaining) for _ in parts]
            for part, claimed in zip(parts, claims, strict=True):
                part.item.trace.note("claim", began, ended)
                if part.item.others:
                    follow_ups += following(part.item, claimed, self._tracing)
            self._count(parts, claims)
            if isinstance(plan, Call):
                permits += self._start(lane, plan, claims, deadline)
            else:
                self._settle(plan.item, plan.entry, claims[0])
        return Dispatched(follow_ups, permits, None not in answers)

    def _count(self, parts: Sequence[NoCall | Ready], claims: Sequence[Claimed | None]) -> None:
        """Count equal claims of one request together."""
        if len(parts) == 1:
            self._metrics.claimed(parts[0].entry, claims[0])
            return
        pairs = [*zip(parts, claims, strict=True)]
        keys = [
            (id(part.item.settlement), part.entry.status, id(claimed)) for part, claimed in pairs
        ]
        times = Counter(keys)
        for key, (part, claimed) in dict(zip(keys, pairs, strict=True)).items():
            self._metrics.claimed(part.entry, claimed, times=times[key])

    def _start(
        self, lane: Lane, call: Call, claims: Sequence[Claimed | None], deadline: float
    ) -> int:
        """Start a call for the messages that were claimed; return its permits, if there are any."""
        attempts = []
        for part, claimed in zip(call.parts, claims, strict=True):
            if claimed and claimed.claim is Claim.OWNED and claimed.suppressed is None:
                attempts.append(part.attempt(claimed))
            else:
                self._settle(part.item, part.entry, claimed)
        if not attempts:
            self._circuits.released(call.permit)
            return 0
        lane.senders.submit(self._calls.run, lane, call, attempts, deadline)
        return call.permits

    def _settle(self, item: DeliveryItem, entry: Entry, claimed: Claimed | None) -> None:
        match claimed:
            case None:
                item.settlement.add(Again())
            case Claimed(claim=Claim.BUSY, wait=wait):
                item.settlement.add(Again(max(AGAIN_AFTER, wait.total_seconds())))
            case Claimed(claim=Claim.LAPSED, attempt_id=UUID() as lapsed):
                self._outcomes.call_lapsed(item.under(claimed.id), entry, claimed, lapsed)
            case Claimed(suppressed=str() as why):
                ended = entry.suppressed(why)
                item.settlement.add(_decided(item.under(claimed.id), ended, claimed.claim))
            case _:
                item.settlement.add(_decided(item.under(claimed.id), entry, claimed.claim))


def following(item: DeliveryItem, claimed: Claimed | None, tracing: Tracing) -> list[DeliveryItem]:
    """
    Return the other recipients of a batch request once its first is on record.

    All share one digest, so the first shows whether the whole request is in conflict: then none of
    it may be sent, not even to recipients that are not on record.
    """
    if claimed and claimed.claim is not Claim.CONFLICT:
        traceparent = item.notification.traceparent
        return [
            DeliveryItem.begin(_within(traceparent, other), item.settlement, tracing)
            for other in item.others
        ]
    decision = Dead() if claimed else Again()
    for _ in item.others:
        item.settlement.add(decision)
    return []


def _within(traceparent: str | None, other: Notification) -> Notification:
    """Return a batch's member in the trace of its first, which may have started here."""
    same = other.traceparent == traceparent
    return other if same else replace(other, traceparent=traceparent)


def _decided(item: DeliveryItem, entry: Entry, claim: Claim) -> Decision:
    """Return the decision on a notification that needs no call, and log it."""
    notification = item.notification
    identity = notification.ids | {"source": notification.source}
    # With any other claim the record is unchanged.
    written = claim is Claim.OWNED
    item.trace.ended(notification, entry.status if written else claim.value)
    match claim:
        case Claim.DUPLICATE:
            log.info("notify.duplicate", **identity)
            return Done()
        case Claim.DEAD:
            log.info("notify.dead_again", **identity)
            return Dead()
        case Claim.CONFLICT:
            log.warning("notify.dead", **identity, cause="conflict")
            return Dead()
    if written and entry.status in _DONE_EVENTS:
        log.info(_DONE_EVENTS[entry.status], **identity, reason=entry.reason)
        return Done()
    log.warning("notify.dead", **identity, cause=str(entry.status), reason=entry.reason)
    return Dead()
