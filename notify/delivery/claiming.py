"""Claiming a group of plans, and what follows where no call may be made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog

from notify.delivery.decision import Again, Dead, Decision, Done
from notify.delivery.outcome_recorder import LOOK_AGAIN
from notify.delivery.plan import DeliveryItem, Plan
from notify.errors import StoreError, StoreRefused
from notify.message import Notification, Status
from notify.store import Claim, Claimed, Store
from notify.telemetry.tracing import Tracing

_KEPT = {
    Status.SCHEDULED: "notify.scheduled",
    Status.QUEUED: "notify.deferred",
    Status.SUPPRESSED: "notify.suppressed",
}
"""What the record keeps so that nothing is left to do with the message, and how that is told."""

log = structlog.get_logger("notify.delivery")


class Claimer:
    """Claims plans in the record, whatever it thinks of one of them."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def claim(
        self, plans: Sequence[Plan], *, now: datetime, lease: timedelta
    ) -> list[Claimed | None]:
        """Claim all in one transaction; None stands for what the store would not take now."""
        try:
            return [*self._store.claim([plan.entry for plan in plans], now=now, lease=lease)]
        except StoreRefused as error:
            # One bad row fails the whole transaction: find it, and spare its neighbours.
            if len(plans) > 1:
                return [
                    answer for plan in plans for answer in self.claim([plan], now=now, lease=lease)
                ]
            log.error("notify.refused", **plans[0].ask.notification.ids, error=str(error))
            return [Claimed(Claim.CONFLICT)]
        except StoreError as error:
            log.error("notify.store_away", waiting=len(plans), error=str(error))
            return [None] * len(plans)


def distinct(asks: Sequence[DeliveryItem]) -> list[DeliveryItem]:
    """Let one claim hold a notification once; its double is looked at again afterwards."""
    seen: set[object] = set()
    distinct = []
    for ask in asks:
        keys = {ask.notification.identity, ask.notification.key}
        if seen & keys:
            ask.decide_all(Again(LOOK_AGAIN))
            continue
        seen |= keys
        distinct.append(ask)
    return distinct


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
