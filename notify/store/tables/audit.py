"""The table of operators' acts."""

from __future__ import annotations

from sqlalchemy import JSON, Column, String, Table

from notify.store.tables.kinds import NUMBER, UtcDateTime, metadata

# One row for each act of an operator.
audit = Table(
    "audit",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("action", String(64), nullable=False),
    Column("reason", String(1000), nullable=False),
    Column("details", JSON, nullable=False),
)
