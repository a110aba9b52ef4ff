"""Plans: bulk actions of operators, with their frozen selections."""

import sqlalchemy as sa
from alembic import op

from notify.store.tables.kinds import NUMBER, UtcDateTime

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Add two tables that code of earlier revisions neither reads nor writes."""
    op.create_table(
        "plans",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("action", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("filter", sa.JSON, nullable=False),
        sa.Column("options", sa.JSON, nullable=False),
        sa.Column("rate", sa.Double, nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("actor", sa.String(255), nullable=False),
        sa.Column("reason", sa.String(1000), nullable=False),
        sa.Column("started_at", UtcDateTime),
        sa.Column("started_by", sa.String(255)),
        sa.Column("ended_at", UtcDateTime),
        sa.Column("updated_at", UtcDateTime, nullable=False),
        sa.Column("next_at", UtcDateTime),
        sa.Column("total", sa.Integer, nullable=False),
        sa.Column("cut", sa.Boolean, nullable=False),
        sa.Column("counted", sa.Integer, nullable=False),
        sa.Column("position", sa.Integer, nullable=False),
        sa.Column("forecast", sa.JSON, nullable=False),
        sa.Column("results", sa.JSON, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_plans"),
    )
    due = sa.text("next_at IS NOT NULL")
    op.create_index(
        "ix_plans_next_at", "plans", ["next_at"], sqlite_where=due, postgresql_where=due
    )
    op.create_table(
        "plan_items",
        sa.Column("plan_id", NUMBER, nullable=False, autoincrement=False),
        sa.Column("position", sa.Integer, nullable=False, autoincrement=False),
        sa.Column("number", sa.BigInteger),
        sa.Column("row_id", sa.Uuid),
        sa.Column("state", sa.String(8), nullable=False),
        sa.Column("reason", sa.String(255)),
        sa.PrimaryKeyConstraint("plan_id", "position", name="pk_plan_items"),
    )
