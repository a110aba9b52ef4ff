"""Changes of status: which exist, what each one writes, and that nothing else makes any."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select, update

import notify
from notify.message import Status
from notify.store import Store
from notify.store.status_rules import ALLOWED, IllegalTransition, RowTransition, Transition
from notify.store.tables import events, notifications
from notify.store.transitions import (
    enter,
    per_row,
    transition,
    transition_each,
    transition_quietly,
)
from tests.support.recording import LATER, NOW, begin

PACKAGE = Path(notify.__file__).parent
PAGE = PACKAGE.parent / "docs" / "record.md"
WRITERS = {
    "store/transitions.py",
    "store/delivery/postgresql.py",
    "store/delivery/sqlite.py",
    "store/receipts/postgresql.py",
}
FOUND = "sent delivered bounced complained confirmed"
MADE = {
    "scheduled": f"queued sending {FOUND} rejected failed expired suppressed cancelled",
    "queued": f"queued sending {FOUND} rejected failed expired suppressed cancelled",
    "sending": "queued sent rejected failed unknown",
    "unknown": f"queued {FOUND} unknown cancelled",
    "sent": "delivered bounced complained confirmed",
    "delivered": "bounced complained confirmed",
    "bounced": "complained confirmed",
    "confirmed": "complained",
    "rejected": "queued",
    "failed": "queued",
    "expired": "queued",
}
"""All changes that the service makes; every other pair is refused."""
WAITED = {"due_at": NOW, "relay_until": NOW, "lease_until": NOW, "hold_id": 7}


@pytest.mark.parametrize("before", Status)
def test_a_status_is_followed_by_those_of_the_table_alone(store: Store, before: Status) -> None:
    """Over all pairs: a change that the table lacks raises, and writes neither row nor event."""
    for after in Status:
        id_ = planted(store, before)
        allowed = after in MADE.get(before, "").split()
        assert changed(store, id_, before, after) is allowed
        assert row_of(store, id_)["status"] == (after if allowed else before)
        assert len(events_of(store, id_)) == allowed


def test_the_page_lists_the_table() -> None:
    """docs/record.md names each status that another may follow, and those that may."""
    rows = re.findall(r"^\| `(\w+)` \| (`.*`) \|$", PAGE.read_text(), re.MULTILINE)
    listed = {Status(before): set(re.findall(r"\w+", after)) for before, after in rows}
    assert listed == {before: set(after) for before, after in ALLOWED.items() if after}


def test_a_transition_resets_what_the_row_waited_for(store: Store) -> None:
    """No lease, hold or time of the old status outlives it, and the event says why."""
    id_ = planted(store, Status.QUEUED, **WAITED)
    assert changed(store, id_, Status.QUEUED, Status.CANCELLED)
    row = row_of(store, id_)
    assert {name: row[name] for name in WAITED} == dict.fromkeys(WAITED)
    assert (row["reason"], row["updated_at"]) == ("why", LATER)
    (event,) = events_of(store, id_)
    assert (event["reason"], event["at"], event["to_publish"]) == ("why", LATER, True)


def test_a_transition_skips_rows_of_other_statuses(store: Store) -> None:
    """A notification that a worker has claimed in between is not cancelled."""
    id_ = planted(store, Status.SENDING)
    assert not changed(store, id_, Status.QUEUED, Status.CANCELLED)
    assert row_of(store, id_)["status"] == Status.SENDING
    assert not events_of(store, id_)


def test_a_quiet_transition_writes_no_event(store: Store) -> None:
    """The relay's hand-over to the broker changes nothing that a producer asks about."""
    id_ = planted(store, Status.SCHEDULED, **WAITED)
    with store.writing() as connection:
        rows = notifications.c.id == id_
        to = Transition(Status.QUEUED, None)
        assert transition_quietly(connection, rows, to, among=[Status.SCHEDULED], now=LATER) == 1
    assert row_of(store, id_)["status"] == Status.QUEUED
    assert not events_of(store, id_)


