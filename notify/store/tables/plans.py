"""Tables of bulk plans: what operators do to many rows at once, and the rows."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    String,
    Table,
    Uuid,
)

from notify.store.tables.kinds import NUMBER, UtcDateTime, metadata

# One row for each bulk action. No personal data: a recipient in the filter is not kept.
plans = Table(
    "plans",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("action", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("filter", JSON, nullable=False),
    Column("options", JSON, nullable=False),
    # Items a second.
    Column("rate", Double, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("reason", String(1000), nullable=False),
    Column("started_at", UtcDateTime),
    Column("started_by", String(255)),
    Column("ended_at", UtcDateTime),
    Column("updated_at", UtcDateTime, nullable=False),
    # When a runner handles its next slice; null while none does.
    Column("next_at", UtcDateTime),
    Column("total", Integer, nullable=False),
    # Whether more rows matched than a plan may have.
    Column("cut", Boolean, nullable=False),
    # Items up to these positions are counted, and acted on.
    Column("counted", Integer, nullable=False),
    Column("position", Integer, nullable=False),
    Column("forecast", JSON, nullable=False),
    Column("results", JSON, nullable=False),
)

Index(
    "ix_plans_next_at",
    plans.c.next_at,
    sqlite_where=plans.c.next_at.is_not(None),
    postgresql_where=plans.c.next_at.is_not(None),
)

# The frozen selection: a dead letter or a hold by its number, or a notification by its row's id.
plan_items = Table(
    "plan_items",
    metadata,
    Column("plan_id", NUMBER, primary_key=True, autoincrement=False),
    Column("position", Integer, primary_key=True, autoincrement=False),
    Column("number", BigInteger),
    Column("row_id", Uuid),
    Column("state", String(8), nullable=False),
    Column("reason", String(255)),
)
