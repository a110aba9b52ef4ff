"""The behaviours of reserved recipients, and the addresses, numbers and tokens that have them."""

from __future__ import annotations

import enum

from notify.message import Channel


class Vendor(enum.StrEnum):
    """The vendors that the sandbox plays."""

    SENDGRID = "sendgrid"
    TWILIO = "twilio"
    VONAGE = "vonage"
    FCM = "fcm"


class Behaviour(enum.StrEnum):
    """The outcome of a request to send. The words are the reserved local parts and prefixes."""

    DELIVER = "deliver"
    """Accepted, and delivered later."""
    BOUNCE = "bounce"
    """Accepted, and bounced later."""
    INVALID = "invalid"
    """Refused: there is no such recipient."""
    BLOCKED = "blocked"
    """Opted out or uninstalled: refused, or accepted and dropped if the vendor does so."""
    DENIED = "denied"
    """Refused: the key is not valid."""
    THROTTLED = "throttled"
    """Refused: too many requests; `Retry-After` has the seconds to wait."""
    DOWN = "down"
    """503 in the vendor's error form; nothing was done."""
    FLAKY = "flaky"
    """503 for the first two requests of a notification, then as DELIVER."""
    ERROR = "error"
    """500 in the vendor's error form; nothing was done."""
    BROKEN = "broken"
    """502 as HTML, from a proxy in front of the vendor; nothing was done."""
    GARBLED = "garbled"
    """The status of success with a page that is not the vendor's; nothing was done."""
    SLOW = "slow"
    """Accepted at once, answered seconds later."""
    HANG = "hang"
    """Never answered; nothing was done."""
    MUTE = "mute"
    """Accepted, never answered."""
    RESET = "reset"
    """The connection is reset; nothing was done."""
    LOST = "lost"
    """Accepted; the connection is reset instead of an answer."""
    DEFERRED = "deferred"
    """Accepted; the receiving server refuses it for now, then it is delivered."""
    BLOCK = "block"
    """Accepted; the receiving side refuses the sender, so it is not delivered."""
    DROPPED = "dropped"
    """Accepted; the vendor drops it, since the recipient is on the vendor's own list."""
    LATE_BOUNCE = "late-bounce"
    """Accepted and delivered; a bounce without ids follows."""
    COMPLAIN = "complain"
    """Accepted and delivered; the recipient reports it as spam."""
    UNSUBSCRIBE = "unsubscribe"
    """Accepted and delivered; the recipient unsubscribes with one click, or replies STOP."""
    RESUBSCRIBE = "resubscribe"
    """Accepted and delivered; the recipient takes an opt-out back."""
    SUSPENDED = "suspended"
    """Accepted; the vendor suspends the account before the delivery."""


class Effect(enum.StrEnum):
    """The real effect of a request, whatever the answer."""

    ACCEPTED = "accepted"
    """The message is in the inbox: a real vendor would send it."""
    REFUSED = "refused"
    """The vendor read it and refused it."""
    NOTHING = "nothing"
    """The vendor did not process it."""


class FeedbackEvent(enum.StrEnum):
    """The later event of an accepted message."""

    DELIVERED = "delivered"
    BOUNCED = "bounced"
    BLOCKED = "blocked"
    DROPPED = "dropped"
    COMPLAINED = "complained"


EVENTS = {
    Behaviour.BOUNCE: FeedbackEvent.BOUNCED,
    Behaviour.LATE_BOUNCE: FeedbackEvent.BOUNCED,
    Behaviour.BLOCK: FeedbackEvent.BLOCKED,
    Behaviour.SUSPENDED: FeedbackEvent.BLOCKED,
    Behaviour.BLOCKED: FeedbackEvent.DROPPED,
    Behaviour.DROPPED: FeedbackEvent.DROPPED,
    Behaviour.COMPLAIN: FeedbackEvent.COMPLAINED,
}
"""The later event of an accepted message, if it is not DELIVERED."""

