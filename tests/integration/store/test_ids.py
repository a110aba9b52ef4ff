"""Ids are unique within their source: one source's ids do not block another's."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from uuid import UUID, uuid4

import pytest

from notify.contract import Incoming, Limits, decode
from notify.errors import NotifyError
from notify.message import Notification, Outcome, Status
from notify.privacy.erasure import look
from notify.reconcile.lookup import decode_again
from notify.reconcile.verdict import Resolution, decide
from notify.relays import DueRows
from notify.relays.relay import RELAY_LEASE
from notify.store import Claim, Claimed, Entry, Store, Story
from notify.store.audit import Actor
from notify.store.deadletters.archive import Cause
from notify.store.delivery.cancel import cancel_waiting
from notify.store.delivery.shared_ids import claim_under_new_ids
from notify.store.privacy import RetentionCutoff
from notify.store.privacy.erasure import Person
from notify.store.privacy.retention import delete_ended
from notify.store.relays.due import lease_due
from notify.store.relays.events import lease_events
from tests.support.burying import arrival, body_of, bury, order, plan, replayer
from tests.support.recording import LATER, LEASE, NOW, accepted, answer_to, asked, call_for, put_off

ANN = Actor("ann@ops-1", "INC-7")


@pytest.fixture
def taken(store: Store) -> UUID:
    """An id that the shop has used, and that the bank will use too."""
    id_ = uuid4()
    assert answer_to(store, call_for(asked(id=id_))).claim is Claim.OWNED
    return id_


def _of(store: Store, id_: UUID, source: str = "bank") -> Story:
    (story,) = store.known_as(id_, source=source)
    return story


def _banks(id_: UUID, **fields: Any) -> Notification:
    """The bank's request under an id, as a worker reads it."""
    headers = {"content_type": "application/json", "message_id": fields.pop("message_id", None)}
    message = Incoming(body_of(id_, **fields), "email.critical.bank", **headers)
    (read,) = decode(message, Limits(max_recipients=9))
    return read


def test_an_id_of_another_sources_is_no_obstacle(store: Store, taken: UUID) -> None:
    """It is claimed at once, under a row of its own; the first source's row is untouched."""
    before = _of(store, taken, "shop")
    entry = call_for(asked(id=taken, source="bank"))
    answer = answer_to(store, entry)
    assert answer.fresh
    story = _of(store, taken)
    assert (story.summary.id, story.summary.public_id) == (answer.id, taken)
    assert story.summary.id != taken
    assert [call.id for call in story.attempts] == [entry.attempt_id]
    assert _of(store, taken, "shop") == before
    assert answer.id is not None
    assert store.record([accepted(entry.under(answer.id))]) == set()
    assert _of(store, taken).status is Status.SENT
    assert _of(store, taken, "shop").status is Status.SENDING


def test_two_sources_with_one_id_in_one_claim_are_both_claimed(store: Store) -> None:
    """However they come, none has to wait for the other."""
    id_ = uuid4()
    entries = [call_for(asked(id=id_, source=source)) for source in ("shop", "bank", "club")]
    answers = store.claim(entries, now=NOW, lease=LEASE)
    assert [answer.fresh for answer in answers] == [True] * 3
    stories = store.known_as(id_)
    assert {story.summary.source for story in stories} == {"shop", "bank", "club"}
    assert {story.attempts[0].id for story in stories} == {entry.attempt_id for entry in entries}


def test_the_same_request_again_is_its_duplicate(store: Store, taken: UUID) -> None:
    """Also under the id that it shares; another request under it is a conflict."""
    entry = call_for(asked(id=taken, source="bank"))
    row = answer_to(store, entry).id
    again = answer_to(store, entry)
    assert (again.claim, again.id) == (Claim.OWNED, row), "its own claim, not confirmed to it"
    assert answer_to(store, call_for(entry.notification)).claim is Claim.BUSY
    other = asked(id=taken, source="bank", idempotency_key="another")
    assert answer_to(store, call_for(other)).claim is Claim.CONFLICT
    assert len(store.known_as(taken)) == 2


