"""Tables of the keys that have sealed rows, and of the versions that the tables support."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, String, Table

from notify.store.tables.kinds import UtcDateTime, metadata

# Each key that seals, or sealed, rows of this record. A keyring that lacks one, or has another key
# under its name, is refused at the start.
keys = Table(
    "keys",
    metadata,
    Column("id", String(31), primary_key=True),
    # A digest by the key: it distinguishes keys and reveals nothing about them.
    Column("proof", LargeBinary(32), nullable=False),
    Column("since", UtcDateTime, nullable=False),
)

# Its only row has the oldest revision whose code still works with the tables: an upgrade migrates
# first, while workers of that version continue.
schema_floor = Table("schema_floor", metadata, Column("oldest", String(32), primary_key=True))
