"""
Vonage's statuses of a message that was not accepted, by cause.

Vonage answers HTTP 200 with a status for each part of the SMS. The list is
https://developer.vonage.com/api-errors/sms; 13, 16, 19 and 20 are of its older editions.
"""

from __future__ import annotations

from collections.abc import Mapping

from notify.errors import (
    InvalidRecipient,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    RecipientGone,
    Throttled,
    TransientError,
    Unauthorized,
)

ACCEPTED = "0"

_MEANINGS: Mapping[str, type[ProviderError]] = {
    "1": Throttled,  # the account's rate
    "2": PermanentError,  # a parameter is missing
    "3": PermanentError,  # a parameter is not valid
    "4": Unauthorized,  # the key or the secret
    "5": OutcomeUnknown,  # an error while the message was processed
    "6": InvalidRecipient,  # not processed, such as for an unknown prefix
    "7": InvalidRecipient,  # the number is barred
    "8": Unauthorized,  # the account is suspended
    "9": Unauthorized,  # not enough credit
    "10": Throttled,  # too many connections
    "11": Unauthorized,  # the account may not use this API
    "12": PermanentError,  # too long
    "13": TransientError,  # communication failed
    "14": Unauthorized,  # the request's signature
    # The sender may not be used, usually in one country only. The first such message does not stop
    # those to other countries; a share of them opens the circuit.
    "15": TransientError,
    "16": PermanentError,  # the validity period
    "19": Unauthorized,  # the account lacks a facility
    "20": PermanentError,  # the message's class
    "22": PermanentError,  # the network code
    "23": Unauthorized,  # the callback's address
    "29": Unauthorized,  # an account in demo mode, and the number is not on its list
    "32": Unauthorized,  # signed, and with the secret
    "33": RecipientGone,  # the number is deactivated
}


OF_SENDER = "15"


def meaning(status: str, *, own_sender: bool) -> type[ProviderError]:
    """
    Return the error for a status; one that is new may work later: nothing was accepted.

    Args:
        own_sender: Whether the message names its sender: then a refused one is its own fault.
    """
    if own_sender and status == OF_SENDER:
        return PermanentError
    return _MEANINGS.get(status, TransientError)
