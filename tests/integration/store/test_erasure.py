"""Erasing a recipient, on a record in clear and on one that is sealed."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import func, insert, select, update

from notify.deadletters import Eligibility, discard
from notify.errors import NotifyError
from notify.ledger.ledger import build_ledger
from notify.message import Channel, Notification, Outcome, Status
from notify.privacy import erasure
from notify.privacy.erasure import Erased, Person, look
from notify.reconcile.verdict import Resolution, decide
from notify.store import Claim, Entry, Filter, Store
from notify.store.audit import Actor, write_audit
from notify.store.reconcile.outcomes import settle_call
from notify.store.relays.due import lease_due
from notify.store.tables import attempts, audit, events, metadata, notifications
from tests.support.burying import arrival, body_of, buried, bury, plan, read
from tests.support.recording import LATER, LEASE, NOW, accepted, begin, call_for, claim_one, put_off

ANN = Actor("ann@ops-1", "ticket 4711 of Canary.Bird@example.com")
WHO = Person("Canary.Bird@example.com")
WORDS = "the words of the canary"


def _told(**fields: Any) -> Notification:
    """A request to the canary, as a worker reads it."""
    request = {"to": WHO.recipient, "text": WORDS, "metadata": {"of": WORDS}}
    (notification,) = read(body_of(uuid4(), **request | fields))
    return notification


def _begun(store: Store, **fields: Any) -> Entry:
    entry = call_for(_told(**fields))
    assert claim_one(store, entry) is Claim.OWNED
    return entry


def _sent(store: Store, **fields: Any) -> Notification:
    entry = _begun(store, **fields)
    store.record([accepted(entry)])
    return entry.notification


def _erase(store: Store, *, batch: int = 2) -> Erased:
    done = erasure.erase(store, WHO, look(store, WHO), ANN, cancel=True, now=LATER, batch=batch)
    assert build_ledger(store, now=LATER).balanced
    return done


def _everything(store: Store) -> str:
    with store.reading() as connection:
        return "".join(
            str(row)
            for table in metadata.sorted_tables
            for row in connection.exec_driver_sql(f"SELECT * FROM {table.name}")  # noqa: S608
        ).lower()


def _count(store: Store, table: Any) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_nothing_of_a_recipient_is_left_and_the_counts_stay(store: Store) -> None:
    """In rows of each kind and spelling, in letters of any form, and in what operators wrote."""
    kept = [_sent(store), _sent(store, to=WHO.recipient.lower())]
    kept.append(_sent(store, idempotency_key=f"welcome-{WHO.recipient}"))
    old = _sent(store, to="CANARY.BIRD@example.com")
    other = begin(store).notification
    with store.writing() as connection:
        of_before = {"recipient_hash": None, "key_id": None, "recipient": old.to, "body": old.body}
        ours = notifications.c.id == old.id
        connection.execute(update(notifications).where(ours).values(of_before))
        write_audit(connection, ANN, "cancel", details={"why": f"{WHO.recipient} asked"}, at=NOW)
    escaped = json.dumps({"to": WHO.recipient}).replace("@", "\\u0040").encode()
    broken = f'\xff{{"to": "{WHO.recipient}", {WORDS}'.encode("latin-1")
    bury(store, arrival(broken), arrival(escaped), arrival(b"{}", reply_to=WHO.recipient))
    bury(store, arrival(body_of(uuid4(), to="bob@example.com")))
    before = _count(store, attempts), _count(store, events)
    done = _erase(store)
    assert (done.notifications, done.letters, done.audit) == (4, 3, 1)
    lies = _everything(store)
    for secret in ("canary", WORDS, "bird"):
        assert secret not in lies
    told = {each.id: each for each in store.find(Filter())}
    assert {told[each.id].recipient for each in (*kept, old)} == {"(erased)"}
    assert {told[each.id].status for each in (*kept, old)} == {Status.SENT}
    assert told[other.id].recipient == "ann@example.com"
    assert (_count(store, attempts), _count(store, events)) == before
    with store.reading() as connection:
        noted = connection.execute(select(audit).order_by(audit.c.id)).all()
    assert [each.action for each in noted] == ["cancel", "erase"]
    assert noted[1].details["notifications"] == 4
    assert look(store, WHO).nothing
    again = _erase(store)
    assert (again.notifications, again.letters, again.audit) == (0, 0, 0)


def test_what_waits_is_given_up_first(store: Store) -> None:
    """Cancelled where it was to be sent, parked where it was to be looked up; producers hear it."""
    scheduled, retried, unknown = _told(), _begun(store), _begun(store)
    claim_one(store, Entry(scheduled, Status.SCHEDULED, due_at=LATER))
    store.record([put_off(retried)])
    lost = {"outcome": Outcome.UNKNOWN, "status": Status.UNKNOWN, "due_at": LATER}
    store.record([accepted(unknown, **lost)])
    bury(store, arrival(b"poison for Canary.Bird@example.com"))
    assert look(store, WHO).to_cancel == 4
    done = _erase(store)
    assert (done.notifications, done.cancelled, done.letters) == (3, 3, 1)
    assert _status(store, scheduled.id) is _status(store, retried.notification.id)
    assert _status(store, scheduled.id) is Status.CANCELLED
    assert _status(store, unknown.notification.id) is Status.UNKNOWN
    with store.writing() as connection:
        assert lease_due(connection, [*Status], now=LATER + 9 * LEASE, lease=LEASE, limit=9) == []
    # The copies that lie in RabbitMQ are recognised, acknowledged, and not sent.
    for asked in (scheduled, retried.notification):
        assert claim_one(store, call_for(asked), now=LATER) is Claim.DUPLICATE
    other = replace(scheduled, digest=b"x" * 32)
    assert claim_one(store, call_for(other), now=LATER) is Claim.CONFLICT


def test_nothing_is_given_up_unasked(store: Store) -> None:
    """A notification that began to wait after the preview stays, and is reported."""
    found = look(store, WHO)
    scheduled = _told()
    claim_one(store, Entry(scheduled, Status.SCHEDULED, due_at=LATER))
    found = replace(found, ids=[scheduled.id])
    done = erasure.erase(store, WHO, found, ANN, cancel=False, now=LATER)
    assert (done.busy, done.cancelled) == ([scheduled.id], 0)
    assert _status(store, scheduled.id) is Status.SCHEDULED


def _status(store: Store, id_: UUID) -> Status:
    story = store.get(id_)
    assert story is not None
    return story.status


def test_a_claimed_notification_is_erased_when_its_worker_is_done(store: Store) -> None:
    """It is reported, and the others are erased."""
    entry, sent = _begun(store), _sent(store)
    done = _erase(store)
    assert (done.busy, done.notifications) == ([entry.notification.id], 1)
    assert sent.id not in done.busy
    store.record([accepted(entry)])
    assert _erase(store).notifications == 1


def test_a_recipient_behind_a_key_that_stands_twice_is_found(store: Store) -> None:
    """A reader of JSON sees the last value only, and escapes hide the first from a search."""
    hidden = json.dumps({"to": WHO.recipient}).replace("@", "\\u0040").encode()
    (letter,) = bury(store, arrival(hidden[:-1] + b', "to": "bob@example.com"}'))
    discard(store, [letter.id], ANN, now=LATER)
    assert _erase(store).letters == 1
    assert "canary" not in _everything(store)


def test_a_letter_that_others_wait_for_too_is_left(store: Store) -> None:
    """To give it up would give up the others' messages; once it is settled, it is erased."""
    body = body_of(uuid4(), to=[WHO.recipient, "bob@example.com"])
    (letter,) = bury(store, arrival(body))
    assert _erase(store).shared == [letter.id]
    discard(store, [letter.id], ANN, now=LATER)
    done = _erase(store)
    assert (done.letters, done.shared) == (1, [])


