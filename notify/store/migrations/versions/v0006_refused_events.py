"""Events about refused messages beside their dead letters, and room for the fixes in a reason."""

import sqlalchemy as sa
from alembic import op

from notify.store.tables import UtcDateTime

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add what is null in all rows; code of revision 0003 and later works with these tables."""
    op.add_column("dead_letters", sa.Column("refused_event", sa.JSON))
    op.add_column("dead_letters", sa.Column("refused_until", UtcDateTime))
    op.create_index(
        "ix_dead_letters_refused_event",
        "dead_letters",
        ["id"],
        sqlite_where=sa.text("refused_event IS NOT NULL"),
        postgresql_where=sa.text("refused_event IS NOT NULL"),
    )
    if op.get_context().dialect.name == "postgresql":
        # SQLite keeps no lengths. A longer one rewrites nothing.
        op.alter_column("dead_letters", "reason", type_=sa.String(1000))
