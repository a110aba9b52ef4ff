"""Which changes of a notification's status exist, and the values that describe one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

from notify.message import Status

LONGEST_REASON = 255
"""Characters that the column of a reason holds."""

WAITING = (Status.SCHEDULED, Status.QUEUED)
"""Not ended, and no worker owns it."""

OPEN = (*WAITING, Status.SENDING, Status.UNKNOWN)
"""Each row is found by an index."""

SETTLED = tuple(each for each in Status if each not in OPEN)
"""Counted by the kept totals."""

REPORTED = (Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED, Status.CONFIRMED)
"""Reported after it was sent: by a vendor's receipt, or by the producer's feedback."""

_ENDED_UNSENT = {Status.REJECTED, Status.FAILED, Status.EXPIRED}
# The answer of an earlier call was found, by a look-up or in a receipt.
_FOUND = {Status.SENT, *REPORTED}
_FROM_WAITING = {
    *(Status.QUEUED, Status.SENDING, *_ENDED_UNSENT, Status.SUPPRESSED, Status.CANCELLED),
    *_FOUND,
}

ALLOWED: Mapping[Status, Collection[Status]] = {
    Status.SCHEDULED: _FROM_WAITING,
    Status.QUEUED: _FROM_WAITING,
    # To queued: a retry, or a replay of a call that nothing recorded.
    Status.SENDING: {
        *(Status.SENT, Status.QUEUED, Status.UNKNOWN, Status.REJECTED, Status.FAILED),
    },
    # To unknown: it stays so, and only an operator looks it up from now on.
    Status.UNKNOWN: {*_FOUND, Status.QUEUED, Status.UNKNOWN, Status.CANCELLED},
    # By a replay of the dead letter.
    **{ended: {Status.QUEUED} for ended in _ENDED_UNSENT},
    # Never back: a later receipt says more, or is recorded without a change of status.
    Status.SENT: {*REPORTED},
    Status.DELIVERED: {Status.BOUNCED, Status.COMPLAINED, Status.CONFIRMED},
    Status.BOUNCED: {Status.COMPLAINED, Status.CONFIRMED},
    Status.CONFIRMED: {Status.COMPLAINED},
    Status.COMPLAINED: (),
    Status.SUPPRESSED: (),
    Status.CANCELLED: (),
}
"""The statuses that may follow each status, the hot writes included."""


class IllegalTransition(ValueError):
    """The code asked for a change of status that `ALLOWED` lacks; nothing was written."""


@dataclass(frozen=True, slots=True)
class Transition:
    """The status that a notification gets, and why."""

    status: Status
    reason: str | None
    due_at: datetime | None = None
    """When the relay publishes it or the reconciler looks it up; None if neither does."""

    @property
    def to_publish(self) -> bool:
        """Whether producers get an event."""
        return worth_publishing(self.status, self.due_at)


@dataclass(frozen=True, slots=True)
class RowTransition:
    """
    The change of one row that the caller has locked.

    Attributes:
        before: The row's status.
        values: Parameters of the caller's statement, or replacements for those of `per_row`.
    """

    id: UUID
    before: Status
    to: Transition
    values: Mapping[str, Any] = field(default_factory=dict)


def worth_publishing(status: Status, due_at: datetime | None) -> bool:
    """Return whether producers get an event: the notification ended, and nothing is due."""
    return status.final and due_at is None


def unsettled(status: Status) -> bool | None:
    """Return the column `unsettled` of a row that no first call is in flight for."""
    return True if status in OPEN else None


def require_allowed(before: Status, after: Status) -> None:
    """Raise `IllegalTransition` unless *after* may follow *before*."""
    if after not in ALLOWED[before]:
        raise IllegalTransition(f"a notification never goes from {before} to {after}")
