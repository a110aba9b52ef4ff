"""Receipts, their inbox, suppressions, reputation, and the category of a notification."""

import sqlalchemy as sa
from alembic import op

from notify.store.tables.kinds import NUMBER, UtcDateTime

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Add tables and columns that code of earlier revisions neither reads nor writes."""
    _receipts()
    _lookups()
    _inbox()
    _suppressions()
    _reputation()
    _replayed_reports()
    op.add_column("notifications", sa.Column("category", sa.String(31)))


def _replayed_reports() -> None:
    op.add_column("dead_letters", sa.Column("publish_to", sa.String(255)))
    op.add_column("dead_letters", sa.Column("publish_until", UtcDateTime))
    op.create_index(
        "ix_dead_letters_publish_to",
        "dead_letters",
        ["id"],
        sqlite_where=sa.text("publish_to IS NOT NULL"),
        postgresql_where=sa.text("publish_to IS NOT NULL"),
    )


def _receipts() -> None:
    op.create_table(
        "receipts",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("notification_id", sa.Uuid),
        sa.Column("attempt_id", sa.Uuid),
        sa.Column("provider_id", sa.String(255), nullable=False),
        sa.Column("event", sa.String(16), nullable=False),
        sa.Column("word", sa.String(255), nullable=False),
        sa.Column("blame", sa.String(16)),
        sa.Column("code", sa.String(64)),
        sa.Column("reason", sa.String(255)),
        sa.Column("recipient_hash", sa.LargeBinary(16)),
        sa.Column("at", UtcDateTime),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("applied_at", UtcDateTime),
        sa.Column("waits_until", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_receipts"),
        sa.UniqueConstraint("fingerprint", name="uq_receipts_fingerprint"),
    )
    op.create_index("ix_receipts_notification_id", "receipts", ["notification_id"])
    op.create_index("ix_receipts_received_at", "receipts", ["received_at"])
    op.create_index(
        "ix_receipts_waits_until",
        "receipts",
        ["waits_until"],
        sqlite_where=sa.text("waits_until IS NOT NULL"),
        postgresql_where=sa.text("waits_until IS NOT NULL"),
    )


def _lookups() -> None:
    op.create_table(
        "receipt_lookups",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("step", sa.Integer, nullable=False),
        sa.Column("event_id", NUMBER, nullable=False),
        sa.Column("leased_until", UtcDateTime),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_receipt_lookups"),
        sa.UniqueConstraint("provider", "step", name="uq_receipt_lookups_provider"),
    )


def _inbox() -> None:
    op.create_table(
        "receipt_inbox",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("received_at", UtcDateTime, nullable=False),
        sa.Column("routing_key", sa.String(255), nullable=False),
        sa.Column("key_id", sa.String(31)),
        sa.Column("context", sa.Uuid, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("relay_until", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_receipt_inbox"),
    )


def _suppressions() -> None:
    op.create_table(
        "suppressions",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("recipient_hash", sa.LargeBinary(16), nullable=False),
        sa.Column("scope", sa.String(128), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("binding", sa.Boolean, nullable=False),
        sa.Column("evidence", sa.String(255), nullable=False),
        sa.Column("provider", sa.String(64)),
        sa.Column("since", UtcDateTime, nullable=False),
        sa.Column("until", UtcDateTime),
        sa.Column("lifted_at", UtcDateTime),
        sa.Column("vendor_lift", sa.Boolean, nullable=False, server_default=sa.text("false")),
        sa.PrimaryKeyConstraint("id", name="pk_suppressions"),
        sa.UniqueConstraint(
            "recipient_hash", "channel", "scope", "reason", name="uq_suppressions_recipient_hash"
        ),
    )


def _reputation() -> None:
    op.create_table(
        "reputation",
        sa.Column("hour", sa.BigInteger, nullable=False),
        sa.Column("source", sa.String(63), nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("delivered", sa.Integer, nullable=False),
        sa.Column("bounced", sa.Integer, nullable=False),
        sa.Column("complained", sa.Integer, nullable=False),
        sa.PrimaryKeyConstraint("hour", "source", "channel", "provider", name="pk_reputation"),
    )
