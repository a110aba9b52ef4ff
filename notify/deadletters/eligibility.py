"""What a replay would do to one notification, by what the record knows of it at this moment."""

from __future__ import annotations

import enum
from datetime import datetime

from notify.message import Notification, Outcome, Status
from notify.store.deadletters import KnownNotification


class Eligibility(enum.StrEnum):
    """How a notification stands that a dead letter asks for."""

    NEVER_SENT = "never sent"
    """No call was made, or none that can have sent it."""
    UNKNOWN = "unknown"
    """A call's outcome is unknown: it may have been sent."""
    ACCEPTED = "accepted"
    """The provider took it."""
    EXPIRED = "expired"
    """Its time is over."""
    IN_FLIGHT = "in flight"
    """It is being sent, or will be by itself."""
    REFUSED = "refused"
    """The provider will never take it."""
    WITHDRAWN = "withdrawn"
    """It was cancelled or suppressed, or its recipient was erased."""
    FAILS = "would fail"
    """A worker would end it without a call: its template fails, or its country is not allowed."""
    UNFIT = "unfit"
    """It cannot be sent as it is written."""


_TAKEN = frozenset({Status.SENT, Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED})
_WITHDRAWN = frozenset({Status.CANCELLED, Status.SUPPRESSED})


def assess(
    asked: Notification, known: KnownNotification | None, *, archived_at: datetime, now: datetime
) -> Eligibility:
    """
    Judge one notification; *archived_at* tells since when its message is surely dead.

    The gravest fact decides: what was accepted is so whatever came later.
    """
    outcomes = {call.outcome for call in known.calls} if known else set()
    expired = asked.expired(now)
    if known is not None:
        if known.status in _TAKEN or Outcome.ACCEPTED in outcomes:
            return Eligibility.ACCEPTED
        if known.status in _WITHDRAWN or known.erased:
            return Eligibility.WITHDRAWN
        if _moves(known, archived_at=archived_at, now=now):
            return Eligibility.IN_FLIGHT
    if expired:
        return Eligibility.EXPIRED
    if known is not None and _refused(known):
        return Eligibility.REFUSED
    if outcomes & {Outcome.UNKNOWN, None}:
        return Eligibility.UNKNOWN
    return Eligibility.NEVER_SENT


def _moves(known: KnownNotification, *, archived_at: datetime, now: datetime) -> bool:
    """Tell whether something other than the dead message will take it up, or has it in hand."""
    if known.status is Status.SENDING:
        return known.lease_until is not None and known.lease_until > now
    if known.due_at is not None:
        return True
    # It waits for a message from the broker. If it has not changed since this one died, this is
    # the one that it waits for. Should there be another, the claim lets one of them through.
    return not known.status.final and known.updated_at > archived_at


def _refused(known: KnownNotification) -> bool:
    """Tell whether it was the provider that rejected it: a template can be mended."""
    last = known.calls[-1] if known.calls else None
    return known.status is Status.REJECTED and last is not None and last.reason == known.reason
