"""An index of open notifications, kept totals, and the progress of the ledger's checks."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from notify.store.tables.kinds import NUMBER, UtcDateTime

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """
    Add tables and columns that code of earlier revisions neither reads nor writes.

    The indexes over existing rows are built afterwards, beside the workers (`schema`). The totals
    of existing rows are counted by the first `notify maintenance`; until then readers count rows.
    """
    op.add_column("notifications", sa.Column("unsettled", sa.Boolean))
    _totals()
    _checks()
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_notifications_unsettled",
            "notifications",
            ["received_at"],
            sqlite_where=sa.text("unsettled IS 1"),
        )
        op.create_index("ix_dead_letters_state", "dead_letters", ["state", "cause"])


def _totals() -> None:
    op.create_table(
        "totals",
        *_key(),
        sa.Column("count", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("hour", "channel", "lane", "status", name="pk_totals"),
    )
    op.create_table("total_changes", *_key(), sa.Column("change", sa.Integer, nullable=False))


def _key() -> list[sa.Column[Any]]:
    return [
        sa.Column("hour", sa.BigInteger, nullable=False),
        sa.Column("channel", sa.String(16), nullable=False),
        sa.Column("lane", sa.String(31), nullable=False),
        sa.Column("status", sa.String(16), nullable=False),
    ]


def _checks() -> None:
    op.create_table(
        "checked_hours",
        sa.Column("hour", sa.BigInteger, nullable=False, autoincrement=False),
        sa.Column("checked_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("hour", name="pk_checked_hours"),
    )
    op.create_table(
        "suspects",
        sa.Column("notification_id", sa.Uuid, nullable=False),
        sa.PrimaryKeyConstraint("notification_id", name="pk_suspects"),
    )
    checks = op.create_table(
        "checks",
        sa.Column("id", sa.Integer, nullable=False),
        sa.Column("totals_ready", sa.Boolean, nullable=False),
        sa.Column("swept_until", UtcDateTime),
        sa.Column("events_until", NUMBER),
        sa.Column("checked_until", UtcDateTime),
        sa.PrimaryKeyConstraint("id", name="pk_checks"),
    )
    some = sa.select(sa.literal(1)).select_from(sa.table("notifications")).exists()
    empty = not op.get_bind().execute(sa.select(some)).scalar_one()
    op.bulk_insert(checks, [{"id": 1, "totals_ready": empty}])
