"""Finding ids by their first digits, as operators copy them from a log."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Connection, select

from notify.store.tables import dead_letters, notifications

_COLUMNS = (
    *(notifications.c.id, notifications.c.public_id, notifications.c.batch_id),
    dead_letters.c.notification_id,
)


def ids_with_prefix(connection: Connection, digits: str, *, limit: int) -> list[UUID]:
    """
    Return the ids of notifications, batches and dead letters with a prefix, in order.

    Args:
        digits: Up to 32 hexadecimal digits in lower case, without hyphens.
        limit: The largest number of ids to return.
    """
    first, last = UUID(digits.ljust(32, "0")), UUID(digits.ljust(32, "f"))
    found: set[UUID] = set()
    for column in _COLUMNS:
        query = select(column).where(column.between(first, last)).distinct().limit(limit)
        found.update(connection.execute(query).scalars())
    return sorted(found)[:limit]
