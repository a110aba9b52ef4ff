"""Searching notifications page by page, newest first; each page examines a bounded number."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
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
_GROWTH = 4
"""Each further step examines so many times as many: most searches end in an early one."""

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
    connection: Connection,
    wanted: RowSearch,
    *,
    after: PageKey | None = None,
    limit: int,
    seconds: float | None = None,
    monotonic: Callable[[], float] = time.monotonic,
) -> Matches:
    """
    Return the newest notifications that match, newest first, in the order of `PageKey`.

    At most `SEARCHED` notifications are examined, or `SEARCHED_WITH_CALLS`.

    Args:
        seconds: The search ends early if it would take longer: beside a full machine it examines
            fewer notifications, at least `FIRST_STEP`. None for no such bound.
    """
    steps = _Steps(SEARCHED_WITH_CALLS if wanted.reads_calls else SEARCHED, seconds, monotonic)
    found: list[Summary] = []
    start, examined = after, after
    while step := steps.next():
        conditions = list(_conditions_with_index(connection, wanted))
        bounds = [_bound(connection, each, start, step=step) for each in conditions]
        known = [each for each in bounds if each is not None]
        back_to = max(known) if known else None
        for condition in conditions:
            found += _rows(connection, wanted, _Span(condition, back_to), start, limit=limit + 1)
        examined = PageKey(back_to) if back_to is not None else None
        if len(found) > limit or examined is None:
            break
        start = examined
    found.sort(key=_order)
    if len(found) > limit:
        last = found[limit - 1]
        key = PageKey(last.received_at, last.position, last.id)
        return Matches(found[:limit], steps.examined, key, full=True)
    return Matches(found, steps.examined, examined, full=False)


class _Steps:
    """The sizes of a search's steps, within its bound and its time."""

    def __init__(self, most: int, seconds: float | None, monotonic: Callable[[], float]) -> None:
        self._most = most
        self._seconds = seconds
        self._monotonic = monotonic
        self._began = monotonic()
        self._step = 0
        self._step_began = self._began
        self.examined = 0

    def next(self) -> int:
        """Return how many notifications to examine next; 0 to end the search."""
        size = self._step * _GROWTH or FIRST_STEP
        if self._step and self._seconds is not None:
            now = self._monotonic()
            rate = self._step / max(now - self._step_began, 1e-6)
            # Half of what the time left allows: a full machine may be slower the next moment.
            left = self._began + self._seconds - now
            size = min(size, int(rate * left / 2))
            self._step_began = now
            if size < FIRST_STEP:
                return 0
        self._step = min(size, self._most - self.examined)
        self.examined += self._step
        return self._step


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
        # No lease ends before its notification was received: this is a range of the index.
        ended = wanted.lease_ended
        yield from (
            found if ended is None else (and_(each, columns.received_at < ended) for each in found)
        )
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
