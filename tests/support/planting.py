"""Contradictions written directly into a record, one of each kind that the ledger finds."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import delete, insert, select, update

from notify.message import Outcome, Status
from notify.store import Entry, Store
from notify.store.ledger.contradictions import Doubt, Fault
from notify.store.tables import attempts, dead_letters, events, notifications
from tests.support.recording import LATER, LEASE, NOW, accepted, asked, begin, put_off, rejected

AFTERWARDS = NOW + timedelta(hours=1)
"""The time of the ledger: any lease of the planted rows has ended by then."""

Plant = Callable[[Store], UUID]


def sent(store: Store) -> UUID:
    """A notification that was sent, without a contradiction."""
    entry = begin(store)
    store.record([accepted(entry)])
    return entry.notification.id


def sending(store: Store) -> UUID:
    """A notification whose call is in flight at the time of the ledger."""
    return begin(store, now=AFTERWARDS).notification.id


def queued(store: Store) -> UUID:
    """A notification that is due again a minute after the time of the ledger."""
    entry = begin(store)
    store.record([put_off(entry, due_at=AFTERWARDS + LEASE)])
    return entry.notification.id


def failed(store: Store) -> UUID:
    """A notification that was refused."""
    entry = begin(store)
    store.record([rejected(entry)])
    return entry.notification.id


def unknown(store: Store) -> UUID:
    """A notification whose call's answer was lost."""
    entry = begin(store)
    store.record([accepted(entry, outcome=Outcome.UNKNOWN, status=Status.UNKNOWN)])
    return entry.notification.id


def scheduled(store: Store) -> UUID:
    """A notification that is sent later."""
    entry = Entry(asked(), Status.SCHEDULED, due_at=AFTERWARDS + LEASE)
    store.claim([entry], now=NOW, lease=LEASE)
    return entry.notification.id


def _changed(made: Plant, **values: Any) -> Plant:
    def plant(store: Store) -> UUID:
        id_ = made(store)
        with store.writing() as connection:
            connection.execute(
                update(notifications).where(notifications.c.id == id_).values(**values)
            )
        return id_

    return plant


def _call_changed(made: Plant, **values: Any) -> Plant:
    def plant(store: Store) -> UUID:
        id_ = made(store)
        with store.writing() as connection:
            connection.execute(
                update(attempts).where(attempts.c.notification_id == id_).values(**values)
            )
        return id_

    return plant


def _called_again(made: Plant, outcome: Outcome, **values: Any) -> Plant:
    def plant(store: Store) -> UUID:
        id_ = made(store)
        with store.writing() as connection:
            call = {"id": uuid4(), "notification_id": id_, "number": 2, "provider": "sendgrid"}
            ended = {"started_at": LATER, "ended_at": LATER, "outcome": outcome}
            connection.execute(insert(attempts).values(**call, **ended))
            connection.execute(
                update(notifications).where(notifications.c.id == id_).values(attempts=2, **values)
            )
        return id_

    return plant


def _event_lost(store: Store) -> UUID:
    id_ = sent(store)
    with store.writing() as connection:
        connection.execute(delete(events).where(events.c.notification_id == id_))
    return id_


def _row_lost(table: Any) -> Plant:
    def plant(store: Store) -> UUID:
        id_ = sent(store)
        others = {attempts: events, events: attempts}
        with store.writing() as connection:
            for each in (notifications, others[table]):
                column = each.c.get("notification_id", each.c.id)
                connection.execute(delete(each).where(column == id_))
        return id_

    return plant


FAULTS: dict[str, tuple[Fault, Plant]] = {
    "a status of nobody's": (Fault.NO_SUCH_STATUS, _changed(queued, status="lost")),
    "sent, never called": (
        Fault.SENT_WITHOUT_CALL,
        _call_changed(sent, outcome=Outcome.NOT_SENT),
    ),
    "unknown, but refused": (
        Fault.UNKNOWN_WITHOUT_CALL,
        _call_changed(unknown, outcome=Outcome.NOT_SENT),
    ),
    "sending, its call closed": (
        Fault.SENDING_WITHOUT_CALL,
        _call_changed(sending, outcome=Outcome.NOT_SENT),
    ),
    "sending without a lease": (Fault.SENDING_WITHOUT_CALL, _changed(sending, lease_until=None)),
    "queued, its call open": (Fault.CALL_LEFT_OPEN, _call_changed(queued, outcome=None)),
    "rejected, its call open": (Fault.CALL_LEFT_OPEN, _call_changed(failed, outcome=None)),
    "queued, though accepted": (
        Fault.ACCEPTED_NOT_SENT,
        _call_changed(queued, outcome=Outcome.ACCEPTED),
    ),
    "rejected, though accepted": (
        Fault.ACCEPTED_NOT_SENT,
        _call_changed(failed, outcome=Outcome.ACCEPTED),
    ),
    "accepted twice in silence": (
        Fault.DUPLICATE_UNMARKED,
        _called_again(sent, Outcome.ACCEPTED),
    ),
    "a call that is not counted": (Fault.MISCOUNTED, _changed(queued, attempts=0)),
    "a call that is not there": (Fault.MISCOUNTED, _changed(scheduled, attempts=1)),
    "a call that was lost": (Fault.MISCOUNTED, _call_changed(sent, number=2)),
    "scheduled for never": (Fault.NEVER_DUE, _changed(scheduled, due_at=None)),
    "sent, and due again": (Fault.ENDED_BUT_DUE, _changed(sent, due_at=AFTERWARDS)),
    "sent, and nobody told": (Fault.LAST_EVENT, _event_lost),
    "failed, and told otherwise": (Fault.LAST_EVENT, _changed(failed, status="failed")),
    "a call of nothing": (Fault.CALL_WITHOUT_ROW, _row_lost(attempts)),
    "an event of nothing": (Fault.EVENT_WITHOUT_ROW, _row_lost(events)),
}

DOUBTS: dict[str, tuple[Doubt, Plant]] = {
    "rejected, though an earlier call was accepted": (
        Doubt.SENT_AFTER_ALL,
        _called_again(failed, Outcome.ACCEPTED, possible_duplicate=True),
    ),
    "sending for an hour": (Doubt.LEASE_PASSED, _changed(sending, lease_until=NOW)),
    "due for an hour": (Doubt.OVERDUE, _changed(queued, due_at=NOW)),
    "scheduled for an hour ago": (Doubt.OVERDUE, _changed(scheduled, due_at=NOW)),
    "never looked up": (Doubt.LOOKUP_OVERDUE, _changed(unknown, due_at=NOW)),
}


def bury(store: Store, **changes: Any) -> UUID:
    """Put a dead letter into the archive, and return its notification's id."""
    id_ = uuid4()
    values = {
        "fingerprint": uuid4().bytes * 2,
        "archived_at": NOW,
        "notification_id": id_,
        "channel": "email",
        "lane": "critical",
        "source": "shop",
        "cause": "unroutable",
        "exchange": "notify",
        "routing_key": "email.critical.shop",
        "properties": {},
        "body": b"{}",
        "state": "waiting",
        "state_at": NOW,
    }
    with store.writing() as connection:
        connection.execute(insert(dead_letters).values(**(values | changes)))
        letter = select(dead_letters.c.notification_id).order_by(dead_letters.c.id.desc())
        given: UUID = connection.execute(letter.limit(1)).scalar_one()
    return given
