"""Entries that were lifted here, and that a vendor's own list may still have."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, select, update

from notify.message import Channel
from notify.store.sealing.row_cipher import cipher_of
from notify.store.suppression.entries import Suppression
from notify.store.tables import suppressions


def pending_vendor_lifts(connection: Connection, items: Sequence[Suppression]) -> set[str]:
    """Return the recipients of these items whose entry of the same kind was lifted since."""
    cipher, columns = cipher_of(connection), suppressions.c
    hashes = {each.recipient: cipher.hashes(each.recipient) for each in items}
    query = select(
        *(columns.channel, columns.recipient_hash, columns.scope, columns.reason),
        columns.lifted_at,
    ).where(
        columns.recipient_hash.in_({hash_ for found in hashes.values() for hash_ in found}),
        columns.vendor_lift,
        columns.lifted_at.is_not(None),
    )
    lifted = {
        (row.channel, row.recipient_hash, row.scope, row.reason): row.lifted_at
        for row in connection.execute(query)
    }
    return {
        each.recipient
        for each in items
        for hash_ in hashes[each.recipient]
        if (at := lifted.get((each.channel.value, hash_, each.scope, each.reason.value)))
        and each.since <= at
    }


def clear_vendor_lifts(connection: Connection, channel: Channel, *, before: datetime) -> int:
    """Mark entries that were lifted before then as corrected at the vendor."""
    columns = suppressions.c
    statement = update(suppressions).where(
        columns.channel == channel.value, columns.vendor_lift, columns.lifted_at <= before
    )
    return connection.execute(statement.values(vendor_lift=False)).rowcount
