"""
Contradictions in the record.

A notification's status says how far it is, and so do its calls and its events. Here these are
compared, set-wise, for the notifications of one slice.
"""

from __future__ import annotations

import enum
from collections.abc import Iterator, Mapping
from datetime import datetime
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    Table,
    and_,
    case,
    func,
    or_,
    select,
)

from notify.message import Outcome, Status
from notify.store.tables import attempts, events, notifications

TAKEN = (Status.SENT, Status.DELIVERED, Status.BOUNCED, Status.COMPLAINED, Status.CONFIRMED)
"""Statuses of notifications that a provider accepted."""


class Fault(enum.StrEnum):
    """A kind of contradiction; the value is its name for operators."""

    NO_SUCH_STATUS = "no such status"
    SENT_WITHOUT_CALL = "sent, but no call was accepted"
    UNKNOWN_WITHOUT_CALL = "unknown, but no call's outcome is"
    SENDING_WITHOUT_CALL = "sending, without one open call and a lease"
    CALL_LEFT_OPEN = "not sending, but a call is open"
    ACCEPTED_NOT_SENT = "not sent, but a call was accepted"
    DUPLICATE_UNMARKED = "several calls may have sent it, and it is not marked so"
    MISCOUNTED = "another number of calls than it counts"
    NEVER_DUE = "scheduled, but for no time"
    ENDED_BUT_DUE = "ended, but due again"
    LAST_EVENT = "its last event has another status"
    CALL_WITHOUT_ROW = "a call of no notification"
    EVENT_WITHOUT_ROW = "an event of no notification"


class Doubt(enum.StrEnum):
    """A state that is possible but should be examined; the value is its name for operators."""

    SENT_AFTER_ALL = "not sent again, but an earlier call turned out accepted"
    LEASE_PASSED = "sending, long after its lease"
    OVERDUE = "due long ago, and no relay has published it"
    LOOKUP_OVERDUE = "unknown, and its look-up is long due"


def find_contradictions(
    connection: Connection, rows: ColumnElement[bool], *, long_ago: datetime
) -> Iterator[tuple[Fault | Doubt, UUID]]:
    """
    Yield what is wrong with some notifications, with their ids.

    Args:
        rows: Which notifications to check.
        long_ago: All leases from then have ended.
    """
    calls = _calls(rows)
    found = _faults(calls) | _doubts(calls, long_ago)
    query = (
        select(notifications.c.id, *(case((true, 1), else_=0) for true in found.values()))
        .select_from(notifications.outerjoin(calls, calls.c.notification_id == notifications.c.id))
        .where(rows, or_(*found.values()))
        .execution_options(yield_per=1000)
    )
    for row in connection.execute(query):
        for kind, flag in zip(found, row[1:], strict=True):
            if flag:
                yield kind, row[0]


def _calls(rows: ColumnElement[bool]) -> FromClause:
    """Return the subquery that counts the calls of each notification."""
    columns = attempts.c
    return (
        select(
            columns.notification_id,
            func.count().label("made"),
            func.max(columns.number).label("last"),
            _sum(columns.outcome == Outcome.ACCEPTED).label("accepted"),
            _sum(columns.outcome == Outcome.UNKNOWN).label("unknown"),
            _sum(columns.outcome.is_(None)).label("open"),
        )
        .where(columns.notification_id.in_(select(notifications.c.id).where(rows)))
        .group_by(columns.notification_id)
        .subquery("calls")
    )


def _sum(condition: ColumnElement[bool]) -> ColumnElement[int]:
    return func.sum(case((condition, 1), else_=0))


def _last_event() -> ColumnElement[str]:
    """Return the expression for the status in the newest event of a notification."""
    # Row by row: as a join, SQLite took three times as long. Ordered by an expression, since by the
    # column PostgreSQL without statistics reads all events backwards until it meets the first of
    # the notification: 40,000 new notifications took it over five minutes.
    newest = (
        select(events.c.status)
        .where(events.c.notification_id == notifications.c.id)
        .order_by((events.c.id + 0).desc())
        .limit(1)
    )
    return func.coalesce(newest.scalar_subquery(), "")


def _faults(calls: FromClause) -> dict[Fault | Doubt, ColumnElement[bool]]:
    one = notifications.c
    made, accepted, unknown, open_ = _numbers(calls)
    taken = _in(*TAKEN)
    ended = _in(*(status for status in Status if status.final))
    return {
        Fault.NO_SUCH_STATUS: ~_in(*Status),
        Fault.SENT_WITHOUT_CALL: and_(taken, accepted == 0),
        Fault.UNKNOWN_WITHOUT_CALL: and_(_in(Status.UNKNOWN), unknown == 0),
        Fault.SENDING_WITHOUT_CALL: and_(
            _in(Status.SENDING), or_(open_ != 1, one.lease_until.is_(None))
        ),
        Fault.CALL_LEFT_OPEN: and_(~_in(Status.SENDING), open_ > 0),
        Fault.ACCEPTED_NOT_SENT: and_(
            ~taken, ~_in(Status.UNKNOWN), accepted > 0, ~one.possible_duplicate
        ),
        Fault.DUPLICATE_UNMARKED: and_(accepted + unknown > 1, ~one.possible_duplicate),
        Fault.MISCOUNTED: or_(made != one.attempts, func.coalesce(calls.c.last, 0) != made),
        Fault.NEVER_DUE: and_(_in(Status.SCHEDULED), one.due_at.is_(None)),
        Fault.ENDED_BUT_DUE: and_(ended, ~_in(Status.UNKNOWN), one.due_at.is_not(None)),
        Fault.LAST_EVENT: and_(ended, _last_event() != one.status),
    }


def _doubts(calls: FromClause, long_ago: datetime) -> dict[Fault | Doubt, ColumnElement[bool]]:
    one = notifications.c
    _, accepted, _, _ = _numbers(calls)
    overdue = one.due_at < long_ago
    return {
        Doubt.SENT_AFTER_ALL: and_(
            ~_in(*TAKEN, Status.UNKNOWN), accepted > 0, one.possible_duplicate
        ),
        Doubt.LEASE_PASSED: and_(_in(Status.SENDING), one.lease_until < long_ago),
        Doubt.OVERDUE: and_(_in(Status.SCHEDULED, Status.QUEUED), overdue),
        Doubt.LOOKUP_OVERDUE: and_(_in(Status.UNKNOWN), overdue),
    }


def _numbers(calls: FromClause) -> tuple[ColumnElement[int], ...]:
    names = "made", "accepted", "unknown", "open"
    return tuple(func.coalesce(calls.c[name], 0) for name in names)


def _in(*statuses: Status) -> ColumnElement[bool]:
    return notifications.c.status.in_([str(each) for each in statuses])


def find_orphans(
    connection: Connection, kind: Fault, rows: ColumnElement[bool]
) -> Iterator[tuple[Fault, UUID]]:
    """Yield the notifications that do not exist, but have some of these calls or events."""
    table = ORPHANS[kind]
    query = (
        select(table.c.notification_id)
        .outerjoin(notifications, notifications.c.id == table.c.notification_id)
        .where(rows, notifications.c.id.is_(None))
        .distinct()
        .execution_options(yield_per=1000)
    )
    for row in connection.execute(query):
        yield kind, row[0]


ORPHANS: Mapping[Fault, Table] = {
    Fault.CALL_WITHOUT_ROW: attempts,
    Fault.EVENT_WITHOUT_ROW: events,
}
"""The table of each kind of row that belongs to a notification."""
