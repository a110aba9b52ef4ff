"""Searching notifications page by page, newest first; each page examines a bounded number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, true

from notify.message import Channel, Status
from notify.store.queries import SUMMARY, Summary, summary_of
from notify.store.sealing.row_cipher import cipher_of
from notify.store.status_rules import OPEN
from notify.store.tables import attempts, notifications
from notify.store.totals import open_rows, read_progress

SEARCHED = 100_000
"""Notifications that one page examines at most."""
SEARCHED_WITH_CALLS = 10_000
"""The same if the calls of each must be read as well."""
FIRST_STEP = 2_000
"""Notifications that are examined first: they often fill the page."""


_LAST_ID = UUID(int=2**128 - 1)
_LAST_POSITION = 2**31 - 1


@dataclass(frozen=True, slots=True)
class PageKey:
    """The place of a notification in the order of a search; the next page begins after it."""

    received_at: datetime
    position: int = _LAST_POSITION
    id: UUID = _LAST_ID


@dataclass(frozen=True, slots=True, kw_only=True)
class RowSearch:
    """The notifications to find, by exact values; None does not filter."""

    status: Status | None = None
    source: str | None = None
    lane: str | None = None
    channel: Channel | None = None
    template: str | None = None
    category: str | None = None
    batch_id: UUID | None = None
    provider: str | None = None
    """A provider that was called for it."""
    code: str | None = None
    """A provider's code that ended one of its calls."""
    recipient_hashes: Sequence[bytes] = ()
    lease_ended: datetime | None = None
    """Only those whose worker's lease ended before."""

    @property
    def reads_calls(self) -> bool:
        """Whether the calls of each notification must be read."""
        return self.provider is not None or self.code is not None


@dataclass(frozen=True, slots=True)
class Matches:
    """One page of a search."""

    rows: Sequence[Summary]
    searched: int
    """Notifications that were examined at most."""
    after: PageKey | None
    """Where the next page begins; None if the search has reached the oldest notification."""
    full: bool
    """Whether the page has as many rows as wanted; if not, it was ended by its bound."""


@dataclass(frozen=True, slots=True)
class _Span:
    """Notifications that are examined together: those of one condition, back to a time."""

    condition: ColumnElement[bool]
    back_to: datetime | None
    """None: to the oldest."""


def find_matches(
    connection: Connection, wanted: RowSearch, *, after: PageKey | None = None, limit: int
) -> Matches:
    """
    Return the newest notifications that match, newest first, in the order of `PageKey`.

    At most `SEARCHED` notifications are examined, or `SEARCHED_WITH_CALLS`.
    """
    most = SEARCHED_WITH_CALLS if wanted.reads_calls else SEARCHED
    found: list[Summary] = []
    searched, start, examined = 0, after, after
    for step in (FIRST_STEP, most - FIRST_STEP):
        conditions = list(_conditions_with_index(connection, wanted))
        bounds = [_bound(connection, each, start, step=step) for each in conditions]
        known = [each for each in bounds if each is not None]
        back_to = max(known) if known else None
        for condition in conditions:
            found += _rows(connection, wanted, _Span(condition, back_to), start, limit=limit + 1)
        searched += step
        examined = PageKey(back_to) if back_to is not None else None
        if len(found) > limit or examined is None:
            break
        start = examined
    found.sort(key=_order)
    if len(found) > limit:
        last = found[limit - 1]
        key = PageKey(last.received_at, last.position, last.id)
        return Matches(found[:limit], searched, key, full=True)
    return Matches(found, searched, examined, full=False)


def _conditions_with_index(
    connection: Connection, wanted: RowSearch
) -> Iterator[ColumnElement[bool]]:
    """Yield conditions, each with an index, of which a matching row matches exactly one."""
    columns = notifications.c
    if wanted.recipient_hashes:
        yield columns.recipient_hash.in_(wanted.recipient_hashes)
    elif wanted.batch_id is not None:
        yield columns.batch_id == wanted.batch_id
    elif wanted.status in OPEN and (found := _open_rows(connection, wanted.status)):
        yield from found
    else:
        yield true()


def _open_rows(
    connection: Connection, status: Status | None
) -> Sequence[ColumnElement[bool]] | None:
    """Return the conditions of open rows; None while their indexes do not find them all."""
    progress = read_progress(connection)
    if not progress.totals_ready or progress.swept_until is None:
        return None
    marked, first_call = open_rows(progress)
    # Only a first call is not marked.
    return [marked, first_call] if status is Status.SENDING else [marked]


def _bound(
    connection: Connection, condition: ColumnElement[bool], after: PageKey | None, *, step: int
) -> datetime | None:
    """Return the time of receipt of the last notification of a step; None if it is not full."""
    received = notifications.c.received_at
    query = select(received).where(condition, *_following(after))
    bound: datetime | None = connection.execute(
        query.order_by(received.desc()).offset(step - 1).limit(1)
    ).scalar()
    return bound


def _rows(
    connection: Connection,
    wanted: RowSearch,
    span: _Span,
    after: PageKey | None,
    *,
    limit: int,
) -> list[Summary]:
    columns = notifications.c
    cipher = cipher_of(connection)
    query = select(*SUMMARY).where(span.condition, *_following(after), *_matching(wanted))
    if span.back_to is not None:
        query = query.where(columns.received_at >= span.back_to)
    query = query.order_by(columns.received_at.desc(), columns.position, columns.id).limit(limit)
    return [summary_of(row, cipher) for row in connection.execute(query)]


def _following(after: PageKey | None) -> Iterator[ColumnElement[bool]]:
    if after is None:
        return
    columns = notifications.c
    if after.id == _LAST_ID:
        # The end of a step: the index alone answers this.
        yield columns.received_at < after.received_at
        return
    same_place = and_(columns.position == after.position, columns.id > after.id)
    # The first condition is a range of the index; the second one cuts the rows of equal times.
    yield columns.received_at <= after.received_at
    yield or_(
        columns.received_at < after.received_at, columns.position > after.position, same_place
    )


def _matching(wanted: RowSearch) -> Iterator[ColumnElement[bool]]:
    columns = notifications.c
    for name in ("status", "source", "lane", "channel", "template", "category", "batch_id"):
        value = getattr(wanted, name)
        if value is not None:
            yield columns[name] == value
    if wanted.recipient_hashes:
        yield columns.recipient_hash.in_(wanted.recipient_hashes)
    if wanted.lease_ended is not None:
        yield columns.lease_until < wanted.lease_ended
    if wanted.reads_calls:
        # Not `EXISTS`: PostgreSQL may turn that into a join that reads all calls.
        calls = select(func.count()).where(
            attempts.c.notification_id == columns.id, *_matching_calls(wanted)
        )
        yield calls.scalar_subquery() > 0


def _matching_calls(wanted: RowSearch) -> Iterator[ColumnElement[bool]]:
    if wanted.provider is not None:
        yield attempts.c.provider == wanted.provider
    if wanted.code is not None:
        yield attempts.c.code == wanted.code


def _order(one: Summary) -> tuple[float, int, UUID]:
    return -one.received_at.timestamp(), one.position, one.id
