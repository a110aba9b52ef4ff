"""One row for each id of a source, also where the row has an id of its own beside it."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"

_LATER_ONES = """
UPDATE notifications SET public_id = NULL
WHERE public_id IS NOT NULL AND EXISTS (
    SELECT 1 FROM notifications AS earlier
    WHERE earlier.public_id = notifications.public_id
        AND earlier.source = notifications.source
        AND (earlier.received_at, earlier.id) < (notifications.received_at, notifications.id)
)
"""


def upgrade() -> None:
    """
    Add a constraint under which code of revision 0005 and later answers as before.

    Two workers could each record a request under the same id of one source. Of such rows the
    first keeps the producer's id; the others are known by their own.
    """
    op.execute(_LATER_ONES)
    op.create_index(
        "uq_notifications_source_public_id",
        "notifications",
        ["source", "public_id"],
        unique=True,
        sqlite_where=sa.text("public_id IS NOT NULL"),
        postgresql_where=sa.text("public_id IS NOT NULL"),
    )