def test_what_was_erased_is_never_sent_again(store: Store) -> None:
    """Not by a decision, not by late news, not by a letter that comes in afterwards."""
    entries = [_begun(store) for _ in range(2)]
    lost = {"outcome": Outcome.UNKNOWN, "status": Status.UNKNOWN}
    failed = _begun(store)
    spent = {"outcome": Outcome.NOT_SENT, "status": Status.FAILED}
    store.record([*(accepted(entry, **lost) for entry in entries), accepted(failed, **spent)])
    _erase(store)
    first, second = entries
    for finding in (Resolution.NOT_SENT, Resolution.RESEND):
        with pytest.raises(NotifyError, match="was erased"):
            decide(store, first.notification.id, finding, ANN, now=LATER)
    decide(store, first.notification.id, Resolution.SENT, ANN, now=LATER)
    assert second.attempt_id is not None
    with store.writing() as connection:
        settle_call(connection, second.attempt_id, Outcome.NOT_SENT, reason="it was not", now=LATER)
    assert _status(store, second.notification.id) is Status.CANCELLED
    bury(store, arrival(second.notification.body), arrival(failed.notification.body))
    assert plan(store, now=LATER).eligibilities == {Eligibility.WITHDRAWN: 2}
    assert build_ledger(store, now=LATER).balanced


def test_a_message_that_dies_again_after_its_letter_was_erased_is_kept(store: Store) -> None:
    """Else a letter without content would stand for it."""
    bury(store, arrival(b"poison for Canary.Bird@example.com"))
    _erase(store)
    bury(store, arrival(b"poison for Canary.Bird@example.com"))
    assert len(buried(store)) == 2
    assert look(store, WHO).to_cancel == 1


def test_a_phone_number_is_erased_as_an_address_is(store: Store) -> None:
    """On whatever channel."""
    number = Person("+4915112345678")
    entry = begin(store, channel=Channel.SMS, to=number.recipient)
    store.record([accepted(entry)])
    with store.writing() as connection:
        values = {"notification_id": entry.notification.id, "at": NOW, "status": "sent"}
        told = {"reason": f"to {number.recipient}", "to_publish": False}
        connection.execute(insert(events).values(**values, **told))
    done = erasure.erase(store, number, look(store, number), ANN, cancel=False, now=LATER)
    assert done.notifications == 1
    assert "4915112345678" not in _everything(store)
