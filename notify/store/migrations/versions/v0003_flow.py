"""The state that all workers share to protect providers: limits, circuits, holds, caps."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

_NUMBER = sa.BigInteger().with_variant(sa.Integer, "sqlite")
_SECONDS = sa.Double


def upgrade() -> None:
    """Add the tables of flow control, and which hold keeps a notification."""
    op.add_column("notifications", sa.Column("hold_id", _NUMBER))
    op.create_index(
        "ix_notifications_hold_id",
        "notifications",
        ["hold_id"],
        sqlite_where=sa.text("hold_id IS NOT NULL"),
        postgresql_where=sa.text("hold_id IS NOT NULL"),
    )
    op.create_table(
        "limits",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("tat", _SECONDS, nullable=False),
        sa.Column("used", _SECONDS, nullable=False),
        sa.Column("used_at", _SECONDS, nullable=False),
        sa.Column("lowered", _SECONDS),
        sa.Column("lowered_from", _SECONDS),
        sa.Column("lowered_at", _SECONDS),
        sa.Column("paused_until", _SECONDS),
        sa.Column("set_rate", _SECONDS),
        sa.Column("set_until", _SECONDS),
        sa.Column("actor", sa.String(255)),
        sa.Column("reason", sa.String(1000)),
    )
    op.create_table(
        "circuits",
        sa.Column("provider", sa.String(64), primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("trips", sa.Integer, nullable=False),
        sa.Column("since", _SECONDS, nullable=False),
        sa.Column("open_until", _SECONDS),
        sa.Column("probe_until", _SECONDS),
        sa.Column("passed", sa.Integer, nullable=False),
        sa.Column("inconclusive", sa.Integer, nullable=False),
        sa.Column("cause", sa.String(255)),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("mode_until", _SECONDS),
        sa.Column("actor", sa.String(255)),
        sa.Column("reason", sa.String(1000)),
    )
    op.create_table(
        "circuit_calls",
        sa.Column("provider", sa.String(64), primary_key=True),
        sa.Column("generation", sa.Integer, primary_key=True),
        sa.Column("bucket", sa.BigInteger, primary_key=True),
        sa.Column("calls", sa.Integer, nullable=False),
        sa.Column("failures", sa.Integer, nullable=False),
        sa.Column("slow", sa.Integer, nullable=False),
        sa.Column("unreachable", sa.Integer, nullable=False),
        sa.Column("neutral", sa.Integer, nullable=False),
    )
    op.create_table(
        "holds",
        sa.Column("id", _NUMBER, primary_key=True),
        sa.Column("since", _SECONDS, nullable=False),
        sa.Column("until", _SECONDS),
        sa.Column("channel", sa.String(16)),
        sa.Column("lane", sa.String(31)),
        sa.Column("source", sa.String(63)),
        sa.Column("template", sa.String(64)),
        sa.Column("provider", sa.String(64)),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
    )
    op.create_table(
        "cap_counts",
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("starts", sa.BigInteger, primary_key=True),
        sa.Column("ends", sa.BigInteger, nullable=False, index=True),
        sa.Column("used", _SECONDS, nullable=False),
    )
    op.create_table(
        "cap_uses",
        sa.Column("notification_id", sa.Uuid, primary_key=True),
        sa.Column("name", sa.String(255), primary_key=True),
        sa.Column("ends", sa.BigInteger, nullable=False, index=True),
    )
