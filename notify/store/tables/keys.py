"""What is known of the keys that rows are sealed with, and which versions the tables serve."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, String, Table

from notify.store.tables.kinds import UtcDateTime, metadata

# Each key that seals, or sealed, rows of this record; a keyring that lacks one is refused at the
# start, and so is one that has another key under its name.
keys = Table(
    "keys",
    metadata,
    Column("id", String(31), primary_key=True),
    # What only the key gives: it tells one key from another, and nothing about either.
    Column("proof", LargeBinary(32), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

# The oldest revision of these tables whose code still works with them, in its only row: an
# upgrade migrates first, while workers of that version go on.
schema_floor = Table("schema_floor", metadata, Column("oldest", String(32), primary_key=True))
