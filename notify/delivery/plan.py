"""What each notification needs: a call to a provider, or a record without a call."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from notify.delivery.decision import Decision, Settlement
from notify.errors import TemplateError
from notify.flow import Admitted, Barred, CircuitPermit, Wait
from notify.gateway import ConfiguredProvider
from notify.message import Channel, Content, Notification, Rendered, Status
from notify.store import Claimed, Entry
from notify.store.delivery import LONGEST_REASON
from notify.telemetry.tracing import NO_TRACE, Trace, Tracing
from notify.templating import Templates

LONGEST_DEFERRAL = timedelta(seconds=60)
"""The longest deferral, so that what an operator changes takes effect within a minute."""
HELD_FOR = timedelta(days=7)
"""The deferral of a held notification; the hold's release makes it due at once."""
_TOO_LATE = "it expired before it could be sent"


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
        """Return the item, with its trace begun."""
        traced, trace = tracing.begin(notification)
        return cls(traced, settlement, others, trace)

    def decide_all(self, decision: Decision) -> None:
        """Decide on the notification and on the rest of its batch alike."""
        for _ in range(1 + len(self.others)):
            self.settlement.add(decision)

    def under(self, id_: UUID | None) -> DeliveryItem:
        """Return it under the id that the record knows the notification by; itself if None."""
        return (
            self if id_ is None else replace(self, notification=replace(self.notification, id=id_))
        )


@dataclass(frozen=True, slots=True)
class NoCall:
    """A notification that is recorded without a call: it ends, or it is due later."""

    item: DeliveryItem
    entry: Entry

    @property
    def parts(self) -> tuple[NoCall, ...]:
        """What to claim: itself."""
        return (self,)


@dataclass(frozen=True, slots=True)
class Ready:
    """
    A notification with its rendered message.

    Attributes:
        entry: What to claim for it. Its notification keeps the producer's id, even where the
            record knows the item's by another.
    """

    item: DeliveryItem
    entry: Entry
    message: Rendered

    def call(self, admitted: Admitted) -> Call:
        """Return the call that flow control has admitted."""
        entry = replace(self.entry, provider=admitted.provider.name)
        part = Ready(self.item, entry, self.message)
        return Call(admitted.provider, admitted.permit, (part,))

    def attempt(self, claimed: Claimed) -> Attempt:
        """Return it as claimed, under the id that the record knows it by."""
        message = self.message
        if claimed.id is not None:
            message = replace(message, notification_id=claimed.id)
        return Attempt(self.item.under(claimed.id), self.entry, message, claimed)

    def deferred(self, wait: Wait, *, now: datetime) -> NoCall:
        """Have the record keep it until it is due; no attempt is made, and none is counted."""
        notification = self.item.notification
        if wait.hold_id is not None:
            due = now + HELD_FOR
        else:
            due = now + min(timedelta(seconds=min(wait.seconds, 3600.0)), LONGEST_DEFERRAL)
        if notification.expires_at is not None:
            due = min(due, notification.expires_at)
        entry = Entry(
            notification, Status.QUEUED, reason=wait.reason, due_at=due, hold_id=wait.hold_id
        )
        return NoCall(self.item, entry)

    def refused(self, barred: Barred) -> NoCall:
        """End it as suppressed."""
        return _end(self.item, Status.SUPPRESSED, barred.reason)

    def expired(self) -> NoCall:
        """End it as expired."""
        return _end(self.item, Status.EXPIRED, _TOO_LATE)


@dataclass(frozen=True, slots=True)
class Call:
    """
    A call to make: one provider, and one message or several.

    Attributes:
        permit: The circuit's, one for the call.
        parts: One, or as many as the provider takes in one call.
    """

    provider: ConfiguredProvider
    permit: CircuitPermit
    parts: tuple[Ready, ...]


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
        """The notification, under the id that the record knows it by."""
        return self.item.notification


class Planner:
    """Decides, without access to the record, what each notification needs."""

    def __init__(self, *, channels: Collection[Channel], templates: Templates) -> None:
        self._channels = channels
        self._templates = templates

    def plan(self, item: DeliveryItem, *, now: datetime) -> NoCall | Ready:
        """Check and render one notification; its provider is chosen later."""
        notification = item.notification
        if notification.send_at is not None and notification.send_at > now:
            entry = Entry(notification, Status.SCHEDULED, due_at=notification.send_at)
            return NoCall(item, entry)
        if notification.expired(now):
            return _end(item, Status.EXPIRED, _TOO_LATE)
        if notification.channel not in self._channels:
            reason = f"this worker has no provider for {notification.channel}"
            return _end(item, Status.FAILED, reason)
        attempt_id = uuid4()
        try:
            with item.trace.during("render"):
                message = rendered(notification, attempt_id, templates=self._templates)
        except TemplateError as error:
            return _end(item, Status.REJECTED, str(error))
        return Ready(item, Entry(notification, Status.SENDING, attempt_id), message)


def rendered(notification: Notification, attempt_id: UUID, *, templates: Templates) -> Rendered:
    """
    Return the message of one attempt in its final words.

    Raises:
        TemplateError: The template is missing or broken, or lacks data.
    """
    content = _content(notification, templates)
    return Rendered(
        notification_id=notification.id,
        attempt_id=attempt_id,
        to=notification.to,
        subject=content.subject,
        text=content.text,
        html=content.html,
        data=notification.metadata,
        expires_at=notification.expires_at,
    )


def _content(notification: Notification, templates: Templates) -> Content:
    if notification.inline is not None:
        return notification.inline
    if notification.template is None:
        raise TemplateError("the notification names no template and brings no content")
    return templates.render(
        notification.template,
        channel=notification.channel,
        locale=notification.locale,
        data=notification.data,
    )


def _end(item: DeliveryItem, status: Status, reason: str) -> NoCall:
    return NoCall(item, Entry(item.notification, status, reason=reason[:LONGEST_REASON]))
