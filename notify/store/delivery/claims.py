"""Claiming: the one conditional write that makes a worker the owner of a notification."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from notify.message import Identity, Notification, Status
from notify.store.suppression import SuppressionCheck

LEASE = timedelta(seconds=60)
"""How long a claim holds."""


@dataclass(frozen=True, slots=True)
class Entry:
    """
    The record of a worker's next step: a call, a deferral, or an end without a call.

    Attributes:
        status: `Status.SENDING` to claim the notification for a call, `Status.SCHEDULED` or
            `Status.QUEUED` to defer it until *due_at*, else its final status.
        attempt_id: The call's id; None without a call.
        provider: The provider to call; None without a call.
        sender: The provider's sender, to which an opt-out may be limited; None if it has none.
        check: Which entries of the suppression list end it without the call.
        reason: Why there is no call.
        due_at: When a deferred one is published again.
        hold_id: The operator's hold that defers it.
    """

    notification: Notification
    status: Status
    attempt_id: UUID | None = None
    provider: str | None = None
    reason: str | None = None
    due_at: datetime | None = None
    hold_id: int | None = None
    sender: str | None = None
    check: SuppressionCheck = SuppressionCheck.ALL

    def suppressed(self, why: str) -> Entry:
        """Return the end that replaces the call to a suppressed recipient."""
        return replace(self, status=Status.SUPPRESSED, attempt_id=None, provider=None, reason=why)

    def under(self, row_id: UUID) -> Entry:
        """Return the entry with another row id than the producer's."""
        asked = self.notification
        return replace(self, notification=replace(asked, id=row_id, public_id=asked.id))


class Claim(enum.Enum):
    """The record's answer to an entry."""

    OWNED = "owned"
    """Written: the caller owns it."""
    DUPLICATE = "duplicate"
    """It has ended, or it is due later: the message needs no action."""
    DEAD = "dead"
    """It has ended in a way that an operator may replay: its message is dead-lettered."""
    BUSY = "busy"
    """Not yet: another worker has the lease, or this clock is behind."""
    CONFLICT = "conflict"
    """Another request of the source has its key or its id."""
    LAPSED = "lapsed"
    """Another worker's lease has passed, and the outcome of its call is unknown."""


@dataclass(frozen=True, slots=True)
class Claimed:
    """
    The answer for one notification, with its state on record.

    Attributes:
        fence: The fence of the new claim, or of the lapsed call.
        spent: Earlier calls that count against the lane's limit.
        received_at: When it was first received, or last replayed; None if that is now.
        waited_since: The same for a deferred one, also before its first call.
        attempt_id: The lapsed call's id.
        id: The id of its row, if that is not the one it came with.
        id_in_use: With `Claim.CONFLICT`: the only conflict is that another source uses its id.
        wait: How long to wait before the next try of a busy one, if that is known.
        suppressed: With `Claim.OWNED`: why it ended as suppressed instead of the call; None if
            it did not.
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
    suppressed: str | None = None

    @property
    def fresh(self) -> bool:
        """Whether it was not on record before."""
        return self.claim is Claim.OWNED and self.fence == 1


FRESH = Claimed(Claim.OWNED)
"""The answer for a notification that was not on record."""


class FirstClaims(NamedTuple):
    """
    The result of claiming notifications that may be new.

    Attributes:
        fresh: Those that were not on record, and are now.
        suppressed: Why the list stops those that were to be called, on record before or not.
    """

    fresh: set[Identity]
    suppressed: dict[Identity, str]

    def answer(self, identity: Identity) -> Claimed:
        """Return the answer for one that was not on record."""
        why = self.suppressed.get(identity)
        return FRESH if why is None else replace(FRESH, suppressed=why)
