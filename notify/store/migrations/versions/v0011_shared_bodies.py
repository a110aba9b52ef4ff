"""The part of a large batch's body that its recipients share, stored once."""

import sqlalchemy as sa
from alembic import op

from notify.store.tables.kinds import UtcDateTime

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """
    Add a table and a column for messages that code of earlier revisions refuses.

    On PostgreSQL the index is built afterwards, beside the workers (`schema`).
    """
    op.add_column("notifications", sa.Column("shared_id", sa.Uuid))
    op.create_table(
        "shared_bodies",
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("key_id", sa.String(31)),
        sa.Column("content", sa.LargeBinary, nullable=False),
        sa.Column("written_at", UtcDateTime, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_shared_bodies"),
    )
    if op.get_bind().dialect.name == "sqlite":
        op.create_index(
            "ix_notifications_shared_id",
            "notifications",
            ["shared_id"],
            sqlite_where=sa.text("shared_id IS NOT NULL"),
        )
