"""Searching the audit."""

from __future__ import annotations

import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, Text, cast, func, or_, select

from notify.store.db.clock import Moment, moment
from notify.store.tables import audit

_AT_ONCE = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One act of an operator."""

    id: int
    at: datetime
    actor: str
    action: str
    reason: str
    details: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class ActFilter:
    """The acts to select; None does not filter."""

    since: Moment | None = None
    until: Moment | None = None
    actor: str | None = None
    """The operator and the machine, or the operator alone."""
    action: str | None = None
    """The whole action, or its part before the dot."""
    object: str | None = None
    """The object of the act: an id or a name in the details."""


def find_acts(connection: Connection, wanted: ActFilter, *, limit: int) -> list[Act]:
    """Return the newest acts that match, newest first."""
    query = select(audit).where(*_conditions(wanted)).order_by(audit.c.at.desc(), audit.c.id.desc())
    with closing(_acts(connection, query, wanted.object)) as found:
        return list(islice(found, limit))


def _acts(
    connection: Connection, query: Select[Any], wanted: str | None
) -> Generator[Act, None, None]:
    with connection.execute(query.execution_options(yield_per=_AT_ONCE)) as result:
        for row in result:
            if wanted is None or _names(row.details, wanted.casefold()):
                yield Act(**row._asdict())


def _conditions(wanted: ActFilter) -> Iterator[ColumnElement[bool]]:
    columns = audit.c
    if wanted.since is not None:
        yield columns.at >= moment(wanted.since)
    if wanted.until is not None:
        yield columns.at < moment(wanted.until)
    if wanted.actor is not None:
        person = func.lower(columns.actor)
        own = wanted.actor.lower()
        yield or_(person == own, person.startswith(f"{own}@", autoescape=True))
    if wanted.action is not None:
        whole = columns.action == wanted.action
        yield or_(whole, columns.action.startswith(f"{wanted.action}.", autoescape=True))
    if wanted.object is not None:
        # A first filter, to read less; `_names` decides by the JSON itself.
        written = json.dumps(wanted.object)[1:-1]
        yield cast(columns.details, Text).icontains(written, autoescape=True)


def _names(value: Any, wanted: str) -> bool:
    if isinstance(value, dict):
        return any(_names(each, wanted) for each in value.values())
    if isinstance(value, list):
        return any(_names(each, wanted) for each in value)
    return not isinstance(value, bool) and str(value).casefold() == wanted
