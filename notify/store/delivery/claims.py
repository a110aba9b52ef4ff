"""Claiming: the one conditional write that makes a worker the owner of a notification."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID

from notify.message import Notification, Status

LEASE = timedelta(seconds=60)
"""How long a claim holds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    What a worker wants recorded before it acts: a call to make, a wait, or an end without a call.

    Attributes:
        status: `Status.SENDING` to claim the notification for a call, `Status.SCHEDULED` or
            `Status.QUEUED` to keep it until *due_at*, else its final status.
        attempt_id: The call's id; None where none is to be made.
        provider: Whom the call would reach; None where none is to be made.
        reason: Why it ended without a call.
        due_at: When one that waits is taken up.
        hold_id: Which operator's hold makes it wait.
    """

    notification: Notification
    status: Status
    attempt_id: UUID | None = None
    provider: str | None = None
    reason: str | None = None
    due_at: datetime | None = None
    hold_id: int | None = None

    def under(self, row_id: UUID) -> Entry:
        """Return the same entry for a row with another id than the producer's."""
        asked = self.notification
        return replace(self, notification=replace(asked, id=row_id, public_id=asked.id))


class Claim(enum.Enum):
    """What the record answered."""

    OWNED = "owned"
    """Written: the caller goes on."""
    DUPLICATE = "duplicate"
    """It has ended, or the record keeps its time: nothing is to be done with the message."""
    DEAD = "dead"
    """It has ended where an operator may want it: its message belongs to the dead letters."""
    BUSY = "busy"
    """Not yet: another worker is on it and its lease has not passed, or our clock is behind."""
    CONFLICT = "conflict"
    """The same key, or the source's same id, stands for another request."""
    LAPSED = "lapsed"
    """Another worker began a call, its lease passed, and nobody knows how the call ended."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """
    The answer for one notification, and what the record knows of it.

    Attributes:
        fence: The number under which it is claimed now, or was for the lapsed call.
        spent: Earlier calls that count against the lane's limit.
        received_at: When it was first received, or last replayed; None if that was just now.
        waited_since: The same of one that has waited in the record, before its first call too.
        attempt_id: The lapsed call's id.
        id: The notification's on record, where that is not the one it came with now.
        id_in_use: With `Claim.CONFLICT`: nothing but another source's use of its id is in the way.
        wait: How long to leave a busy one alone, where the record can say so.
    """

    claim: Claim
    fence: int = 1
    spent: int = 0
    received_at: datetime | None = None
    attempt_id: UUID | None = None
    id: UUID | None = None
    id_in_use: bool = False
    waited_since: datetime | None = field(default=None, compare=False)
    wait: timedelta = field(default=timedelta(), compare=False)

    @property
    def fresh(self) -> bool:
        """Whether the record had never seen it."""
        return self.claim is Claim.OWNED and self.fence == 1


FRESH = Claimed(Claim.OWNED)
"""The answer for what the record has never seen."""
