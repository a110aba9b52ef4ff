"""Ids that are unique within their source: the producer's id, if the row has another one."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add what is null in all rows; code of revision 0003 and later works with these tables."""
    op.add_column("notifications", sa.Column("public_id", sa.Uuid))
    op.create_index(
        "ix_notifications_public_id",
        "notifications",
        ["public_id"],
        sqlite_where=sa.text("public_id IS NOT NULL"),
        postgresql_where=sa.text("public_id IS NOT NULL"),
    )