PERSONAL = frozenset(
    {
        Behaviour.DELIVER,
        Behaviour.BOUNCE,
        Behaviour.BLOCKED,
        Behaviour.DEFERRED,
        Behaviour.BLOCK,
        Behaviour.DROPPED,
        Behaviour.LATE_BOUNCE,
        Behaviour.COMPLAIN,
        Behaviour.UNSUBSCRIBE,
        Behaviour.RESUBSCRIBE,
        Behaviour.SUSPENDED,
    }
)
"""These concern one recipient only; the others of the request are handled as usual."""


class ReceiptFault(enum.StrEnum):
    """A fault in how a vendor posts the events of its messages."""

    REPEATED = "repeated"
    """Each event is posted twice; SendGrid's second post has another `sg_event_id`."""
    REORDERED = "reordered"
    """The events of a message are posted in reverse order."""
    EARLY = "early"
    """The events are posted before the request to send is answered."""
    FORGED = "forged"
    """The signature is made with another key."""
    POISONED = "poisoned"
    """SendGrid's posts are filled up to 1,000 elements; one of them is not an event."""
    SILENT = "silent"
    """No event is posted."""


# +1500555CCNN: CC is the behaviour, NN any two digits. +1500 is a range of personal numbers that
# phonenumbers accepts as valid and that reaches no person; +15005550NNN are Twilio's test numbers.
_NUMBERS = {
    "10": Behaviour.BOUNCE,
    "11": Behaviour.INVALID,
    "12": Behaviour.BLOCKED,
    "13": Behaviour.DENIED,
    "14": Behaviour.BLOCK,
    "15": Behaviour.DROPPED,
    "16": Behaviour.LATE_BOUNCE,
    "17": Behaviour.UNSUBSCRIBE,
    "18": Behaviour.RESUBSCRIBE,
    "19": Behaviour.SUSPENDED,
    "20": Behaviour.THROTTLED,
    "21": Behaviour.DOWN,
    "22": Behaviour.FLAKY,
    "23": Behaviour.ERROR,
    "24": Behaviour.BROKEN,
    "25": Behaviour.GARBLED,
    "30": Behaviour.SLOW,
    "31": Behaviour.HANG,
    "32": Behaviour.MUTE,
    "33": Behaviour.RESET,
    "34": Behaviour.LOST,
}
# https://www.twilio.com/docs/iam/test-credentials; twilio.py has their codes.
_TWILIO_NUMBERS = {
    "0001": Behaviour.INVALID,
    "0002": Behaviour.INVALID,
    "0003": Behaviour.INVALID,
    "0004": Behaviour.BLOCKED,
    "0009": Behaviour.INVALID,
}


def behaviour_of(channel: Channel, to: str) -> Behaviour:
    """Return the behaviour that a recipient is reserved for; DELIVER if it is not reserved."""
    if channel is Channel.EMAIL:
        return _of_address(to)
    if channel is Channel.SMS:
        return _of_number(to)
    return _of_token(to)


def _of_address(to: str) -> Behaviour:
    local, _, domain = to.lower().rpartition("@")
    if not domain.startswith("sandbox."):
        return Behaviour.DELIVER
    return _word(local.partition("+")[0])


def _of_number(to: str) -> Behaviour:
    if len(to) != len("+1500555CCNN") or not to.startswith("+1500555"):
        return Behaviour.DELIVER
    last = to.removeprefix("+1500555")
    return _TWILIO_NUMBERS.get(last) or _NUMBERS.get(last[:2], Behaviour.DELIVER)


def _of_token(to: str) -> Behaviour:
    # Push services report no later events, so these have no reserved tokens.
    prefix, _, rest = to.partition("-")
    return _word(rest.partition("-")[0]) if prefix == "token" else Behaviour.DELIVER


def _word(text: str) -> Behaviour:
    try:
        return Behaviour(text)
    except ValueError:
        return Behaviour.DELIVER
