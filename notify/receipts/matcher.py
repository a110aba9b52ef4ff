"""Matching receipts to calls: by the call's id, the notification's, or the recipient and vendor."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from notify.receipts.received import PRODUCER, ReceivedReceipt
from notify.store.receipts import (
    RecentCall,
    ReportedCall,
    ReportedNotification,
    lock_reported,
    owners_of,
    recent_calls,
)

WINDOW = timedelta(hours=72)
"""How old a call may be to which a receipt without ids belongs: vendors try for three days."""


@dataclass(frozen=True, slots=True)
class ReceiptMatch:
    """
    A receipt, and what it is about.

    Attributes:
        recipient_hash: The hash of its recipient, if it names one.
        maybe_later: Whether its call may be in flight, so that its vendor's id is not on record.
    """

    received: ReceivedReceipt
    recipient_hash: bytes | None
    notification: ReportedNotification | None = None
    call: ReportedCall | None = None
    maybe_later: bool = False

    @property
    def owner(self) -> UUID | None:
        """The id of the notification; None if none matches."""
        return self.notification.id if self.notification else None


def match_receipts(
    connection: Connection,
    items: Sequence[tuple[ReceivedReceipt, bytes | None]],
    *,
    now: datetime,
    renamed: Mapping[str, str],
) -> list[ReceiptMatch]:
    """
    Match receipts, and lock their notifications until the commit.

    Args:
        items: Each with the hash of its recipient.
        renamed: The present name of each provider by its earlier ones, which calls on record have.
    """
    owners = owners_of(
        connection, {each.receipt.attempt_id for each, _ in items if each.receipt.attempt_id}
    )
    # Without an id of ours: a bounce that the receiving server reported after accepting the mail.
    lone = [(each, hash_) for each, hash_ in items if hash_ and _has_no_id(each)]
    recent = recent_calls(connection, {hash_ for _, hash_ in lone}, since=now - WINDOW)
    if renamed:
        recent = {hash_: _with_present_names(each, renamed) for hash_, each in recent.items()}
    found = {id(each): _only_call(each, recent.get(hash_, [])) for each, hash_ in lone}
    ids = {*owners.values()}
    ids |= {each.receipt.notification_id for each, _ in items if each.receipt.notification_id}
    ids |= {call.notification_id for call in found.values() if call}
    locked = lock_reported(connection, ids)
    if renamed:
        for each in locked.values():
            _rename_calls(each, renamed)
    return [
        _matched(each, hash_, owners, found.get(id(each)), locked)
        if not _in_flight(each, recent.get(hash_ or b"", []), found.get(id(each)))
        else ReceiptMatch(each, hash_, maybe_later=True)
        for each, hash_ in items
    ]


def _rename_calls(notification: ReportedNotification, renamed: Mapping[str, str]) -> None:
    for call in notification.calls:
        if call.provider in renamed:
            call.provider = renamed[call.provider]
            # Its event has the name on record.
            notification.announceable = False


def _with_present_names(
    calls: Iterable[RecentCall], renamed: Mapping[str, str]
) -> list[RecentCall]:
    return [replace(each, provider=renamed.get(each.provider, each.provider)) for each in calls]


def _matched(
    received: ReceivedReceipt,
    hash_: bytes | None,
    owners: dict[UUID, UUID],
    recent: RecentCall | None,
    locked: dict[UUID, ReportedNotification],
) -> ReceiptMatch:
    receipt = received.receipt
    attempt_id = receipt.attempt_id
    owner = owners.get(attempt_id) if attempt_id else None
    if recent is not None:
        attempt_id, owner = recent.attempt_id, recent.notification_id
    notification = locked.get(owner or receipt.notification_id or UUID(int=0))
    if notification is None:
        return ReceiptMatch(received, hash_)
    provider = None if received.provider == PRODUCER else received.provider
    call = notification.call(attempt_id)
    calls = notification.calls if call is None else [call]
    if provider and all(each.provider != provider for each in calls):
        # One vendor's key proves nothing about another vendor's calls.
        return ReceiptMatch(received, hash_)
    return ReceiptMatch(received, hash_, notification, call or notification.likely_call(provider))


def _has_no_id(received: ReceivedReceipt) -> bool:
    return received.receipt.attempt_id is None and received.receipt.notification_id is None


def _only_call(received: ReceivedReceipt, calls: Sequence[RecentCall]) -> RecentCall | None:
    """Return the one recent call that a receipt can be about; None if none or several can."""
    provider_id = received.receipt.provider_id
    of_provider = [each for each in calls if each.provider == received.provider]
    if provider_id:
        of_provider = [each for each in of_provider if each.provider_id == provider_id]
    return of_provider[0] if len(of_provider) == 1 else None


def _in_flight(
    received: ReceivedReceipt, calls: Sequence[RecentCall], found: RecentCall | None
) -> bool:
    """Return whether a receipt with the vendor's id only may be about a call that is in flight."""
    if found is not None or not received.receipt.provider_id or not _has_no_id(received):
        return False
    return any(each.provider == received.provider and each.provider_id is None for each in calls)
