"""Tables of the console's local users, and of the sessions of all its users."""

from __future__ import annotations

from sqlalchemy import Column, LargeBinary, String, Table

from notify.store.tables.kinds import UtcDateTime, metadata

# One row for each local user. Kept until an operator removes it; it has no recipient's data.
people = Table(
    "people",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("role", String(16), nullable=False),
    # argon2id with its parameters and salt.
    Column("password_hash", String(255), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("changed_at", UtcDateTime, nullable=False),
)

# One row for each session, deleted when it has ended.
sessions = Table(
    "sessions",
    metadata,
    # SHA-256 of the cookie's token: who reads the record cannot use a session.
    Column("token_hash", LargeBinary(32), primary_key=True),
    Column("name", String(255), nullable=False, index=True),
    # How the user signed in: `password` or `oidc`.
    Column("via", String(16), nullable=False),
    # Null for a local user: the role on the user's row applies.
    Column("role", String(16)),
    Column("created_at", UtcDateTime, nullable=False),
    Column("expires_at", UtcDateTime, nullable=False, index=True),
)