def test_one_illegal_change_of_several_writes_none(store: Store) -> None:
    """The check comes before the statement."""
    good, bad = planted(store, Status.QUEUED), planted(store, Status.SENT)
    changes = [
        RowTransition(good, Status.QUEUED, Transition(Status.EXPIRED, None)),
        RowTransition(bad, Status.SENT, Transition(Status.QUEUED, None)),
    ]
    with store.writing() as connection, pytest.raises(IllegalTransition, match="sent to queued"):
        transition_each(connection, per_row(), changes, now=LATER)
    assert row_of(store, good)["status"] == Status.QUEUED
    assert not events_of(store, good)


def test_a_waiting_one_with_a_time_is_not_news(store: Store) -> None:
    """Producers get an event when it has ended, not when it is deferred or looked up later."""
    for status, due_at, published in (
        (Status.QUEUED, LATER, False),
        (Status.FAILED, None, True),
    ):
        id_ = planted(store, Status.QUEUED)
        change = RowTransition(id_, Status.QUEUED, Transition(status, None, due_at))
        with store.writing() as connection:
            transition_each(connection, per_row(), [change], now=LATER)
        (event,) = events_of(store, id_)
        assert event["to_publish"] is published


def test_a_notification_begins_waiting(store: Store) -> None:
    """A row whose call is open comes from a claim only."""
    with store.writing() as connection, pytest.raises(IllegalTransition):
        enter(connection, [(Status.SENDING, {"id": uuid4()})])


def test_no_other_module_writes_a_status() -> None:
    """Only `store.transitions` and the two hot writes change rows' statuses or write events."""
    found = {
        str(path.relative_to(PACKAGE))
        for path in PACKAGE.rglob("*.py")
        if "migrations" not in path.parts and writes_status(path.read_text())
    }
    assert found == WRITERS


_SQL = re.compile(r"\b(UPDATE|INSERT INTO) (notifications|events)\b")


def writes_status(text: str) -> bool:
    """Whether a module writes a status or an event: in SQL, or in SQLAlchemy's words."""
    # To parse all modules would be most of the cost.
    if not re.search("UPDATE|INSERT|insert|update", text):
        return False
    nodes = list(ast.walk(ast.parse(text)))
    texts = [str(node.value) for node in nodes if isinstance(node, ast.Constant)]
    written = {
        ast.unparse(node.args[0])
        for node in nodes
        if isinstance(node, ast.Call)
        and node.args
        and ast.unparse(node.func).split(".")[-1] in ("insert", "update")
    }
    named = {node.arg for node in nodes if isinstance(node, ast.keyword)} | set(texts)
    in_sql = any(_SQL.search(text) for text in texts)
    return in_sql or ("notifications" in written and "status" in named) or _events(nodes)


def _events(nodes: list[ast.AST]) -> bool:
    return any(
        isinstance(node, ast.Call) and ast.unparse(node).startswith("insert(events)")
        for node in nodes
    )


def planted(store: Store, status: Status, **columns: Any) -> UUID:
    """The row of a new notification, put into a status by force."""
    id_ = begin(store).notification.id
    with store.writing() as connection:
        change = update(notifications).where(notifications.c.id == id_)
        connection.execute(change.values(status=status, **columns))
    return id_


def changed(store: Store, id_: UUID, before: Status, after: Status) -> bool:
    """Whether a transition from one status to the other changed the row."""
    with store.writing() as connection:
        try:
            return bool(
                transition(
                    connection,
                    notifications.c.id == id_,
                    Transition(after, "why"),
                    among=[before],
                    now=LATER,
                )
            )
        except IllegalTransition:
            return False


def row_of(store: Store, id_: UUID) -> Mapping[Any, Any]:
    """The notification's row."""
    with store.reading() as connection:
        query = select(notifications).where(notifications.c.id == id_)
        return connection.execute(query).mappings().one()


def events_of(store: Store, id_: UUID) -> list[Mapping[Any, Any]]:
    """The notification's events."""
    with store.reading() as connection:
        query = select(events).where(events.c.notification_id == id_)
        return list(connection.execute(query).mappings())