def test_a_row_of_the_same_source_stays_a_conflict(store: Store, taken: UUID) -> None:
    """Within a source an id stands for one request."""
    other = asked(id=taken, idempotency_key="another")
    assert answer_to(store, call_for(other)).claim is Claim.CONFLICT


def test_two_workers_at_once_record_one_request_under_a_shared_id(
    store: Store, taken: UUID
) -> None:
    """Both found that only another source's row has the id; the one that writes second learns."""
    keys = ("first", "second")
    first, second = (call_for(asked(id=taken, source="bank", idempotency_key=key)) for key in keys)
    claim = partial(store.claim, now=NOW, lease=LEASE)
    assert claim_under_new_ids([first], claim)[first.notification.identity].claim is Claim.OWNED
    answer = claim_under_new_ids([second], claim)[second.notification.identity]
    assert (answer.claim, answer.id_in_use) == (Claim.CONFLICT, False)
    assert len(store.known_as(taken, source="bank")) == 1


@pytest.mark.parametrize("named", [True, False])
def test_it_is_published_again_under_the_id_that_its_producer_gave(
    store: Store, named: bool
) -> None:
    """Be it in the body or in the AMQP message id: only that way the copy is recognised."""
    id_ = uuid4()
    answer_to(store, call_for(asked(id=id_)))
    fields: dict[str, Any] = {} if named else {"id": None, "message_id": str(id_)}
    notification = _banks(id_, **fields)
    entry = call_for(notification)
    row = answer_to(store, entry).id
    assert row is not None
    store.record([put_off(entry.under(row))])
    with store.writing() as connection:
        (due,) = lease_due(connection, [Status.QUEUED], now=LATER, lease=RELAY_LEASE, limit=10)
    message = DueRows().outgoing(due)
    assert (due.id, message.message_id) == (row, str(id_))
    copy = Incoming(
        message.body,
        message.routing_key,
        content_type="application/json",
        message_id=message.message_id,
    )
    (read,) = decode(copy, Limits(max_recipients=9))
    assert (read.identity, read.key) == (notification.identity, notification.key)
    answer = answer_to(store, call_for(read), now=LATER)
    assert (answer.claim, answer.fence, answer.id) == (Claim.OWNED, 2, row)
    assert decode_again(due).id == row, "a provider's list is searched for the row's id"


def test_a_batch_of_anothers_id_is_no_obstacle(store: Store) -> None:
    """Nor are ids that can be computed from it, or from a message id, and occupied before."""
    message = Incoming(
        body_of(uuid4(), id=None, to=["a@example.com", "b@example.com"]),
        "email.critical.bank",
        content_type="application/json",
        message_id="order-17",
    )
    members = decode(message, Limits(max_recipients=9))
    for member in members:
        answer_to(store, call_for(asked(id=member.id, batch_id=member.batch_id)))
    answers = store.claim([call_for(each) for each in members], now=NOW, lease=LEASE)
    assert [answer.fresh for answer in answers] == [True, True]
    for member in members:
        assert _of(store, member.id).summary.batch_id == member.batch_id


def test_its_events_go_to_its_source_under_its_own_id(store: Store, taken: UUID) -> None:
    """Never to the source whose id it shares; both sources' events have ids of their own."""
    for source in ("shop", "bank"):
        entry = Entry(asked(id=taken, source=source, idempotency_key="k"), Status.EXPIRED)
        answer_to(store, entry)
    entry = call_for(asked(id=taken, source="bank", idempotency_key=str(taken)))
    assert answer_to(store, entry).claim is Claim.CONFLICT
    with store.writing() as connection:
        told = [
            news.event for news in lease_events(connection, now=NOW, lease=RELAY_LEASE, limit=10)
        ]
    assert [(each.source, each.id) for each in told] == [("bank", taken)]
    assert told[0].routing_key == "email.expired.bank"


def test_a_cancellation_names_one_source(store: Store) -> None:
    """An operator who takes back the bank's must not take back the shop's."""
    id_, batch = uuid4(), uuid4()
    for source in ("shop", "bank"):
        for request in (asked(id=id_, source=source), asked(batch_id=batch, source=source)):
            answer_to(store, Entry(request, Status.SCHEDULED, due_at=LATER))
    for each in (id_, batch):
        with store.writing() as connection, pytest.raises(NotifyError, match="bank, shop"):
            cancel_waiting(connection, each, now=NOW)
        with store.writing() as connection:
            done = cancel_waiting(connection, each, source="bank", now=NOW)
        assert (len(done.ids), done.others) == (1, {})
    assert _of(store, id_).status is Status.CANCELLED
    assert _of(store, id_, "shop").status is Status.SCHEDULED


