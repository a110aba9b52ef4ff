"""What is to be done for one notification: a call to make, or an end without a call."""

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
from notify.store import Entry
from notify.store.delivery import LONGEST_REASON
from notify.telemetry.tracing import NO_TRACE, Trace, Tracing
from notify.templating import Templates

LOOK_BACK = timedelta(seconds=60)
"""How long what must wait is put off at most: an operator may change his mind meanwhile."""
HELD = timedelta(days=7)
"""How long what an operator holds is put off; its release makes it due at once."""
_TOO_LATE = "it expired before it could be sent"


@dataclass(frozen=True, slots=True)
class DeliveryItem:
    """One notification to deliver, and its message's tally."""

    notification: Notification
    tally: Settlement
    others: Sequence[Notification] = ()
    """The rest of its batch, to be asked for once this one is known."""
    trace: Trace = NO_TRACE
    """Where what is done for it is noted."""

    @classmethod
    def begin(
        cls,
        notification: Notification,
        tally: Settlement,
        tracing: Tracing,
        *,
        others: Sequence[Notification] = (),
    ) -> DeliveryItem:
        """Begin to deliver it, and its trace."""
        traced, trace = tracing.begin(notification)
        return cls(traced, tally, others, trace)

    def decide_all(self, decision: Decision) -> None:
        """Decide on the notification and on the rest of its batch alike."""
        for _ in range(1 + len(self.others)):
            self.tally.add(decision)


@dataclass(frozen=True, slots=True)
class Plan:
    """
    What is asked, what to write before acting, and the message if a call is to be made.

    Attributes:
        line: Whom to call, once there is leave to.
        pass_: The leave of that line's circuit.
    """

    ask: DeliveryItem
    entry: Entry
    message: Rendered | None = None
    line: ConfiguredProvider | None = None
    pass_: CircuitPermit | None = None

    def through(self, leave: Admitted) -> Plan:
        """Plan the call through the line that there is leave for."""
        # Not what is asked, which may be under the row's id: the entry has its producer's.
        entry = replace(self.entry, provider=leave.line.name)
        return Plan(self.ask, entry, self.message, leave.line, leave.pass_)

    def put_off(self, wait: Wait, *, now: datetime) -> Plan:
        """Have the record keep it: no attempt is made, and none is counted."""
        notification = self.ask.notification
        if wait.hold_id is not None:
            due = now + HELD
        else:
            due = now + min(timedelta(seconds=min(wait.seconds, 3600.0)), LOOK_BACK)
        if notification.expires_at is not None:
            due = min(due, notification.expires_at)
        entry = Entry(
            notification, Status.QUEUED, reason=wait.reason, due_at=due, hold_id=wait.hold_id
        )
        return Plan(self.ask, entry)

    def refused(self, refused: Barred) -> Plan:
        """End it without a call."""
        return _end(self.ask, Status.SUPPRESSED, refused.reason)

    def expired(self) -> Plan:
        """End it, since its time is over."""
        return _end(self.ask, Status.EXPIRED, _TOO_LATE)

    def under(self, id_: UUID | None) -> Plan:
        """Give the same plan under the id that the record knows the notification by, if another."""
        if id_ is None:
            return self
        notification = replace(self.ask.notification, id=id_)
        message = self.message and replace(self.message, notification_id=id_)
        return replace(self, ask=replace(self.ask, notification=notification), message=message)


class Planner:
    """Decides, without touching the record, what each notification needs."""

    def __init__(self, *, channels: Collection[Channel], templates: Templates) -> None:
        self._channels = channels
        self._templates = templates

    def plan(self, ask: DeliveryItem, *, now: datetime) -> Plan:
        """Check and render one notification; whom to call is not yet said."""
        notification = ask.notification
        if notification.send_at is not None and notification.send_at > now:
            entry = Entry(notification, Status.SCHEDULED, due_at=notification.send_at)
            return Plan(ask, entry)
        if notification.expired(now):
            return _end(ask, Status.EXPIRED, _TOO_LATE)
        if notification.channel not in self._channels:
            reason = f"this worker has no provider for {notification.channel}"
            return _end(ask, Status.FAILED, reason)
        attempt_id = uuid4()
        try:
            with ask.trace.during("render"):
                message = rendered(notification, attempt_id, templates=self._templates)
        except TemplateError as error:
            return _end(ask, Status.REJECTED, str(error))
        return Plan(ask, Entry(notification, Status.SENDING, attempt_id), message)


def rendered(notification: Notification, attempt_id: UUID, *, templates: Templates) -> Rendered:
    """
    Write the message of one attempt in its final words.

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


def _end(ask: DeliveryItem, status: Status, reason: str) -> Plan:
    return Plan(ask, Entry(ask.notification, status, reason=reason[:LONGEST_REASON]))
