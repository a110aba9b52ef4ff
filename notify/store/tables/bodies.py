"""The table of the shared parts of bodies."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, String, Table, Uuid

from notify.store.tables.kinds import UtcDateTime, metadata

# The shared parts of large batches' bodies, in clear or sealed with the key `key_id`; deleted with
# the last notification that has it.
shared_bodies = Table(
    "shared_bodies",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("key_id", String(31)),
    Column("content", LargeBinary, nullable=False),
    # When a worker last wrote it: rows that need it may follow.
    Column("written_at", UtcDateTime, nullable=False),
)
