"""The HTTP API's keys, and its requests with idempotency keys."""

import sqlalchemy as sa
from alembic import op

from notify.store.tables.kinds import NUMBER, UtcDateTime

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Add tables that code of earlier revisions neither reads nor writes."""
    op.create_table(
        "api_keys",
        sa.Column("id", NUMBER, nullable=False),
        sa.Column("source", sa.String(63), nullable=False),
        sa.Column("name", sa.String(64), nullable=False),
        sa.Column("scopes", sa.String(64), nullable=False),
        sa.Column("hash", sa.LargeBinary(32), nullable=False),
        sa.Column("created_at", UtcDateTime, nullable=False),
        sa.Column("expires_at", UtcDateTime),
        sa.Column("revoked_at", UtcDateTime),
        sa.Column("used_at", UtcDateTime),
        sa.Column("replaces", NUMBER),
        sa.PrimaryKeyConstraint("id", name="pk_api_keys"),
        sa.UniqueConstraint("hash", name="uq_api_keys_hash"),
        sa.UniqueConstraint("replaces", name="uq_api_keys_replaces"),
    )
    op.create_table(
        "api_requests",
        sa.Column("source", sa.String(63), nullable=False),
        sa.Column("idempotency_key", sa.String(255), nullable=False),
        sa.Column("id", sa.Uuid, nullable=False),
        sa.Column("digest", sa.LargeBinary(32), nullable=False),
        sa.Column("sealed", sa.Boolean, nullable=False),
        sa.Column("at", UtcDateTime, nullable=False),
        sa.Column("confirmed_at", UtcDateTime),
        sa.PrimaryKeyConstraint("source", "idempotency_key", name="pk_api_requests"),
    )
    op.create_index("ix_api_requests_at", "api_requests", ["at"])
