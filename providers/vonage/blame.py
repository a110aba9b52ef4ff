"""
Whose fault it is that an SMS was not delivered, by the `err-code` of Vonage's delivery receipt.

Source: https://developer.vonage.com/messaging/sms/guides/delivery-receipts. Only a code that
certainly blames the number blames the recipient: every other receipt lets a later message try.
"""

from __future__ import annotations

from collections.abc import Mapping

from notify.receipt import Blame

OPTED_OUT = "9"
"""The recipient asked for no more messages of this sender; the request itself was accepted."""

_BLAMES: Mapping[str, Blame] = {
    "3": Blame.RECIPIENT,  # the number is no longer active
    "4": Blame.RECIPIENT,  # the user has barred all SMS
    "6": Blame.SENDER,  # a carrier's filter
    "10": Blame.MESSAGE,  # a parameter, such as the encoding
    "13": Blame.MESSAGE,  # not for the recipient's age
    "39": Blame.SENDER,  # the sender may not send to the US
    "41": Blame.SENDER,  # the daily limit of the sender's campaign
    "50": Blame.SENDER,  # the sender's registration
    "51": Blame.SENDER,  # the sender's registered name
    "52": Blame.MESSAGE,  # the registered content
    "53": Blame.SENDER,  # the registered consent
    "54": Blame.SENDER,  # a regulation
}


def of_code(code: str) -> Blame | None:
    """Return whose fault an undelivered SMS is; None if the recipient has opted out."""
    if code == OPTED_OUT:
        return None
    # 1, 2, 5, 7, 8, 11, 12, 14, 15, 99, and codes that are new.
    return _BLAMES.get(code, Blame.MOMENT)
