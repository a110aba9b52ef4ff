"""Applying receipts: recorded, matched, and their consequences, all in one transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection

from notify.categories import UnsubscribeTokens
from notify.message import Channel, Outcome, Status
from notify.receipt import DeliveryReceipt
from notify.receipts.announcing import Announcement
from notify.receipts.consequences import Consequences
from notify.receipts.lattice import STATUS_OF
from notify.receipts.matcher import ReceiptMatch, match_receipts
from notify.receipts.received import (
    PRODUCER,
    AppliedReceipt,
    ReceiptVerdict,
    ReceivedReceipt,
)
from notify.receipts.statuses import apply_matches
from notify.store.receipts import (
    ReceiptRow,
    ReportedNotification,
    WaitingReceipt,
    end_waits,
    insert_receipts,
    known_receipts,
    lock_waiting,
)
from notify.store.reconcile import give_up_lapsed
from notify.store.sealing import cipher_of
from notify.suppression import BOUNCE_LASTS, Suppression

LONGEST_WAIT = timedelta(minutes=5)
"""How long a receipt waits for its call to be recorded; a call ends within a minute."""
BATCH = 500
"""Waiting receipts that are applied in one transaction."""


class ReceiptApplier:
    """Applies receipts in the caller's transaction. Thread-safe."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        *,
        bounce_lasts: timedelta = BOUNCE_LASTS,
        tokens: UnsubscribeTokens | None = None,
        renamed: Mapping[str, str] | None = None,
    ) -> None:
        """
        Create an applier.

        Args:
            channels: The channel of each configured provider.
            bounce_lasts: How long a bounce suppresses its recipient.
            tokens: Reads the tokens of one-click unsubscribe; None without a keyring.
            renamed: The present name of each provider by its earlier ones.
        """
        self._renamed = renamed or {}
        self._earlier: dict[str, list[str]] = {}
        for earlier, name in self._renamed.items():
            self._earlier.setdefault(name, []).append(earlier)
        self._consequences = Consequences(channels, bounce_lasts=bounce_lasts, tokens=tokens)

    def apply(
        self,
        connection: Connection,
        items: Sequence[ReceivedReceipt],
        *,
        now: datetime,
        opt_outs: Sequence[Suppression] = (),
        announcement: Announcement | None = None,
    ) -> list[AppliedReceipt]:
        """
        Record receipts, each once, and change what they are about.

        The number of statements does not depend on the number of receipts, except where one settles
        a lost call.

        Args:
            opt_outs: Further entries for the suppression list, from producers.
            announcement: Receives events that the caller publishes; None: a relay publishes all.

        Returns:
            The effect of each, in no particular order.
        """
        items = [self._under_present_name(each) for each in items]
        fresh = self._fresh(connection, items)
        read = [*fresh.values()]
        matches = match_receipts(connection, read, now=now, renamed=self._renamed)
        rows = [_row(key, match, now=now) for key, match in zip(fresh, matches, strict=True)]
        new = insert_receipts(connection, rows)
        chosen = [match for key, match in zip(fresh, matches, strict=True) if key in new]
        self._consequences.follow(connection, chosen, opt_outs, now=now)
        recorded = {id(each.received) for each in chosen}
        ready = [each for each in chosen if not _must_wait(each)]
        return [
            *apply_matches(connection, ready, now=now, announcement=announcement),
            *(
                AppliedReceipt(each.received, ReceiptVerdict.WAITING)
                for each in chosen
                if _must_wait(each)
            ),
            *(
                AppliedReceipt(each, ReceiptVerdict.REPEAT)
                for each in items
                if id(each) not in recorded
            ),
        ]

    def _fresh(
        self, connection: Connection, items: Sequence[ReceivedReceipt]
    ) -> dict[bytes, tuple[ReceivedReceipt, bytes | None]]:
        """Return the receipts that are not on record, with their recipients, by fingerprint."""
        cipher = cipher_of(connection)
        found: dict[bytes, tuple[ReceivedReceipt, bytes | None]] = {}
        under_earlier: dict[bytes, bytes] = {}
        for each in items:
            recipient = each.receipt.recipient.strip()
            hash_ = cipher.hashes(recipient)[0] if recipient else None
            key = each.fingerprint(hash_)
            found.setdefault(key, (each, hash_))
            for name in self._earlier.get(each.provider, ()):
                under_earlier[replace(each, provider=name).fingerprint(hash_)] = key
        for known in known_receipts(connection, [*found, *under_earlier]):
            found.pop(under_earlier.get(known, known), None)
        return found

    def apply_waiting(self, connection: Connection, *, now: datetime) -> list[AppliedReceipt]:
        """Apply the waiting receipts whose notifications can change now, oldest first."""
        rows = lock_waiting(connection, now=now, limit=BATCH)
        items = [(self._under_present_name(_received(row)), row.recipient_hash) for row in rows]
        matches = match_receipts(connection, items, now=now, renamed=self._renamed)
        for match in matches:
            _end_lapsed(connection, match.notification, now=now)
        ready = []
        for row, match in zip(rows, matches, strict=True):
            if match.notification is None or match.notification.status is not Status.SENDING:
                ready.append((row.id, match))
        done = [(id_, match.owner, match.call.id if match.call else None) for id_, match in ready]
        end_waits(connection, done, now=now)
        return apply_matches(connection, [match for _, match in ready], now=now)

    def _under_present_name(self, received: ReceivedReceipt) -> ReceivedReceipt:
        name = self._renamed.get(received.provider)
        return received if name is None else replace(received, provider=name)


def _must_wait(match: ReceiptMatch) -> bool:
    if match.received.receipt.event not in STATUS_OF:
        return False
    sending = match.notification is not None and match.notification.status is Status.SENDING
    return sending or match.maybe_later


def _end_lapsed(
    connection: Connection, notification: ReportedNotification | None, *, now: datetime
) -> None:
    """Record a call as lost whose worker did not record it within the wait."""
    if notification is None or notification.status is not Status.SENDING:
        return
    if give_up_lapsed(connection, notification.id, long_ago=now, now=now):
        notification.status = Status.UNKNOWN
        for call in notification.calls:
            call.outcome = call.outcome or Outcome.UNKNOWN


def _row(fingerprint: bytes, match: ReceiptMatch, *, now: datetime) -> ReceiptRow:
    received, receipt = match.received, match.received.receipt
    waits = _must_wait(match)
    return ReceiptRow(
        fingerprint=fingerprint,
        provider=received.provider,
        notification_id=match.owner,
        attempt_id=match.call.id if match.call else receipt.attempt_id,
        provider_id=receipt.provider_id,
        event=receipt.event,
        word=receipt.word,
        blame=receipt.blame,
        code=receipt.code,
        reason=receipt.reason,
        recipient_hash=match.recipient_hash,
        at=_plausible(received, now=now),
        received_at=received.received_at,
        applied_at=None if waits else now,
        waits_until=now + LONGEST_WAIT if waits else None,
    )


def _plausible(received: ReceivedReceipt, *, now: datetime) -> datetime | None:
    """Return when it happened; a producer's clock may be ahead."""
    at = received.receipt.at
    return min(at, now) if at is not None and received.provider == PRODUCER else at


def _received(row: WaitingReceipt) -> ReceivedReceipt:
    receipt = DeliveryReceipt(
        event=row.event,
        word=row.word,
        notification_id=row.notification_id,
        attempt_id=row.attempt_id,
        provider_id=row.provider_id,
        at=row.at,
        code=row.code,
        reason=row.reason,
    )
    return ReceivedReceipt(receipt, row.provider, row.received_at)
