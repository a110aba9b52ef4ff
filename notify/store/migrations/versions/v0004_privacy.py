"""Sealed rows, recipients found by their hash, erasure; and which versions the tables serve."""

import sqlalchemy as sa
from alembic import op

from notify.store.tables import UtcDateTime

revision = "0004"
down_revision = "0003"

# Its code goes on working with these tables: what is new may be null, and it looks at none of it.
OLDEST = "0003"


def upgrade() -> None:
    """Add what is null in all rows; the rows stay as they are."""
    for column in (
        sa.Column("key_id", sa.String(31)),
        sa.Column("recipient_hash", sa.LargeBinary(16)),
        sa.Column("erased_at", UtcDateTime),
    ):
        op.add_column("notifications", column)
    op.create_index(
        "ix_notifications_recipient_hash",
        "notifications",
        ["recipient_hash"],
        sqlite_where=sa.text("recipient_hash IS NOT NULL"),
        postgresql_where=sa.text("recipient_hash IS NOT NULL"),
    )
    op.create_index(
        "ix_notifications_unhashed",
        "notifications",
        ["recipient"],
        sqlite_where=sa.text("recipient_hash IS NULL"),
        postgresql_where=sa.text("recipient_hash IS NULL"),
    )
    op.drop_index("ix_notifications_sms_recipient", "notifications")
    op.add_column("dead_letters", sa.Column("key_id", sa.String(31)))
    op.add_column("dead_letters", sa.Column("erased_at", UtcDateTime))
    op.create_table(
        "keys",
        sa.Column("id", sa.String(31), primary_key=True),
        sa.Column("proof", sa.LargeBinary(32), nullable=False),
        sa.Column("since", UtcDateTime, nullable=False),
    )
    floor = op.create_table("schema_floor", sa.Column("oldest", sa.String(32), primary_key=True))
    op.bulk_insert(floor, [{"oldest": OLDEST}])
