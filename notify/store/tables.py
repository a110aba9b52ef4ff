"""The tables of the record, as SQLAlchemy knows them. `migrations/` builds them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Column,
    DateTime,
    Dialect,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant. SQLite keeps no zone, so it is written and read as UTC there."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse local times: a time without a zone means another instant on every machine."""
        if value is not None and value.tzinfo is None:
            raise TypeError("a time needs its zone")
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Give the instant back in UTC, whatever the session's zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if dialect.name == "sqlite" else value.astimezone(UTC)


metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_label)s",
        "uq": "uq_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)

# One row a recipient: a batch of 100 is 100 rows with one batch_id.
notifications = Table(
    "notifications",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("batch_id", Uuid),
    Column("position", Integer, nullable=False),
    Column("source", String(63), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("lane", String(31), nullable=False),
    Column("idempotency_key", String(255), nullable=False),
    Column("digest", LargeBinary(32), nullable=False),
    Column("recipient", Text, nullable=False),
    Column("template", String(64)),
    Column("body", LargeBinary, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(255)),
    Column("attempts", Integer, nullable=False),
    # The claim: who holds it until when; a higher fence has taken it over.
    Column("fence", Integer, nullable=False),
    Column("lease_until", UtcDateTime),
    Column("expires_at", UtcDateTime),
    Column("traceparent", String(64)),
    Column("received_at", UtcDateTime, nullable=False),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("source", "idempotency_key", "position"),
    Index(None, "received_at"),
)
Index(
    "ix_notifications_batch_id",
    notifications.c.batch_id,
    sqlite_where=notifications.c.batch_id.is_not(None),
    postgresql_where=notifications.c.batch_id.is_not(None),
)

# No foreign keys: the rows are written in the transaction that writes their notification, and
# the check would cost as much as the row.
attempts = Table(
    "attempts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("notification_id", Uuid, nullable=False),
    Column("number", Integer, nullable=False),
    Column("provider", String(64), nullable=False),
    Column("started_at", UtcDateTime, nullable=False),
    # Open until the provider's answer is recorded.
    Column("ended_at", UtcDateTime),
    Column("outcome", String(16)),
    Column("provider_id", String(255)),
    Column("http_status", Integer),
    Column("code", String(64)),
    Column("reason", String(255)),
    Index(None, "notification_id"),
)

# What happened to a notification besides its attempts: each change of its status.
events = Table(
    "events",
    metadata,
    Column("id", BigInteger().with_variant(Integer, "sqlite"), primary_key=True),
    Column("notification_id", Uuid, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(255)),
    Index(None, "notification_id"),
)
