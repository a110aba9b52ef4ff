"""
Whose fault it is that an SMS was not delivered, by Twilio's error code.

Source: https://www.twilio.com/docs/api/errors. Only a code that certainly blames the number blames
the recipient: every other receipt lets a later message try.
"""

from __future__ import annotations

from notify.receipt import Blame

OPTED_OUT = 21610
"""The recipient replied STOP to this sender or messaging service."""
SUSPENDED = 30002
"""The account was suspended between the request and the delivery."""

_RECIPIENT = frozenset(
    {
        30005,  # unknown or inactive number
        30006,  # a landline, or a carrier that cannot be reached
    }
)
_SENDER = frozenset(
    {
        21606,  # the sender cannot send SMS
        30002,  # the account is suspended
        30007,  # filtered by Twilio or the carrier
        30018,  # the destination requires sender registration
        30022,  # the campaign's rate
        30023,  # the brand's daily cap
        30024,  # the sender is not provisioned by the carrier
        30025,  # the account's trial limit
        30026,  # the carrier's ramp limit
        30027,  # the daily cap at T-Mobile
        30032,  # the toll-free number is not verified
        30033,  # the campaign is suspended
        30034,  # the number has no registered campaign
        30035,  # the sender's registration is pending
        30038,  # one-time passwords are blocked for this sender
        30041,  # no alphanumeric sender in this country
        30454,  # the account's daily cap
        60728,  # the account's daily cap
        63017,  # the account's rate
        63038,  # the account's daily cap
    }
)
_MESSAGE = frozenset(
    {
        21211,  # not a valid number
        21602,  # no body
        21614,  # not a mobile number
        21617,  # the body is too long
        21620,  # the media address is not valid
        30010,  # above the highest accepted price
        30011,  # MMS is not supported by the number's carrier
        30019,  # the content is too large
        30039,  # a loop of messages
        30040,  # the destination's carrier needs another request
        30410,  # the carrier did not accept the format
    }
)


def of_code(code: int | None) -> Blame | None:
    """Return whose fault an undelivered SMS is; None if the recipient has opted out."""
    if code == OPTED_OUT:
        return None
    for codes, whose in (
        (_RECIPIENT, Blame.RECIPIENT),
        (_SENDER, Blame.SENDER),
        (_MESSAGE, Blame.MESSAGE),
    ):
        if code in codes:
            return whose
    # 30001, 30003, 30004, 30008, 30036, 30610, and codes that are new.
    return Blame.MOMENT
