"""Dispatching a claimed group: start its calls, and settle what needs none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import structlog

from notify.delivery.call_runner import CallRunner
from notify.delivery.claiming import Claimer
from notify.delivery.decision import Again, Dead, Decision, Done
from notify.delivery.lane import Lane
from notify.delivery.metrics import DeliveryMetrics
from notify.delivery.outcome_recorder import LOOK_AGAIN, OutcomeRecorder
from notify.delivery.plan import DeliveryItem, Plan
from notify.flow import Circuits
from notify.message import Notification, Status
from notify.store import Claim, Claimed
from notify.telemetry.tracing import Tracing, nanoseconds_now

_KEPT = {
    Status.SCHEDULED: "notify.scheduled",
    Status.QUEUED: "notify.deferred",
    Status.SUPPRESSED: "notify.suppressed",
}
"""The log events of what the record keeps, so that nothing is left to do with the message."""

log = structlog.get_logger("notify.delivery")


class Dispatched(NamedTuple):
    """What came of one group."""

    follow_ups: list[DeliveryItem]
    """The other recipients of batches whose first is on record now."""
    calls: int
    """How many calls have begun; each keeps one of the lane's permits until its end."""
    store_ok: bool
    """Whether the record answered every claim."""


class Dispatcher:
    """Claims groups of plans, and hands the calls to a lane's senders."""

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
        answers = self._claimer.claim(plans)
        ended = nanoseconds_now()
        follow_ups: list[DeliveryItem] = []
        calls = 0
        for planned, claimed in zip(plans, answers, strict=True):
            plan = planned.under(claimed.id) if claimed else planned
            answer = claimed.claim if claimed else None
            self._metrics.claimed(plan.entry, claimed)
            plan.ask.trace.note("claim", began, ended)
            follow_ups += following(plan.ask, answer, self._tracing)
            if claimed and answer is Claim.OWNED and plan.pass_ is not None:
                lane.senders.submit(self._calls.run, lane, plan, claimed, deadline)
                calls += 1
                continue
            if plan.pass_ is not None:
                self._circuits.released(plan.pass_)
            if claimed and answer is Claim.LAPSED:
                self._outcomes.call_lapsed(plan, claimed)
            else:
                plan.ask.tally.add(without_call(plan, claimed))
        return Dispatched(follow_ups, calls, None not in answers)


def following(ask: DeliveryItem, answer: Claim | None, tracing: Tracing) -> list[DeliveryItem]:
    """
    Ask for a batch's other recipients once its first is known.

    All share one digest, so the first tells whether the whole request is in conflict: then
    none of it may be sent, not even to recipients that the record has never seen.
    """
    match answer:
        case Claim.CONFLICT:
            decision: Decision = Dead()
        case None:
            decision = Again(LOOK_AGAIN)
        case _:
            traceparent = ask.notification.traceparent
            return [
                DeliveryItem.begin(_within(traceparent, other), ask.tally, tracing)
                for other in ask.others
            ]
    for _ in ask.others:
        ask.tally.add(decision)
    return []


def _within(traceparent: str | None, other: Notification) -> Notification:
    """Give a batch's member in the trace of its first, which may have begun here."""
    same = other.traceparent == traceparent
    return other if same else replace(other, traceparent=traceparent)


def without_call(plan: Plan, claimed: Claimed | None) -> Decision:
    """Decide on a notification for which no call is made."""
    notification = plan.ask.notification
    identity = notification.ids | {"source": notification.source}
    if claimed is None:
        return Again(LOOK_AGAIN)
    answer = claimed.claim
    if answer is Claim.BUSY:
        return Again(max(LOOK_AGAIN, claimed.wait.total_seconds()))
    # An answer other than this has left the record as it was.
    written = answer is Claim.OWNED
    plan.ask.trace.ended(notification, plan.entry.status if written else answer.value)
    match answer:
        case Claim.DUPLICATE:
            log.info("notify.duplicate", **identity)
            return Done()
        case Claim.DEAD:
            log.info("notify.dead_again", **identity)
            return Dead()
        case Claim.CONFLICT:
            log.warning("notify.dead", **identity, cause="conflict")
            return Dead()
        case Claim.OWNED if plan.entry.status in _KEPT:
            log.info(_KEPT[plan.entry.status], **identity, reason=plan.entry.reason)
            return Done()
        case Claim.OWNED | Claim.LAPSED:
            entry = plan.entry
            log.warning("notify.dead", **identity, cause=str(entry.status), reason=entry.reason)
            return Dead()
