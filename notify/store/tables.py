"""The tables of the record, as SQLAlchemy knows them. `migrations/` builds them."""

from __future__ import annotations

from datetime import UTC, datetime

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Dialect,
    Double,
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

_NUMBER = BigInteger().with_variant(Integer, "sqlite")

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
    # Calls made, and those among them that count against the lane's limit.
    Column("attempts", Integer, nullable=False),
    Column("spent", Integer, nullable=False),
    # An earlier call's answer was lost, and it was sent again by the lane's policy.
    Column("possible_duplicate", Boolean, nullable=False),
    # When the relay publishes it (scheduled, queued) or looks its outcome up (unknown); null
    # while it is with the broker or a worker, and at its end.
    Column("due_at", UtcDateTime),
    # Which relay has it in hand, so to say: the others leave it alone until then.
    Column("relay_until", UtcDateTime),
    # When its lane's patience with it began, if not when it was received: at its first call, if
    # that was put off, or when an operator replayed it.
    Column("replayed_at", UtcDateTime),
    # Which operator's hold keeps it waiting; null where none does.
    Column("hold_id", _NUMBER),
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
Index(
    "ix_notifications_hold_id",
    notifications.c.hold_id,
    sqlite_where=notifications.c.hold_id.is_not(None),
    postgresql_where=notifications.c.hold_id.is_not(None),
)
Index(
    "ix_notifications_due_at",
    notifications.c.due_at,
    sqlite_where=notifications.c.due_at.is_not(None),
    postgresql_where=notifications.c.due_at.is_not(None),
)
# A look-up asks for all calls to one recipient. Only SMS can be looked up, so that no email pays.
Index(
    "ix_notifications_sms_recipient",
    notifications.c.recipient,
    sqlite_where=notifications.c.channel == "sms",
    postgresql_where=notifications.c.channel == "sms",
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

# What happened to a notification besides its attempts: each change of its status. Those that a
# producer cares for wait here until the relay has published them.
events = Table(
    "events",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("notification_id", Uuid, nullable=False),
    Column("at", UtcDateTime, nullable=False),
    Column("status", String(16), nullable=False),
    Column("reason", String(255)),
    Column("to_publish", Boolean, nullable=False),
    Column("relay_until", UtcDateTime),
    Index(None, "notification_id"),
)
Index(
    "ix_events_to_publish",
    events.c.id,
    sqlite_where=events.c.to_publish.is_(True),
    postgresql_where=events.c.to_publish.is_(True),
)

# What came out of the dead queue, as it was, for search and replay.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    # SHA-256 over body, key, properties and death: the same message is archived once, however
    # often the broker delivers it.
    Column("fingerprint", LargeBinary(32), nullable=False, unique=True),
    Column("archived_at", UtcDateTime, nullable=False),
    Column("died_at", UtcDateTime),
    Column("message_id", String(255)),
    # The notification, or the batch, that it asks for; null where it cannot be read.
    Column("notification_id", Uuid),
    Column("channel", String(16)),
    Column("lane", String(31)),
    Column("source", String(63)),
    Column("template", String(100)),
    # Why, in one word (contract, conflict, expired, failed, rejected, unroutable, ...), in
    # words, and in the provider's own code.
    Column("cause", String(32), nullable=False),
    Column("reason", String(255)),
    Column("code", String(64)),
    Column("exchange", String(255), nullable=False),
    Column("routing_key", String(255), nullable=False),
    Column("queue", String(255)),
    # Null where RabbitMQ does not tell: it counts for each queue, and forgets at a death.
    Column("delivery_count", Integer),
    Column("properties", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # What an operator made of the body and the key; these are replayed in their stead.
    Column("mended_body", LargeBinary),
    Column("mended_key", String(255)),
    # waiting, replayed or discarded; a replay's last message is due at replay_until.
    Column("state", String(16), nullable=False),
    Column("state_at", UtcDateTime, nullable=False),
    Column("replay_id", Uuid),
    Column("replay_until", UtcDateTime),
    Index(None, "notification_id"),
    Index(None, "archived_at"),
)
Index(
    "ix_dead_letters_replay_until",
    dead_letters.c.replay_until,
    sqlite_where=dead_letters.c.replay_until.is_not(None),
    postgresql_where=dead_letters.c.replay_until.is_not(None),
)

# What operators did: who, when, what, why.
audit = Table(
    "audit",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("at", UtcDateTime, nullable=False),
    Column("actor", String(255), nullable=False),
    Column("action", String(64), nullable=False),
    Column("reason", String(1000), nullable=False),
    Column("details", JSON, nullable=False),
)

# What all workers share to keep providers whole. Its times are seconds since 1970 by the
# database's own clock, since no two machines agree on theirs.

# One row for each limit: where its schedule stands, and what lowered or paused it.
limits = Table(
    "limits",
    metadata,
    Column("name", String(255), primary_key=True),
    # GCRA's theoretical arrival time: when all that was granted would be through.
    Column("tat", Double, nullable=False),
    # Units a second that were granted lately, and when that was true: it fades from then on.
    Column("used", Double, nullable=False),
    Column("used_at", Double, nullable=False),
    # The rate after the provider's last complaint, the rate it was lowered from, and when.
    Column("lowered", Double),
    Column("lowered_from", Double),
    Column("lowered_at", Double),
    Column("paused_until", Double),
    # An operator's rate instead of the configured one.
    Column("set_rate", Double),
    Column("set_until", Double),
    Column("actor", String(255)),
    Column("reason", String(1000)),
)

# One row for each provider: its circuit, and what an operator said about it.
circuits = Table(
    "circuits",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("state", String(16), nullable=False),
    # Raised at each change of state and each leave to probe: what a call of an earlier one says
    # counts no more.
    Column("generation", Integer, nullable=False),
    # How often it opened since it was last closed.
    Column("trips", Integer, nullable=False),
    Column("since", Double, nullable=False),
    Column("open_until", Double),
    # A worker has leave to try one call until then.
    Column("probe_until", Double),
    Column("passed", Integer, nullable=False),
    Column("inconclusive", Integer, nullable=False),
    Column("cause", String(255)),
    Column("mode", String(16), nullable=False),
    Column("mode_until", Double),
    Column("actor", String(255)),
    Column("reason", String(1000)),
)

# How the calls of all workers ended, by slices of time; each is named by its first millisecond.
circuit_calls = Table(
    "circuit_calls",
    metadata,
    Column("provider", String(64), primary_key=True),
    Column("generation", Integer, primary_key=True),
    Column("bucket", BigInteger, primary_key=True),
    # Neutral ones, which say nothing about the provider, are not among the calls.
    Column("calls", Integer, nullable=False),
    Column("failures", Integer, nullable=False),
    Column("slow", Integer, nullable=False),
    Column("unreachable", Integer, nullable=False),
    Column("neutral", Integer, nullable=False),
)

# What operators hold back. A null matches anything.
holds = Table(
    "holds",
    metadata,
    Column("id", _NUMBER, primary_key=True),
    Column("since", Double, nullable=False),
    Column("until", Double),
    Column("channel", String(16)),
    Column("lane", String(31)),
    Column("source", String(63)),
    Column("template", String(64)),
    Column("provider", String(64)),
    Column("actor", String(255), nullable=False),
    Column("reason", String(1000), nullable=False),
)

# How much of each cap is used in its current span of time.
cap_counts = Table(
    "cap_counts",
    metadata,
    Column("name", String(255), primary_key=True),
    Column("starts", BigInteger, primary_key=True),
    Column("ends", BigInteger, nullable=False, index=True),
    Column("used", Double, nullable=False),
)

# Which notifications a cap has counted: none is counted twice, however often it comes.
cap_uses = Table(
    "cap_uses",
    metadata,
    Column("notification_id", Uuid, primary_key=True),
    Column("name", String(255), primary_key=True),
    Column("ends", BigInteger, nullable=False, index=True),
)
