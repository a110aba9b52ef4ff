"""The rules: which receipts suppress a recipient, for which messages and how long."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from notify.message import Channel, Notification
from notify.receipt import Blame, DeliveryReceipt, ReceiptEvent
from notify.store.suppression import ALL, Lift, Suppression, SuppressionReason, sender_scope

BOUNCE_LASTS = timedelta(days=90)
"""How long a bounce suppresses by default: an address may be given out again."""

# RFC 3463: class 4 may work later; 5.7.x is about the sender's authentication or reputation.
_NEVER = re.compile(r"4\.\d{1,3}\.\d{1,3}|5\.7\.\d{1,3}")


def consequence(
    receipt: DeliveryReceipt,
    *,
    channel: Channel,
    provider: str,
    now: datetime,
    recipient_hash: bytes | None = None,
    bounce_lasts: timedelta = BOUNCE_LASTS,
) -> Suppression | Lift | None:
    """
    Return what follows from a receipt for the suppression list; None if nothing does.

    Only faults of the recipient suppress. A fault of the sender, the message or the moment would
    be the same for other recipients, or passes.

    Args:
        provider: Its name in the configuration.
        recipient_hash: The hash of the notification's row, if the receipt names no recipient.
        bounce_lasts: How long a bounce suppresses; complaints and opt-outs have no end.
    """
    if not receipt.recipient.strip() and recipient_hash is None:
        return None
    at = now if receipt.at is None else min(receipt.at, now)
    hash_ = None if receipt.recipient.strip() else recipient_hash
    if receipt.event is ReceiptEvent.OPTED_IN:
        return Lift(
            channel=channel,
            at=at,
            recipient=receipt.recipient,
            recipient_hash=hash_,
            scope=_scope(receipt),
            evidence=evidence_of(receipt, provider=provider),
            provider=provider,
        )
    reason = _reason(receipt)
    if reason is None:
        return None
    return Suppression(
        channel=channel,
        reason=reason,
        since=at,
        recipient=receipt.recipient,
        recipient_hash=hash_,
        scope=_scope(receipt) if reason is SuppressionReason.OPT_OUT else ALL,
        until=at + bounce_lasts if reason is SuppressionReason.BOUNCE else None,
        evidence=evidence_of(receipt, provider=provider),
        provider=provider,
    )


def _reason(receipt: DeliveryReceipt) -> SuppressionReason | None:
    match receipt.event:
        case ReceiptEvent.COMPLAINED:
            return SuppressionReason.COMPLAINT
        case ReceiptEvent.OPTED_OUT:
            return SuppressionReason.OPT_OUT
        case ReceiptEvent.BOUNCED if receipt.blame is Blame.RECIPIENT:
            return None if _NEVER.fullmatch(receipt.code or "") else SuppressionReason.BOUNCE
    return None


def _scope(receipt: DeliveryReceipt) -> str:
    """Return the scope of an opt-out: Twilio's is for one sender or messaging service."""
    return sender_scope(receipt.scope) if receipt.scope else ALL


def refusal(
    asked: Notification,
    reason: SuppressionReason,
    *,
    provider: str,
    sender: str | None,
    code: str | None,
    now: datetime,
    since: datetime | None = None,
    bounce_lasts: timedelta = BOUNCE_LASTS,
) -> Suppression:
    """
    Return what follows from a call that the vendor refused because of the recipient.

    Push has no receipts: a token that does not exist any more is found in this way only.

    Args:
        reason: `BOUNCE`, or `OPT_OUT` of the provider's sender.
        code: The vendor's code.
        since: When the vendor noticed it. An entry that was lifted later stays lifted: the device
            has registered again.
    """
    at = now if since is None else min(since, now)
    opted_out = reason is SuppressionReason.OPT_OUT
    return Suppression(
        channel=asked.channel,
        reason=reason,
        since=at,
        recipient=asked.to,
        scope=sender_scope(sender) if opted_out and sender else ALL,
        until=None if opted_out else now + bounce_lasts,
        evidence=" ".join(each for each in (provider, code) if each),
        provider=provider or None,
    )


def evidence_of(receipt: DeliveryReceipt, *, provider: str) -> str:
    """Return what the list shows as the evidence: the vendor's own words and codes."""
    words = (provider, receipt.word, receipt.code, receipt.reason)
    return " ".join(each for each in words if each)
