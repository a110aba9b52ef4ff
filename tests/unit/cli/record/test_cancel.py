"""`notify cancel`, as an operator calls it."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import select

from notify.message import Status
from notify.store import Claim, Entry, Store
from notify.store.tables import audit, events
from tests.support.commands import Notify
from tests.support.recording import LATER, NOW, accepted, asked, begin, call_for, claim_one, put_off


def _scheduled(store: Store, **changes: Any) -> UUID:
    entry = Entry(asked(**changes), Status.SCHEDULED, due_at=LATER)
    assert claim_one(store, entry) is Claim.OWNED
    return entry.notification.id


def _audit(store: Store) -> list[Any]:
    with store.reading() as connection:
        return list(connection.execute(select(audit)))


def test_a_scheduled_notification_is_cancelled_published_and_audited(
    store: Store, notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The producer is notified by an event; the operator's reason is only in the audit."""
    monkeypatch.setenv("SUDO_USER", "ann")
    id_ = _scheduled(store)
    done = notify("cancel", id_, "--reason", "wrong price, INC-12")
    assert (done.code, done.out, done.err) == (0, f"{id_} is cancelled\n", "")
    story = store.get(id_)
    assert story is not None
    assert (story.status, story.summary.due_at) == (Status.CANCELLED, None)
    with store.reading() as connection:
        *_, event = connection.execute(select(events).order_by(events.c.id))
    assert (event.status, event.to_publish) == ("cancelled", True)
    assert "INC-12" not in (event.reason or "") + (story.summary.reason or "")
    (row,) = _audit(store)
    assert row.actor.startswith("ann@")
    assert (row.action, row.reason) == ("cancel", "wrong price, INC-12")
    assert row.details == {"id": str(id_), "cancelled": 1, "left": {}}


def test_a_retry_that_waits_is_cancelled(store: Store, notify: Notify) -> None:
    """A notification with one attempt is not attempted again."""
    entry = begin(store)
    store.record([put_off(entry)])
    assert notify("cancel", entry.notification.id).code == 0
    assert claim_one(store, call_for(entry.notification), now=LATER) is Claim.DUPLICATE


@pytest.mark.parametrize(
    ("end", "why"),
    [
        (False, "is being sent: try again in a moment"),
        (True, "is sent: there is nothing left to cancel"),
    ],
)
def test_a_notification_that_cannot_be_cancelled_is_reported_with_its_status(
    store: Store, notify: Notify, *, end: bool, why: str
) -> None:
    """Exit 1, nothing changed, nothing audited."""
    entry = begin(store)
    if end:
        store.record([accepted(entry)])
    id_ = entry.notification.id
    before = store.get(id_)
    done = notify("cancel", id_)
    assert (done.code, done.out, done.err) == (1, "", f"notify: {id_} {why}\n")
    assert store.get(id_) == before
    assert _audit(store) == []


def test_of_a_batch_all_that_wait_are_cancelled_and_the_others_named(
    store: Store, notify: Notify
) -> None:
    """Counts first; then those for which it came too late."""
    batch = uuid4()
    waiting = [_scheduled(store, batch_id=batch, position=number) for number in range(3)]
    sending = begin(store, batch_id=batch, position=3).notification.id
    done = notify("cancel", batch)
    assert done.code == 0
    assert done.out.splitlines() == [
        "3 of 4 recipients of the batch are cancelled",
        "too late for 1: 1 sending",
        f"  {sending}  sending",
    ]
    assert {story.status for id_ in waiting if (story := store.get(id_))} == {Status.CANCELLED}
    (row,) = _audit(store)
    assert row.details == {"id": str(batch), "cancelled": 3, "left": {"sending": 1}}
    again = notify("cancel", batch)
    assert (again.code, again.out) == (1, "")
    assert again.err.startswith(f"notify: no member of the batch {batch} waits any more: 1 sending")


def test_json_names_every_id(store: Store, notify: Notify) -> None:
    """Also if nothing was cancelled, with exit code 1."""
    batch = uuid4()
    waiting = [_scheduled(store, batch_id=batch, position=number) for number in range(2)]
    sending = begin(store, batch_id=batch, position=2).notification.id
    done = notify("cancel", batch, "--json")
    assert done.code == 0
    assert json.loads(done.out) == {
        "cancelled": [str(id_) for id_ in waiting],
        "left": {str(sending): "sending"},
    }
    again = notify("cancel", sending, "--json")
    assert again.code == 1
    assert json.loads(again.out) == {"cancelled": [], "left": {str(sending): "sending"}}


def test_an_id_that_is_not_on_record_is_reported(store: Store, notify: Notify) -> None:
    """The error says where else it may be; a malformed id is a usage error."""
    begin(store, now=NOW)
    id_ = uuid4()
    done = notify("cancel", id_)
    assert (done.code, done.out) == (1, "")
    assert done.err.startswith(f"notify: no notification and no batch {id_} is on record")
    assert notify("cancel", "order-17").code == 2
