"""The later events of a message, by the behaviour of its recipient."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field

from notify.sandbox.behaviour import Behaviour, Vendor


class StepKind(enum.Enum):
    """How a step reaches the service."""

    EVENT = enum.auto()
    """The vendor reports it to its webhook."""
    ONE_CLICK = enum.auto()
    """The recipient's mail program posts to the List-Unsubscribe address (RFC 8058)."""
    REPLY = enum.auto()
    """The recipient answers the SMS; the vendor posts the answer."""


class StepSubject(enum.Enum):
    """The subject that an event of SendGrid names."""

    CALL = enum.auto()
    """The recipient, the message, and our ids."""
    RECIPIENT = enum.auto()
    """The recipient only, as a bounce after the delivery does."""
    ACCOUNT = enum.auto()
    """Our account, and no message."""


@dataclass(frozen=True, slots=True)
class Step:
    """One later event of a message."""

    word: str
    """The vendor's name of the event; of a reply, its text."""
    after: float = 0.0
    """Seconds after the vendor accepted the message."""
    fields: Mapping[str, str] = field(default_factory=dict)
    """The event's own fields, with the vendor's names."""
    kind: StepKind = StepKind.EVENT
    subject: StepSubject = StepSubject.CALL


_SOON, _LATER = 0.1, 0.3

# https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
_PROCESSED = Step("processed")
_DELIVERED = Step("delivered", _SOON, {"response": "250 OK"})
_GONE = {
    "type": "bounce",
    "status": "5.1.1",
    "reason": "550 5.1.1 The email account that you tried to reach does not exist.",
    "bounce_classification": "Invalid Address",
}
_BLOCKED = {
    "type": "blocked",
    "status": "5.7.26",
    "reason": "550 5.7.26 This mail has been blocked because the sender is unauthenticated.",
    "bounce_classification": "Reputation",
}
_DEFERRED = {"response": "451 4.3.0 Try again later.", "attempt": "1"}

_SUSPENDED = Step(
    "account_status_change", _SOON, {"type": "suspended"}, subject=StepSubject.ACCOUNT
)

COMPLAINT = Step("spamreport", _LATER)
BOUNCE = Step("bounce", _SOON, _GONE)
ONE_CLICK = Step("one-click", _LATER, kind=StepKind.ONE_CLICK)

_SENDGRID: Mapping[Behaviour, tuple[Step, ...]] = {
    Behaviour.BOUNCE: (_PROCESSED, BOUNCE),
    Behaviour.BLOCK: (_PROCESSED, Step("bounce", _SOON, _BLOCKED)),
    Behaviour.BLOCKED: (Step("dropped", 0.0, {"reason": "Unsubscribed Address"}),),
    Behaviour.DROPPED: (Step("dropped", 0.0, {"reason": "Bounced Address", "status": "5.0.0"}),),
    Behaviour.DEFERRED: (
        _PROCESSED,
        Step("deferred", _SOON, _DEFERRED),
        Step("delivered", _LATER, {"response": "250 OK"}),
    ),
    Behaviour.LATE_BOUNCE: (
        _PROCESSED,
        _DELIVERED,
        Step("bounce", _LATER, _GONE, subject=StepSubject.RECIPIENT),
    ),
    Behaviour.COMPLAIN: (_PROCESSED, _DELIVERED, COMPLAINT),
    Behaviour.UNSUBSCRIBE: (_PROCESSED, _DELIVERED, ONE_CLICK),
    Behaviour.RESUBSCRIBE: (_PROCESSED, _DELIVERED, Step("group_resubscribe", _LATER)),
    Behaviour.SUSPENDED: (_PROCESSED, _SUSPENDED),
}

# https://www.twilio.com/docs/messaging/api/message-resource#message-status-values and
# https://www.twilio.com/docs/api/errors for the codes.
_SENT = Step("sent")
_ARRIVED = Step("delivered", _SOON)


def _undelivered(code: int, after: float = _SOON) -> Step:
    return Step("undelivered", after, {"ErrorCode": str(code)})


_TWILIO: Mapping[Behaviour, tuple[Step, ...]] = {
    Behaviour.BOUNCE: (_SENT, _undelivered(30005)),
    Behaviour.BLOCK: (_SENT, _undelivered(30007)),
    Behaviour.DROPPED: (Step("failed", 0.0, {"ErrorCode": "21610"}),),
    Behaviour.LATE_BOUNCE: (_SENT, _undelivered(30003, _LATER)),
    Behaviour.UNSUBSCRIBE: (_SENT, _ARRIVED, Step("STOP", _LATER, kind=StepKind.REPLY)),
    Behaviour.RESUBSCRIBE: (_SENT, _ARRIVED, Step("START", _LATER, kind=StepKind.REPLY)),
    Behaviour.SUSPENDED: (_undelivered(30002),),
}


# https://developer.vonage.com/messaging/sms/guides/delivery-receipts.
_ACCEPTED = Step("accepted", 0.0, {"err-code": "0"})
_REACHED = Step("delivered", _SOON, {"err-code": "0"})


def _failed(code: int, word: str = "failed", after: float = _SOON) -> Step:
    return Step(word, after, {"err-code": str(code)})


_VONAGE: Mapping[Behaviour, tuple[Step, ...]] = {
    Behaviour.BOUNCE: (_ACCEPTED, _failed(3)),
    Behaviour.BLOCK: (_ACCEPTED, _failed(6, "rejected")),
    Behaviour.BLOCKED: (_failed(9, "rejected"),),
    Behaviour.DROPPED: (_failed(9, "rejected"),),
    Behaviour.DEFERRED: (Step("buffered", 0.0, {"err-code": "0"}), _REACHED),
    Behaviour.LATE_BOUNCE: (_ACCEPTED, _failed(2, "expired", _LATER)),
    Behaviour.UNSUBSCRIBE: (_ACCEPTED, _REACHED, Step("STOP", _LATER, kind=StepKind.REPLY)),
    Behaviour.RESUBSCRIBE: (_ACCEPTED, _REACHED, Step("START", _LATER, kind=StepKind.REPLY)),
    Behaviour.SUSPENDED: (_ACCEPTED, _failed(6, "rejected")),
}


def steps(vendor: Vendor, behaviour: Behaviour) -> tuple[Step, ...]:
    """Return the later events of an accepted message, in order; FCM reports none."""
    if vendor is Vendor.SENDGRID:
        return _SENDGRID.get(behaviour, (_PROCESSED, _DELIVERED))
    if vendor is Vendor.TWILIO:
        return _TWILIO.get(behaviour, (_SENT, _ARRIVED))
    if vendor is Vendor.VONAGE:
        return _VONAGE.get(behaviour, (_ACCEPTED, _REACHED))
    return ()


def last_status(behaviour: Behaviour) -> Step:
    """Return Twilio's last status of a message, as a look-up shows it."""
    return [each for each in steps(Vendor.TWILIO, behaviour) if each.kind is StepKind.EVENT][-1]