def _lost(answer: Claimed, entry: Entry) -> dict[str, Any]:
    """The answer to a call was lost: the shop's, whose lease has passed, or the bank's own."""
    attempt_id = answer.attempt_id or entry.attempt_id
    return {"outcome": Outcome.UNKNOWN, "status": Status.UNKNOWN, "attempt_id": attempt_id}


def test_a_persons_decision_names_one_source(store: Store, taken: UUID) -> None:
    """The row's own id names it as well."""
    for source in ("shop", "bank"):
        entry = call_for(asked(id=taken, source=source))
        answer = answer_to(store, entry, now=LATER)
        row = _of(store, taken, source).summary.id
        store.record([replace(accepted(entry.under(row)), **_lost(answer, entry))])
    with pytest.raises(NotifyError, match="bank, shop"):
        decide(store, taken, Resolution.SENT, ANN, now=NOW)
    decide(store, _of(store, taken).summary.id, Resolution.SENT, ANN, now=NOW)
    statuses = [_of(store, taken, source).status for source in ("bank", "shop")]
    assert statuses == [Status.SENT, Status.UNKNOWN]


def _buried(store: Store, id_: UUID, source: str = "bank", **fields: Any) -> None:
    bury(store, arrival(body_of(id_, **fields), key=f"email.critical.{source}"))


def test_a_dead_letter_is_replayed_whoever_else_has_its_id(store: Store, taken: UUID) -> None:
    """Its notification is known by the id that its producer gave, and is sent once."""
    _buried(store, taken)
    _buried(store, taken, "club")
    assert {letter.cause for letter in bury(store)} == {Cause.OTHER}
    assert not plan(store).unfit
    steps = list(replayer(store).replay(order(store), ANN, replay_id=uuid4()))
    rows = [id_ for step in steps for id_ in step.replayed]
    assert len(rows) == 2
    assert {_of(store, taken, source).summary.id for source in ("bank", "club")} == set(rows)
    # A worker meets it under its own id, and as what was lined up.
    with store.writing() as connection:
        due = lease_due(connection, [Status.QUEUED], now=LATER, lease=RELAY_LEASE, limit=10)
    assert {DueRows().outgoing(row).message_id for row in due} == {str(taken)}
    answer = answer_to(store, call_for(_banks(taken)), now=LATER)
    assert (answer.claim, answer.id) == (Claim.OWNED, _of(store, taken).summary.id)


def test_a_dead_letter_of_another_source_keeps_no_row(store: Store) -> None:
    """Nor is it deleted with that row: a hostile letter may name any id."""
    entry = Entry(asked(source="bank", template=None), Status.CANCELLED)
    answer_to(store, entry)
    with store.writing() as connection:
        lease_events(connection, now=NOW, lease=timedelta(), limit=10)
        connection.exec_driver_sql("UPDATE events SET to_publish = false")
    _buried(store, entry.notification.id, "club", to=None)
    later = NOW + timedelta(days=9)
    old = RetentionCutoff(lanes=(), others=True, ended=later, waiting=later)
    with store.writing() as connection:
        deleted, _ = delete_ended(connection, old, after=None, limit=10)
    assert (deleted.notifications, deleted.letters) == (1, 0)


def test_erasing_a_person_leaves_other_sources_letters(store: Store) -> None:
    """A letter that only names the id of a person's notification holds nothing of that person."""
    entry = call_for(asked(to="ann@example.com"))
    answer_to(store, entry)
    store.record([accepted(entry)])
    id_ = entry.notification.id
    _buried(store, id_, "bank", to="bo@example.com")
    _buried(store, id_, "shop", to="bo@example.com")
    found = look(store, Person("ann@example.com"))
    letters = {letter.id: letter.source for letter in bury(store)}
    assert [letters[held.id] for held in found.letters] == ["shop"]
