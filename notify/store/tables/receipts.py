"""Tables of receipts and feedback, and of suppressed recipients."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    UniqueConstraint,
    Uuid,
    text,
)

from notify.store.tables.kinds import NUMBER, UtcDateTime, metadata

# One row for each different receipt; a notification's status is derived from its receipts.
receipts = Table(
    "receipts",
    metadata,
    Column("id", NUMBER, primary_key=True),
    # A digest of provider, call or vendor's id, event, vendor's time, recipient and code: a receipt
    # that a vendor repeats counts once, also under another event id.
    Column("fingerprint", LargeBinary(32), nullable=False, unique=True),
    Column("provider", String(64), nullable=False),
    # Null while no notification matches, and where the row was removed by retention.
    Column("notification_id", Uuid),
    Column("attempt_id", Uuid),
    Column("provider_id", String(255), nullable=False),
    # The event in our words, and the vendor's own word.
    Column("event", String(16), nullable=False),
    Column("word", String(255), nullable=False),
    Column("blame", String(16)),
    Column("code", String(64)),
    Column("reason", String(255)),
    Column("recipient_hash", LargeBinary(16)),
    # When it happened by the vendor's clock, null if the report has no time; when it arrived here;
    # and when it was applied.
    Column("at", UtcDateTime),
    Column("received_at", UtcDateTime, nullable=False),
    Column("applied_at", UtcDateTime),
    # It came before its call was recorded, and is tried again until then.
    Column("waits_until", UtcDateTime),
)
Index("ix_receipts_notification_id", receipts.c.notification_id)
Index("ix_receipts_received_at", receipts.c.received_at)
Index(
    "ix_receipts_waits_until",
    receipts.c.waits_until,
    sqlite_where=receipts.c.waits_until.is_not(None),
    postgresql_where=receipts.c.waits_until.is_not(None),
)

# How far the look-ups of sent messages without a receipt are, for each provider and age.
receipt_lookups = Table(
    "receipt_lookups",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("provider", String(64), nullable=False),
    # Which of the ages, from 0.
    Column("step", Integer, nullable=False),
    # The last event that was read.
    Column("event_id", NUMBER, nullable=False),
    Column("leased_until", UtcDateTime),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("provider", "step"),
)

# Receipts that the intake took while the broker was away; a relay publishes and deletes them.
receipt_inbox = Table(
    "receipt_inbox",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("received_at", UtcDateTime, nullable=False),
    Column("routing_key", String(255), nullable=False),
    # The body is in clear, or sealed with the key `key_id` in the context of `context`.
    Column("key_id", String(31)),
    Column("context", Uuid, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("relay_until", UtcDateTime),
)

# Recipients that must not be written to, by hash: the address itself is not kept. Each reason is a
# row of its own. A row that was lifted stays, so that a late repeat of its evidence does not renew
# it and the vendor's own list can be corrected.
suppressions = Table(
    "suppressions",
    metadata,
    Column("id", NUMBER, primary_key=True),
    Column("channel", String(16), nullable=False),
    Column("recipient_hash", LargeBinary(16), nullable=False),
    # `all`, `category:<name>`, `category:<name>/<source>`, `source:<name>` or `sender:<number or
    # messaging service>`.
    Column("scope", String(128), nullable=False),
    # bounce, complaint, opt_out, operator or imported.
    Column("reason", String(16), nullable=False),
    # Whether it also stops categories that the operator exempts: complaints and opt-outs do.
    Column("binding", Boolean, nullable=False),
    Column("evidence", String(255), nullable=False),
    Column("provider", String(64)),
    Column("since", UtcDateTime, nullable=False),
    Column("until", UtcDateTime),
    Column("lifted_at", UtcDateTime),
    # Whether the vendor's own list still has to be corrected after the lift.
    Column("vendor_lift", Boolean, nullable=False, server_default=text("false")),
    # The hash first: it tells most rows apart in one comparison of bytes.
    UniqueConstraint("recipient_hash", "channel", "scope", "reason"),
)

# The reported ends of messages, by the hour: what endangers a sender's reputation. `hour` is its
# first second, since 1970.
reputation = Table(
    "reputation",
    metadata,
    Column("hour", BigInteger, primary_key=True),
    Column("source", String(63), primary_key=True),
    Column("channel", String(16), primary_key=True),
    Column("provider", String(64), primary_key=True),
    Column("delivered", Integer, nullable=False),
    Column("bounced", Integer, nullable=False),
    Column("complained", Integer, nullable=False),
)
