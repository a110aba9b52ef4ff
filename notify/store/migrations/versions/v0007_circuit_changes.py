"""The history of circuits: each change of a state or mode, kept after the outage is over."""

import sqlalchemy as sa
from alembic import op

from notify.store.tables.kinds import NUMBER

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add a table that code of earlier revisions neither reads nor writes."""
    op.create_table(
        "circuit_changes",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("provider", sa.String(64), nullable=False),
        sa.Column("at", sa.Double, nullable=False),
        sa.Column("state_before", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("mode_before", sa.String(16), nullable=False),
        sa.Column("mode", sa.String(16), nullable=False),
        sa.Column("trips", sa.Integer, nullable=False),
        sa.Column("cause", sa.String(255)),
        sa.Column("actor", sa.String(255)),
        sa.Column("reason", sa.String(1000)),
        sa.PrimaryKeyConstraint("id", name="pk_circuit_changes"),
    )
    op.create_index("ix_circuit_changes_at", "circuit_changes", ["at"])
