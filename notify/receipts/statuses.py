"""The statuses that receipts prove, by the lattice, written for a whole batch at once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from notify.message import Outcome, Status
from notify.receipt import DeliveryReceipt, ReceiptEvent
from notify.receipts.announcing import Announcement, is_announceable
from notify.receipts.lattice import LATTICE, STATUS_OF, derived, is_late
from notify.receipts.matcher import ReceiptMatch
from notify.receipts.received import AppliedReceipt, ReceiptVerdict
from notify.reconcile import log_settled
from notify.store.receipts import (
    ENDS,
    LONGEST_REASON,
    Reported,
    ReportedCall,
    ReportedNotification,
    RowTransition,
    Sender,
    count_reports,
    keep_codes,
    raise_statuses,
)
from notify.store.reconcile import NOT_RESENT, Transition, settle_call

PROVEN = "the answer was lost; a receipt shows that it was sent"
"""The reason of a status that a receipt settled."""

_ABOUT_A_MESSAGE = {*STATUS_OF, ReceiptEvent.FAILED}


def apply_matches(
    connection: Connection,
    matches: Sequence[ReceiptMatch],
    *,
    now: datetime,
    announcement: Announcement | None = None,
) -> list[AppliedReceipt]:
    """
    Settle lost calls, raise statuses, and keep codes, by receipts that are new on record.

    Their notifications are locked. A notification gets one event, for the furthest status.

    Args:
        announcement: Receives the events that the caller publishes; None: a relay publishes all.
    """
    by_owner: dict[UUID, list[ReceiptMatch]] = {}
    for match in matches:
        if match.notification is not None:
            by_owner.setdefault(match.notification.id, []).append(match)
    changed: list[tuple[ReportedNotification, RowTransition]] = []
    applied: list[AppliedReceipt] = []
    reported: list[Reported] = []
    for about in by_owner.values():
        notification = about[0].notification
        assert notification is not None  # noqa: S101 - only these were grouped
        _settle(connection, notification, about, now=now)
        before = notification.status
        applied += [_verdict(match, before) for match in about]
        change = _change(notification, [match.received.receipt for match in about])
        if change is not None:
            changed.append((notification, change))
            reported += _reported(notification, about, change.to.status)
    codes = _codes(matches)
    _raise(connection, changed, codes, now=now, announcement=announcement)
    count_reports(connection, reported, now=now.timestamp())
    keep_codes(connection, codes)
    return applied + [
        AppliedReceipt(
            match.received,
            ReceiptVerdict.UNMATCHED
            if match.received.receipt.event in _ABOUT_A_MESSAGE
            else ReceiptVerdict.NEW,
        )
        for match in matches
        if match.notification is None
    ]


def _raise(
    connection: Connection,
    changed: Sequence[tuple[ReportedNotification, RowTransition]],
    codes: Mapping[UUID, str],
    *,
    now: datetime,
    announcement: Announcement | None,
) -> None:
    """Write new statuses; the events that a relay would have to read again are left to it."""
    if announcement is None:
        raise_statuses(connection, [change for _, change in changed], now=now)
        return
    own: list[tuple[ReportedNotification, RowTransition]] = []
    others: list[RowTransition] = []
    for notification, change in changed:
        if is_announceable(notification, now=now):
            own.append((notification, change))
        else:
            others.append(change)
    raise_statuses(connection, others, now=now)
    sequences = raise_statuses(
        connection, [change for _, change in own], now=now, announced_until=announcement.until
    )
    for notification, change in own:
        if sequence := sequences.get(notification.id):
            announcement.add(notification, change, sequence=sequence, codes=codes, now=now)


def _settle(
    connection: Connection,
    notification: ReportedNotification,
    about: Iterable[ReceiptMatch],
    *,
    now: datetime,
) -> None:
    """Record the lost calls that receipts are about as accepted: their vendor has the message."""
    for match in about:
        call, receipt = match.call, match.received.receipt
        if call is None or receipt.event not in STATUS_OF or not _is_lost(notification, call):
            continue
        settled = settle_call(
            connection,
            call.id,
            Outcome.ACCEPTED,
            reason=PROVEN,
            provider_id=receipt.provider_id or None,
            now=now,
        )
        call.outcome = Outcome.ACCEPTED
        # The call on record has values that were not read here.
        notification.announceable = False
        if notification.status in NOT_RESENT:
            notification.status = Status.SENT
        log_settled(notification.id, call.id, Outcome.ACCEPTED, settled)


def _is_lost(notification: ReportedNotification, call: ReportedCall) -> bool:
    """Return whether a call's outcome is unknown, and may become known without a contradiction."""
    if call.outcome is not Outcome.UNKNOWN:
        return False
    open_ = notification.status in (*NOT_RESENT, *LATTICE, Status.SENDING)
    # Otherwise it ended unsent, and only a marked one may turn out to be sent.
    return open_ or notification.possible_duplicate


def _change(
    notification: ReportedNotification, about: Sequence[DeliveryReceipt]
) -> RowTransition | None:
    before = notification.status
    after = derived(before, [each.event for each in about])
    if after is before:
        return None
    cause = next(each for each in about if STATUS_OF.get(each.event) is after)
    notification.status = after
    return RowTransition(notification.id, before, Transition(after, _reason(cause)))


def _reported(
    notification: ReportedNotification, about: Iterable[ReceiptMatch], after: Status
) -> Iterator[Reported]:
    """Yield what the brake for reputation counts: each end of a message once."""
    providers = [
        match.received.provider
        for match in about
        if STATUS_OF.get(match.received.receipt.event) is after
    ]
    if after.value in ENDS:
        sender = Sender(notification.source, notification.channel, providers[0])
        yield Reported(sender, after.value)


def _reason(receipt: DeliveryReceipt) -> str | None:
    """Return the reason of a status in the vendor's words; None where the status says it all."""
    if receipt.event in (ReceiptEvent.DELIVERED, ReceiptEvent.CONFIRMED):
        return None
    words = " ".join(each for each in (receipt.word, receipt.code) if each)
    reason = f"{words}: {receipt.reason}" if receipt.reason else words
    return reason[:LONGEST_REASON]


def _codes(matches: Iterable[ReceiptMatch]) -> dict[UUID, str]:
    """Return the code of each bounced call."""
    return {
        match.call.id: match.received.receipt.code
        for match in matches
        if match.call is not None
        and match.received.receipt.event is ReceiptEvent.BOUNCED
        and match.received.receipt.code
    }


def _verdict(match: ReceiptMatch, before: Status) -> AppliedReceipt:
    late = is_late(before, match.received.receipt.event)
    verdict = ReceiptVerdict.LATE if late else ReceiptVerdict.NEW
    return AppliedReceipt(match.received, verdict, match.notification)
