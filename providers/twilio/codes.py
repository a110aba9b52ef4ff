"""
Twilio's error codes for sending a message, by cause: the recipient, our account, rate, or none.

The list is https://www.twilio.com/docs/api/errors, with every code that a request to Messages.json
can return. The status decides for codes that are not here.
"""

from __future__ import annotations

from notify.errors import (
    InvalidRecipient,
    OptedOut,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)

_RECIPIENT = frozenset(
    {
        21211,  # not a valid number
        21214,  # cannot be reached
        21217,  # does not appear to be valid
        21265,  # a short code
        21266,  # the sender's own number
        21268,  # premium rate, or an information service
        21408,  # its region is not enabled for the account
        21612,  # not reachable from this sender
        21614,  # not a mobile number
        21635,  # a landline
        21662,  # not reachable from this sender in the Ireland region
    }
)
"""This number cannot receive the message. Others can, also if sender and number do not match."""

_OPTED_OUT = frozenset({21610})
"""The recipient replied STOP to this sender or messaging service."""

_ACCOUNT = frozenset(
    {
        20003,  # authentication failed
        20005,  # the account is not active
        20006,  # access denied
        20008,  # test credentials
        20010,  # the account is suspended
        20403,  # forbidden
        20404,  # nothing at the account's address
        21219,  # a trial account, and To is not verified
        21470,  # not a valid account
        21471,  # no such account
        21472,  # the account is not active
        21502,  # the status callback is not valid
        21608,  # a trial account, and To is not verified
        21609,  # the status callback is not valid
        21626,  # the status callback is not valid
        30002,  # the account is suspended
    }
)
"""The account or its settings: no message passes until an operator corrects it."""

_SENDER = frozenset(
    {
        21210,  # From is not verified
        21212,  # From is not a valid number
        21213,  # no From
        21264,  # From is not verified
        21267,  # a name as From on a trial account
        21407,  # a number of this type cannot send SMS
        21601,  # From cannot send SMS
        21603,  # neither From nor a messaging service
        21606,  # From is not the account's, or cannot send SMS
        21607,  # a trial account must send from its own number
        21616,  # From matches several of the account's numbers
        21657,  # the sender's name is not valid
        21659,  # From is not a number of Twilio's, or is a short code of another country
        21660,  # From belongs to another account
        21661,  # From cannot send SMS
        21663,  # From is routed wrongly
        21668,  # From is of a type that the Ireland region does not accept
        21701,  # no such messaging service
        21702,  # the messaging service accepts no messages
        21703,  # the messaging service has no number that can send
        21704,  # the messaging service has no numbers
        21705,  # the messaging service is not valid
        21708,  # the messaging service has no sender's name
        21709,  # the sender's name is not allowed in the messaging service
        21711,  # the sender is not in the messaging service
        21712,  # the sender is in another messaging service
        21713,  # the messaging service's use case is not valid
        21715,  # the number lacks what the messaging service needs
        21717,  # the brand is not registered
        21719,  # the use cases do not match
        21720,  # the use case is not valid
        21729,  # the campaign is suspended
        21731,  # the brand is suspended
        21733,  # no default messaging service
        21910,  # From is an address of another channel
        30024,  # the sender's number is not set up
        30032,  # the toll-free number is not verified
        30033,  # the campaign is suspended
        30034,  # the number is in no campaign
        30035,  # the number's campaign is still being set up
        63007,  # From is not a sender of this channel
    }
)
"""The sender: no message from it passes until an operator corrects it."""

OF_SENDER = frozenset(map(str, _SENDER))

_TOO_FAST = frozenset(
    {
        14107,  # the sender's rate
        20429,  # too many requests
        21611,  # the sender's queue is full
        30001,  # the account's queue is full
        30022,  # the campaign's rate
    }
)

_LATER = frozenset(
    {
        20162,  # another update is in progress
        20409,  # a conflict with another request
        21730,  # under maintenance
    }
)

_MEANINGS: tuple[tuple[frozenset[int], type[ProviderError]], ...] = (
    (_RECIPIENT, InvalidRecipient),
    (_OPTED_OUT, OptedOut),
    (_ACCOUNT, Unauthorized),
    (_SENDER, Unauthorized),
    (_TOO_FAST, Throttled),
    (_LATER, TransientError),
)


def meaning(code: int) -> type[ProviderError] | None:
    """Return the error for a code; None if the status decides."""
    return next((kind for codes, kind in _MEANINGS if code in codes), None)
