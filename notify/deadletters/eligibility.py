"""Whether one notification of a dead letter may be sent again, by its row and its calls."""

from __future__ import annotations

import enum
from datetime import datetime

from notify.message import Notification, Outcome, Status
from notify.store.deadletters import KnownNotification


class Eligibility(enum.StrEnum):
    """Whether a replay may send a notification, and why not."""

    NEVER_SENT = "never sent"
    """No call was made, or none that can have sent it."""
    UNKNOWN = "unknown"
    """A call's outcome is unknown: it may have been sent."""
    ACCEPTED = "accepted"
    """A provider accepted it."""
    EXPIRED = "expired"
    """It has expired."""
    IN_FLIGHT = "in flight"
    """It is being sent, or will be without a replay."""
    REFUSED = "refused"
    """The provider will never accept it."""
    WITHDRAWN = "withdrawn"
    """It was cancelled or suppressed, or its recipient was erased."""
    FAILS = "would fail"
    """A worker would end it without a call, by template, country or suppression list."""
    REPORT = "report"
    """It is a receipt, or a producer's report: it is published again to where it came from."""
    UNFIT = "unfit"
    """The letter cannot be sent as it is written."""


_ACCEPTED = frozenset(
    {Status.SENT, Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED, Status.CONFIRMED}
)
_WITHDRAWN = frozenset({Status.CANCELLED, Status.SUPPRESSED})


def assess(
    asked: Notification, known: KnownNotification | None, *, archived_at: datetime, now: datetime
) -> Eligibility:
    """
    Return the eligibility of one notification.

    The gravest fact decides: one that was accepted stays so, whatever came later.

    Args:
        known: Its row, if it has one.
        archived_at: When its dead letter was archived.
    """
    outcomes = {call.outcome for call in known.calls} if known else set()
    expired = asked.expired(now)
    if known is not None:
        if known.status in _ACCEPTED or Outcome.ACCEPTED in outcomes:
            return Eligibility.ACCEPTED
        if known.status in _WITHDRAWN or known.erased:
            return Eligibility.WITHDRAWN
        if _in_flight(known, archived_at=archived_at, now=now):
            return Eligibility.IN_FLIGHT
    if expired:
        return Eligibility.EXPIRED
    if known is not None and _refused(known):
        return Eligibility.REFUSED
    if outcomes & {Outcome.UNKNOWN, None}:
        return Eligibility.UNKNOWN
    return Eligibility.NEVER_SENT


def _in_flight(known: KnownNotification, *, archived_at: datetime, now: datetime) -> bool:
    """Return whether a worker owns it, or another message or the relay will bring it to one."""
    if known.status is Status.SENDING:
        return known.lease_until is not None and known.lease_until > now
    if known.due_at is not None:
        return True
    # It waits for a message from the broker: the dead one, unless the row changed after that died.
    # If there is another message, the claim accepts only one of them.
    return not known.status.final and known.updated_at > archived_at


def _refused(known: KnownNotification) -> bool:
    """Return whether the provider rejected it. A template error does not count: edit it."""
    last = known.calls[-1] if known.calls else None
    return known.status is Status.REJECTED and last is not None and last.reason == known.reason
