"""
Whose fault it is that an email was not delivered, by SendGrid's classification and SMTP's code.

Sources: https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event and RFC 3463.
"""

from __future__ import annotations

import re

from notify.receipt import Blame

# 5.1.7 and 5.1.8 are the sender's address; the other codes 5.1.x are the recipient's (RFC 3463).
_BAD_ADDRESS = re.compile(r"5\.1\.(?![78]$)\d{1,3}")
_CLASSIFICATION = re.compile(r"[A-Za-z][A-Za-z -]{0,63}")

_BY_CLASSIFICATION = {
    "invalid address": Blame.RECIPIENT,
    "content": Blame.MESSAGE,
    "reputation": Blame.SENDER,
    "frequency or volume too high": Blame.SENDER,
    "mailbox unavailable": Blame.MOMENT,
    "technical": Blame.MOMENT,
    "technical failure": Blame.MOMENT,
}

DROPS: dict[str, Blame | None] = {
    "bounced address": Blame.RECIPIENT,
    "invalid": Blame.RECIPIENT,
    "invalid smtpapi header": Blame.MESSAGE,
    "spam content": Blame.MESSAGE,
    "recipient list over package quota": Blame.SENDER,
    # The recipient asked for it, as another receipt says; this is not a fault.
    "spam reporting address": None,
    "unsubscribed address": None,
}
"""SendGrid's reasons for a drop, in lower case and without what follows in brackets."""

OPTED_OUT = frozenset({"spam reporting address", "unsubscribed address"})
"""The reasons by which SendGrid says that the recipient wants no more."""


def classification(text: str) -> str | None:
    """Return the classification; None if it is a text that may have personal data."""
    return text if _CLASSIFICATION.fullmatch(text) else None


def of_bounce(*, kind: str, classified: str | None, code: str | None) -> Blame:
    """
    Return whose fault a bounce is.

    Args:
        kind: SendGrid's type: `bounce`, `blocked`, or empty in old events.
        classified: SendGrid's classification.
        code: The receiving server's enhanced code.
    """
    code = code or ""
    if code.startswith("5.7.") or code in ("5.1.7", "5.1.8"):
        return Blame.SENDER
    by_class = _BY_CLASSIFICATION.get((classified or "").lower())
    if kind == "blocked":
        # A block is never the address: SendGrid itself goes on sending to it.
        blocked = by_class or Blame.SENDER
        return Blame.SENDER if blocked is Blame.RECIPIENT else blocked
    if by_class is not None:
        return by_class
    return Blame.RECIPIENT if _BAD_ADDRESS.fullmatch(code) else Blame.MOMENT


def drop_reason(text: str) -> str | None:
    """Return SendGrid's reason for a drop in lower case; None if it is not a known one."""
    known = text.partition("(")[0].strip().lower()
    return known if known in DROPS else None
