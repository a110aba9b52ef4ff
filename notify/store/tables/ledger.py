"""Tables of the kept totals, and of the progress of the ledger's checks."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Integer, String, Table, Uuid

from notify.store.tables.kinds import NUMBER, UtcDateTime, metadata

# How many notifications that were received in an hour (UTC, since 1970) are settled: sent,
# delivered, failed, and so on. Open ones are counted by their index.
totals = Table(
    "totals",
    metadata,
    Column("hour", BigInteger, primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("lane", String(31), primary_key=True),
    Column("status", String(16), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# Changes of the totals on PostgreSQL, written by the transactions that change the rows. They are
# added to the totals later, so that these transactions never wait for each other.
total_changes = Table(
    "total_changes",
    metadata,
    Column("hour", BigInteger, nullable=False),
    Column("channel", String(16), nullable=False),
    Column("lane", String(31), nullable=False),
    Column("status", String(16), nullable=False),
    Column("change", Integer, nullable=False),
)

# Hours of receipt whose notifications and totals the ledger has checked, and when.
checked_hours = Table(
    "checked_hours",
    metadata,
    Column("hour", BigInteger, primary_key=True, autoincrement=False),
    Column("checked_at", UtcDateTime, nullable=False),
)

# Notifications that the last check found contradictory or doubtful: the next one reads them again.
suspects = Table("suspects", metadata, Column("notification_id", Uuid, primary_key=True))

# One row. Without it nothing was checked, and the totals are complete.
checks = Table(
    "checks",
    metadata,
    Column("id", Integer, primary_key=True),
    # False after a migration with rows: their totals are not counted yet.
    Column("totals_ready", Boolean, nullable=False),
    # Notifications received before then that are still in their first call are marked `unsettled`.
    Column("swept_until", UtcDateTime),
    # Events up to this one, and notifications received before this time, were checked.
    Column("events_until", NUMBER),
    Column("checked_until", UtcDateTime),
)
