"""Due times, dead letters, events to publish, and the audit."""

import sqlalchemy as sa
from alembic import op

from notify.store.tables import UtcDateTime

revision = "0002"
down_revision = "0001"

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    """Add the columns and tables of retries, the relay, the archive and the audit."""
    for column in (
        sa.Column("spent", sa.Integer, nullable=False, server_default="0"),
        sa.Column("possible_duplicate", sa.Boolean, nullable=False, server_default=sa.false()),
        sa.Column("due_at", UtcDateTime),
        sa.Column("relay_until", UtcDateTime),
        sa.Column("replayed_at", UtcDateTime),
    ):
        op.add_column("notifications", column)
    op.create_index(
        "ix_notifications_due_at",
        "notifications",
        ["due_at"],
        sqlite_where=sa.text("due_at IS NOT NULL"),
        postgresql_where=sa.text("due_at IS NOT NULL"),
    )
    op.create_index(
        "ix_notifications_sms_recipient",
        "notifications",
        ["recipient"],
        sqlite_where=sa.text("channel = 'sms'"),
        postgresql_where=sa.text("channel = 'sms'"),
    )
    # Existing rows have no events to publish.
    to_publish = sa.Column("to_publish", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("events", to_publish)
    op.add_column("events", sa.Column("relay_until", UtcDateTime))
    op.create_index(
        "ix_events_to_publish",
        "events",
        ["id"],
        sqlite_where=sa.text("to_publish IS 1"),
        # In the very words of the query: PostgreSQL sees no index in `IS true` for `to_publish`.
        postgresql_where=sa.text("to_publish IS true"),
    )
    _create_dead_letters()
    op.create_table(
        "audit",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("action", sa.String(64), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("details", sa.JSON, nullable=False),
    )


def _create_dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("fingerprint", sa.LargeBinary(32), nullable=False, unique=True),
        sa.Column("archived_at", UtcDateTime, nullable=False),
        sa.Column("died_at", UtcDateTime),
        sa.Column("message_id", sa.String(255)),
        sa.Column("notification_id", sa.Uuid),
        sa.Column("channel", sa.String(16)),
        sa.Column("lane", sa.String(31)),
        sa.Column("source", sa.String(63)),
        sa.Column("template", sa.String(100)),
        sa.Column("cause", sa.String(32), nullable=False),
        sa.Column("reason", sa.String(255)),
        sa.Column("code", sa.String(64)),
        sa.Column("exchange", sa.String(255), nullable=False),
        sa.Column("routing_key", sa.String(255), nullable=False),
        sa.Column("queue", sa.String(255)),
        sa.Column("delivery_count", sa.Integer),
        sa.Column("properties", sa.JSON, nullable=False),
        sa.Column("body", sa.LargeBinary, nullable=False),
        sa.Column("mended_body", sa.LargeBinary),
        sa.Column("mended_key", sa.String(255)),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("state_at", UtcDateTime, nullable=False),
        sa.Column("replay_id", sa.Uuid),
        sa.Column("replay_until", UtcDateTime),
    )
    op.create_index("ix_dead_letters_notification_id", "dead_letters", ["notification_id"])
    op.create_index("ix_dead_letters_archived_at", "dead_letters", ["archived_at"])
    op.create_index(
        "ix_dead_letters_replay_until",
        "dead_letters",
        ["replay_until"],
        sqlite_where=sa.text("replay_until IS NOT NULL"),
        postgresql_where=sa.text("replay_until IS NOT NULL"),
    )
