"""A producer's ids on record: the row's own, or beside it where another source had the same."""

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
"""The id by which its producer knows a notification."""


def known_as(ids: Collection[UUID]) -> ColumnElement[bool]:
    """Match the rows of these ids, whoever uses them: rows' own and producers'."""
    columns = notifications.c
    return or_(columns.id.in_(ids), columns.public_id.in_(ids))


def rows_of(connection: Connection, id_: UUID, *, source: str | None = None) -> list[UUID]:
    """Find the rows of one id, at most one a source, oldest first."""
    columns = notifications.c
    # Of one instant, the row that has the id for its own was the first.
    order = columns.received_at, columns.public_id.is_not(None), columns.id
    query = select(columns.id).where(known_as([id_])).order_by(*order)
    if source is not None:
        query = query.where(columns.source == source)
    return list(connection.execute(query).scalars())


def row_of(connection: Connection, id_: UUID, *, source: str | None) -> UUID | None:
    """
    Find the one row that an id means; None if there is none.

    Raises:
        NotifyError: Several sources use the id, and none of them is named.
    """
    meant = only_source(connection, known_as([id_]), source=source)
    return connection.execute(select(notifications.c.id).where(meant)).scalars().first()


def identities(connection: Connection, rows: Collection[UUID]) -> set[Identity]:
    """Read the sources of rows, and the ids by which these know them."""
    columns = notifications.c
    query = select(columns.source, PUBLIC_ID.label("public_id")).where(columns.id.in_(rows))
    return {(row.source, row.public_id) for row in connection.execute(query)}


def only_source(
    connection: Connection, meant: ColumnElement[bool], *, source: str | None
) -> ColumnElement[bool]:
    """
    Narrow what an id means to one source, so that a command changes no other's.

    Raises:
        NotifyError: Several sources use it, and none of them is named.
    """
    columns = notifications.c
    if source is None:
        query = select(columns.source).where(meant).distinct().order_by(columns.source)
        sources: list[str] = list(connection.execute(query).scalars())
        if len(sources) > 1:
            names = ", ".join(sources)
            raise NotifyError(f"several sources use this id ({names}): name one with --source")
        source = next(iter(sources), None)
    return and_(meant, columns.source == source)
