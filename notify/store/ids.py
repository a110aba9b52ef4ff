"""Producers' ids on record: the row's own id, or `public_id` if another source uses the same."""

from __future__ import annotations

from collections.abc import Collection
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Uuid, and_, func, or_, select

from notify.errors import NotifyError
from notify.message import Identity
from notify.store.tables import notifications

PUBLIC_ID: ColumnElement[UUID] = func.coalesce(
    notifications.c.public_id, notifications.c.id, type_=Uuid
)
"""The id that the producer of a notification uses."""


def known_as(ids: Collection[UUID]) -> ColumnElement[bool]:
    """Match rows by these ids, of any source: row ids and producers' ids."""
    columns = notifications.c
    return or_(columns.id.in_(ids), columns.public_id.in_(ids))


def rows_of(connection: Connection, id_: UUID, *, source: str | None = None) -> list[UUID]:
    """Return the rows of one id, at most one for each source, oldest first."""
    columns = notifications.c
    # At equal times, the row whose own id it is was the first.
    order = columns.received_at, columns.public_id.is_not(None), columns.id
    query = select(columns.id).where(known_as([id_])).order_by(*order)
    if source is not None:
        query = query.where(columns.source == source)
    return list(connection.execute(query).scalars())


def row_of(connection: Connection, id_: UUID, *, source: str | None) -> UUID | None:
    """
    Return the row of an id; None if there is none.

    Raises:
        NotifyError: Several sources use the id, and none is named.
    """
    matching = only_source(connection, known_as([id_]), source=source)
    return connection.execute(select(notifications.c.id).where(matching)).scalars().first()


def identities(connection: Connection, rows: Collection[UUID]) -> set[Identity]:
    """Return the sources of rows, and the ids that these use."""
    columns = notifications.c
    query = select(columns.source, PUBLIC_ID.label("public_id")).where(columns.id.in_(rows))
    return {(row.source, row.public_id) for row in connection.execute(query)}


def only_source(
    connection: Connection, matching: ColumnElement[bool], *, source: str | None
) -> ColumnElement[bool]:
    """
    Narrow a condition to one source, so that a command changes no other source's rows.

    Raises:
        NotifyError: Rows of several sources match, and none is named.
    """
    columns = notifications.c
    if source is None:
        query = select(columns.source).where(matching).distinct().order_by(columns.source)
        sources: list[str] = list(connection.execute(query).scalars())
        if len(sources) > 1:
            names = ", ".join(sources)
            raise NotifyError(f"several sources use this id ({names}): name one with --source")
        source = next(iter(sources), None)
    return and_(matching, columns.source == source)
