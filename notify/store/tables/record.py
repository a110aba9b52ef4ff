"""Tables of notifications, their calls and events, and the dead letters."""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
)

from notify.store.tables.kinds import NUMBER, UtcDateTime, metadata

# One row for each recipient: a batch of 100 is 100 rows with one batch_id.
notifications = Table(
    "notifications",
    metadata,
    Column("id", Uuid, primary_key=True),
    # The producer's id, if another source's notification already used it; then `id` is random.
    # Null: `id` is the producer's.
    Column("public_id", Uuid),
    Column("batch_id", Uuid),
    Column("position", Integer, nullable=False),
    Column("source", String(63), nullable=False),
    Column("channel", String(16), nullable=False),
    Column("lane", String(31), nullable=False),
    Column("idempotency_key", String(255), nullable=False),
    # Recipient, body and digest are in clear, or sealed with the key `key_id` (docs/privacy.md).
    # The hash finds a recipient, sealed or not; rows of older versions have none.
    Column("key_id", String(31)),
    Column("digest", LargeBinary(32), nullable=False),
    Column("recipient", Text, nullable=False),
    Column("recipient_hash", LargeBinary(16)),
    Column("template", String(64)),
    # The kind of mail, as the configuration names it; null if it has none.
    Column("category", String(31)),
    Column("body", LargeBinary, nullable=False),
    # The part of a large batch's body that its recipients share; null if `body` is complete.
    Column("shared_id", Uuid),
    # When its personal data was erased.
    Column("erased_at", UtcDateTime),
    Column("status", String(16), nullable=False),
    Column("reason", String(255)),
    # Calls made, and how many of them count against the lane's limit.
    Column("attempts", Integer, nullable=False),
    Column("spent", Integer, nullable=False),
    # An earlier call's answer was lost, and the lane's policy sent it again.
    Column("possible_duplicate", Boolean, nullable=False),
    # When the relay publishes it (scheduled, queued) or the reconciler looks it up (unknown); null
    # while the broker or a worker has it, and at its end.
    Column("due_at", UtcDateTime),
    # Leased by a relay or reconciler until then.
    Column("relay_until", UtcDateTime),
    # When its lane's deadline began, if not at receipt: at its first call, if that was deferred, or
    # when an operator replayed it.
    Column("replayed_at", UtcDateTime),
    # True while it is open: not at its end, or its outcome is unknown. Null in its first call, so
    # that a call's end changes no indexed column, and after its end.
    Column("unsettled", Boolean),
    # The operator's hold that keeps it waiting; null if none does.
    Column("hold_id", NUMBER),
    # The claim: its worker owns it until then; a higher fence means another worker took over.
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
    "ix_notifications_public_id",
    notifications.c.public_id,
    sqlite_where=notifications.c.public_id.is_not(None),
    postgresql_where=notifications.c.public_id.is_not(None),
)
# Two workers may not record two requests of a source under one such id.
Index(
    "uq_notifications_source_public_id",
    notifications.c.source,
    notifications.c.public_id,
    unique=True,
    sqlite_where=notifications.c.public_id.is_not(None),
    postgresql_where=notifications.c.public_id.is_not(None),
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
# Not by status: an index that names it, even as a condition, doubles the cost of each change of
# a status (docs/adr/0015).
Index(
    "ix_notifications_unsettled",
    notifications.c.received_at,
    sqlite_where=notifications.c.unsettled.is_(True),
    postgresql_where=notifications.c.unsettled.is_(True),
)
Index(
    "ix_notifications_recipient_hash",
    notifications.c.recipient_hash,
    sqlite_where=notifications.c.recipient_hash.is_not(None),
    postgresql_where=notifications.c.recipient_hash.is_not(None),
)
# For rows of versions without hashes; retention empties it.
Index(
    "ix_notifications_unhashed",
    notifications.c.recipient,
    sqlite_where=notifications.c.recipient_hash.is_(None),
    postgresql_where=notifications.c.recipient_hash.is_(None),
)

Index(
    "ix_notifications_shared_id",
    notifications.c.shared_id,
    sqlite_where=notifications.c.shared_id.is_not(None),
    postgresql_where=notifications.c.shared_id.is_not(None),
)

# No foreign keys: a row is written in the transaction that writes its notification, and the check
# would cost as much as the row.
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

# Each change of a notification's status. Events for producers wait here until a relay has
# published them.
events = Table(
    "events",
    metadata,
    Column("id", NUMBER, primary_key=True),
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

# Messages of the dead queue, as they came, for search and replay.
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("id", NUMBER, primary_key=True),
    # A digest of body, key, properties and death: a redelivered message is archived once.
    Column("fingerprint", LargeBinary(32), nullable=False, unique=True),
    Column("archived_at", UtcDateTime, nullable=False),
    Column("died_at", UtcDateTime),
    Column("message_id", String(255)),
    # The notification or batch that it asks for; null if it cannot be decoded.
    Column("notification_id", Uuid),
    Column("channel", String(16)),
    Column("lane", String(31)),
    Column("source", String(63)),
    Column("template", String(100)),
    # The cause (contract, conflict, expired, failed, rejected, unroutable, ...), the reason as a
    # text, and the provider's own code.
    Column("cause", String(32), nullable=False),
    Column("reason", String(1000)),
    Column("code", String(64)),
    Column("exchange", String(255), nullable=False),
    Column("routing_key", String(255), nullable=False),
    Column("queue", String(255)),
    # Null if unknown: RabbitMQ counts for each queue, and drops the count at a death.
    Column("delivery_count", Integer),
    # Properties and bodies are as they came, or sealed with this key.
    Column("key_id", String(31)),
    Column("properties", JSON, nullable=False),
    Column("body", LargeBinary, nullable=False),
    # The body and key as an operator edited them; these are replayed instead.
    Column("mended_body", LargeBinary),
    Column("mended_key", String(255)),
    # waiting, replayed or discarded; a replay's last message is due at replay_until.
    Column("state", String(16), nullable=False),
    Column("state_at", UtcDateTime, nullable=False),
    Column("replay_id", Uuid),
    Column("replay_until", UtcDateTime),
    Column("erased_at", UtcDateTime),
    # The unpublished event for its source, and the end of its lease.
    Column("refused_event", JSON(none_as_null=True)),
    Column("refused_until", UtcDateTime),
    # Of a replayed receipt or report: the exchange to publish it to, until a relay has done so, and
    # the end of the relay's lease.
    Column("publish_to", String(255)),
    Column("publish_until", UtcDateTime),
    Index(None, "notification_id"),
    Index(None, "archived_at"),
    Index("ix_dead_letters_state", "state", "cause"),
)
Index(
    "ix_dead_letters_refused_event",
    dead_letters.c.id,
    sqlite_where=dead_letters.c.refused_event.is_not(None),
    postgresql_where=dead_letters.c.refused_event.is_not(None),
)
Index(
    "ix_dead_letters_publish_to",
    dead_letters.c.id,
    sqlite_where=dead_letters.c.publish_to.is_not(None),
    postgresql_where=dead_letters.c.publish_to.is_not(None),
)
Index(
    "ix_dead_letters_replay_until",
    dead_letters.c.replay_until,
    sqlite_where=dead_letters.c.replay_until.is_not(None),
    postgresql_where=dead_letters.c.replay_until.is_not(None),
)
