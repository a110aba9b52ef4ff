"""The plan for each notification: a call to a provider, or a record without a call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from notify.arrival import Decision
from notify.delivery.settlement import Settlement
from notify.flow import Admitted, Barred, CircuitPermit, Wait
from notify.gateway import ConfiguredProvider
from notify.message import Notification, Rendered, Status
from notify.store import Claimed, Entry
from notify.store.delivery import LONGEST_REASON
from notify.telemetry.tracing import NO_TRACE, Trace, Tracing

LONGEST_DEFERRAL = timedelta(seconds=60)
"""The longest deferral, so that an operator's change takes effect within a minute."""
OPERATORS_DEFERRAL = timedelta(seconds=3)
"""The deferral where only an operator has any provider called: its queue is not consumed then."""
HELD_FOR = timedelta(days=7)
"""The deferral of a held notification; the hold's release makes it due at once."""


@dataclass(frozen=True, slots=True)
class DeliveryItem:
    """One notification to deliver, and its message's settlement."""

    notification: Notification
    settlement: Settlement
    others: Sequence[Notification] = ()
    """The rest of its batch, delivered once this one is on record."""
    trace: Trace = NO_TRACE

    @classmethod
    def begin(
        cls,
        notification: Notification,
        settlement: Settlement,
        tracing: Tracing,
        *,
        others: Sequence[Notification] = (),
    ) -> DeliveryItem:
        """Return the item, and start its trace."""
        traced, trace = tracing.begin(notification)
        return cls(traced, settlement, others, trace)

    def decide_all(self, decision: Decision) -> None:
        """Add the same decision for the notification and for the rest of its batch."""
        for _ in range(1 + len(self.others)):
            self.settlement.add(decision)

    def under(self, id_: UUID | None) -> DeliveryItem:
        """Return it with the id that the notification has on record; unchanged if None."""
        return (
            self if id_ is None else replace(self, notification=replace(self.notification, id=id_))
        )


@dataclass(frozen=True, slots=True)
class NoCall:
    """A notification that is recorded without a call: it ends, or it is due later."""

    item: DeliveryItem
    entry: Entry

    @classmethod
    def ended(cls, item: DeliveryItem, status: Status, reason: str) -> NoCall:
        """Return the end of a notification in a final status."""
        entry = Entry(item.notification, status, reason=reason[:LONGEST_REASON])
        return cls(item, entry)

    @classmethod
    def expired(cls, item: DeliveryItem) -> NoCall:
        """Return the end of a notification that has expired."""
        return cls.ended(item, Status.EXPIRED, "it expired before it could be sent")

    @property
    def parts(self) -> tuple[NoCall, ...]:
        """The entries to claim: its own."""
        return (self,)


@dataclass(frozen=True, slots=True)
class Ready:
    """
    A notification with its rendered message.

    Attributes:
        entry: The entry to claim. Its notification keeps the producer's id, even if it has
            another id on record.
    """

    item: DeliveryItem
    entry: Entry
    message: Rendered

    def call(self, admitted: Admitted) -> Call:
        """Return the call that flow control admitted."""
        provider, entry = admitted.provider, self.entry
        # For each message: `replace` would cost twice as much.
        entry = Entry(
            entry.notification,
            entry.status,
            entry.attempt_id,
            provider.name,
            entry.reason,
            entry.due_at,
            entry.hold_id,
            provider.sender_of(self.message),
            entry.check,
        )
        part = Ready(self.item, entry, self.message)
        return Call(admitted.provider, admitted.permit, (part,))

    def attempt(self, claimed: Claimed) -> Attempt:
        """Return the claimed message, with the id that it has on record."""
        message = self.message
        if claimed.id is not None:
            message = replace(message, notification_id=claimed.id)
        return Attempt(self.item.under(claimed.id), self.entry, message, claimed)

    def deferred(self, wait: Wait, *, now: datetime) -> NoCall:
        """Return it as deferred: due later, without an attempt."""
        notification = self.item.notification
        if wait.hold_id is not None:
            due = now + HELD_FOR
        elif wait.unconsumed:
            due = now + OPERATORS_DEFERRAL
        else:
            due = now + min(timedelta(seconds=min(wait.seconds, 3600.0)), LONGEST_DEFERRAL)
        if notification.expires_at is not None:
            due = min(due, notification.expires_at)
        entry = Entry(
            notification, Status.QUEUED, reason=wait.reason, due_at=due, hold_id=wait.hold_id
        )
        return NoCall(self.item, entry)

    def refused(self, barred: Barred) -> NoCall:
        """Return its end as suppressed."""
        return NoCall.ended(self.item, Status.SUPPRESSED, barred.reason)


@dataclass(frozen=True, slots=True)
class Call:
    """
    A call to make: one provider, and one message or several.

    Attributes:
        permit: The circuit's, one for the call.
        parts: One, or at most as many as the provider accepts in one call.
        permits: How many of the lane's permits it has while it is in flight.
    """

    provider: ConfiguredProvider
    permit: CircuitPermit
    parts: tuple[Ready, ...]
    permits: int = 1


Plan = NoCall | Call


@dataclass(frozen=True, slots=True)
class Attempt:
    """One claimed message of a call."""

    item: DeliveryItem
    entry: Entry
    message: Rendered
    claimed: Claimed

    @property
    def notification(self) -> Notification:
        """The notification, with the id that it has on record."""
        return self.item.notification
