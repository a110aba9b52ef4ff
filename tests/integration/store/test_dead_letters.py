"""The archive and replays on both databases, without a broker."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import event, select, update
from sqlalchemy.exc import OperationalError

from notify.arrival import Done
from notify.cli.dead.progress import followed
from notify.deadletters import Edit, Eligibility, discard
from notify.message import Notification, Outcome, Status
from notify.store import Claim, Entry, Filter, Store
from notify.store.audit import Actor
from notify.store.deadletters import (
    LetterState,
    discard_letters,
    read_final_statuses,
    read_letter,
    read_waiting,
)
from notify.store.tables import attempts, audit, dead_letters, events, notifications
from tests.support.burying import (
    arrival,
    body_of,
    buried,
    bury,
    decisions,
    died,
    order,
    plan,
    read,
    replayer,
)
from tests.support.recording import LATER, LEASE, NOW, accepted, call_for, rejected

SECOND = timedelta(seconds=1)
ANN = Actor("ann@ops-1", "INC-7")


def ended(store: Store, body: bytes, **record: Any) -> list[Notification]:
    """Have a request end as a worker would write it."""
    asked = read(body)
    entries = [call_for(each) for each in asked]
    assert {each.claim for each in store.claim(entries, now=NOW, lease=LEASE)} == {Claim.OWNED}
    values: dict[str, Any] = {"outcome": Outcome.NOT_SENT, "status": Status.FAILED}
    values |= {"provider_id": None, "http_status": 503, "reason": "the vendor is away"}
    store.record([accepted(entry, **(values | record)) for entry in entries])
    return asked


def without_call(store: Store, body: bytes, status: Status, **entry: Any) -> None:
    """Make a request end, or be deferred, without a call."""
    (asked,) = read(body)
    store.claim([Entry(asked, status, **entry)], now=NOW, lease=LEASE)


def replay(store: Store, **changes: Any) -> list[UUID]:
    """Replay all letters that wait; give the notifications that got a new time."""
    now = changes.pop("now", LATER)
    steps = replayer(store, now=now).replay(order(store, **changes), ANN, replay_id=uuid4())
    return [id_ for step in steps for id_ in step.replayed]


def status(store: Store, id_: UUID) -> Status | None:
    """Read where a notification stands."""
    story = store.get(id_)
    return story.status if story else None


@pytest.mark.parametrize("count", ["x-delivery-count", "x-acquired-count"])
def test_a_message_is_archived_once_however_often_it_is_delivered(store: Store, count: str) -> None:
    """The broker's own counts do not make it another one; RabbitMQ 4.3 has two of them."""
    body = body_of(uuid4())
    again = died() | {count: 3}
    assert len(bury(store, arrival(body), arrival(body), arrival(body, headers=again))) == 1
    assert len(bury(store, arrival(body))) == 1


def test_a_message_that_dies_again_is_another_dead_letter(store: Store) -> None:
    """Its second death has its own time."""
    body = body_of(uuid4())
    bury(store, arrival(body))
    assert len(bury(store, arrival(body, headers=died(at=NOW + SECOND)))) == 2


def test_what_was_settled_waits_again_if_the_same_message_comes_again(store: Store) -> None:
    """A new letter is kept even if an equal one was discarded before."""
    (letter,) = bury(store, arrival(b"x"))
    discard(store, [letter.id], ANN, now=NOW)
    assert buried(store)[0].state is LetterState.DISCARDED
    (letter,) = bury(store, arrival(b"x"), now=LATER)
    assert (letter.state, letter.state_at) == (LetterState.WAITING, LATER)


def test_what_waits_and_comes_again_has_waited_since_it_first_came(store: Store) -> None:
    """A replay uses that time, and an operator sees how long it has waited."""
    bury(store, arrival(b"x"))
    (letter,) = bury(store, arrival(b"x"), now=LATER)
    assert (letter.state, letter.state_at) == (LetterState.WAITING, NOW)


def test_all_of_a_batch_are_settled_when_they_are_written(store: Store) -> None:
    """Poison, and what no database takes as text, among neighbours."""
    strange = arrival(b"\x00", message_id="\x00\ud800", headers={"\x00": "\ud800"})
    assert decisions(store, b"\xff", body_of(uuid4())) == [Done(), Done()]
    assert len(bury(store, strange)) == 3


@pytest.mark.parametrize(
    ("record", "cause", "code"),
    [
        ({}, "failed", "503"),
        ({"status": Status.REJECTED, "code": "21211"}, "rejected", "21211"),
        ({"status": Status.EXPIRED}, "expired", "503"),
        ({"status": Status.SENT, "outcome": Outcome.ACCEPTED}, "other", None),
    ],
)
def test_the_cause_is_what_the_record_says(
    store: Store, record: dict[str, Any], cause: str, code: str | None
) -> None:
    """With the provider's code, or its HTTP status."""
    body = body_of(uuid4())
    ended(store, body, **record)
    (letter,) = bury(store, arrival(body))
    assert (letter.cause, letter.code) == (cause, code)


def test_a_key_used_for_another_request_is_a_conflict(store: Store) -> None:
    """Or an id; and of a batch, any of its recipients' keys."""
    id_ = uuid4()
    ended(store, body_of(id_, idempotency_key="k"))
    others = [
        body_of(uuid4(), idempotency_key="k", text="Another."),
        body_of(id_, idempotency_key="k2"),
        body_of(uuid4(), idempotency_key="k", to=["a@example.com", "b@example.com"]),
    ]
    letters = bury(store, *map(arrival, others))
    assert [letter.cause for letter in letters] == ["conflict"] * 3
    assert plan(store).eligibilities == {Eligibility.UNFIT: 3}
    assert replay(store) == []


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ({"channel": "email"}, 2),
        ({"lane": "bulk"}, 1),
        ({"source": "shop"}, 2),
        ({"template": "welcome"}, 1),
        ({"cause": "contract"}, 1),
        ({"code": "503"}, 1),
        ({"text": "AWAY"}, 1),
        ({"text": "zoë@example.com"}, 1),
        ({"text": "sms.bulk"}, 1),
        ({"text": "100%"}, 0),
        ({"text": "not json"}, 1),
        ({"state": "waiting"}, 3),
        ({"state": "discarded"}, 0),
        ({"since": NOW + SECOND}, 0),
        ({"since": NOW}, 3),
        ({"until": NOW}, 0),
        ({"until": NOW + SECOND}, 3),
        ({"ids": [-1]}, 0),
    ],
)
def test_dead_letters_are_found(store: Store, wanted: dict[str, Any], found: int) -> None:
    """By each filter; text in the body too, escaped as JSON escapes it or not."""
    body = body_of(uuid4(), to="zoe@example.com", metadata={"who": "zoë@example.com"})
    welcome = body_of(uuid4(), template="welcome", subject=None, text=None)
    ended(store, body)
    bury(store, arrival(body), arrival(welcome, exchange="notify", headers={}))
    bury(store, arrival(b"this is not JSON", key="sms.bulk.shop2"))
    assert len(buried(store, **wanted)) == found


def test_each_notification_is_judged_by_the_record(store: Store) -> None:
    """One of each kind, and what a replay does to them."""
    # Templates, by which some would fail, are another test's (test_rehearsal).
    prospects = [each for each in Eligibility if each is not Eligibility.FAILS]
    bodies = {prospect: body_of(uuid4()) for prospect in prospects}
    bodies[Eligibility.EXPIRED] = body_of(uuid4(), expires_at="2025-01-02T04:00:00Z")
    bodies[Eligibility.UNFIT] = b"{}"
    ended(store, bodies[Eligibility.NEVER_SENT])
    ended(store, bodies[Eligibility.EXPIRED])
    ended(store, bodies[Eligibility.UNKNOWN], status=Status.UNKNOWN, outcome=Outcome.UNKNOWN)
    ended(store, bodies[Eligibility.ACCEPTED], status=Status.SENT, outcome=Outcome.ACCEPTED)
    ended(store, bodies[Eligibility.IN_FLIGHT], status=Status.QUEUED, due_at=LATER)
    ended(store, bodies[Eligibility.REFUSED], status=Status.REJECTED)
    without_call(store, bodies[Eligibility.WITHDRAWN], Status.CANCELLED)
    feedback = json.dumps({"id": str(uuid4()), "outcome": "failed"}).encode()
    del bodies[Eligibility.REPORT]
    bury(store, *map(arrival, bodies.values()), arrival(feedback, key="feedback.shop"))
    late = NOW + timedelta(days=1)
    assert plan(store, now=late).eligibilities == dict.fromkeys(prospects, 1)
    assert plan(store, now=late).replayed.total() == 1
    ids = {prospect: read(body)[0].id for prospect, body in bodies.items() if body[2:]}
    assert replay(store, now=late) == [ids[Eligibility.NEVER_SENT]]
    assert replay(store, now=late, include_unknown=True) == [ids[Eligibility.UNKNOWN]]
    assert replay(store, now=late, include_unknown=True) == []
    assert status(store, ids[Eligibility.ACCEPTED]) is Status.SENT
    with store.reading() as connection:
        marked = select(notifications.c.id).where(notifications.c.possible_duplicate)
        assert connection.execute(marked).scalars().all() == [ids[Eligibility.UNKNOWN]]


def test_a_template_that_was_mended_may_be_tried_again(store: Store) -> None:
    """Unlike what the provider itself has rejected."""
    body = body_of(uuid4())
    without_call(store, body, Status.REJECTED, reason="no such template")
    bury(store, arrival(body))
    assert plan(store).eligibilities == {Eligibility.NEVER_SENT: 1}


def test_what_was_refused_after_a_lost_answer_is_not_sent_again(store: Store) -> None:
    """Whatever became of the first call, the provider would refuse the next one too."""
    body = body_of(uuid4())
    lost = {"outcome": Outcome.UNKNOWN, "possible_duplicate": True}
    (asked,) = ended(store, body, status=Status.QUEUED, due_at=LATER, **lost)
    refusing = call_for(asked)
    (claimed,) = store.claim([refusing], now=LATER, lease=LEASE)
    store.record([replace(rejected(refusing), fence=claimed.fence, possible_duplicate=True)])
    bury(store, arrival(body, headers=died("delivery_limit")), now=LATER)
    assert plan(store).eligibilities == {Eligibility.REFUSED: 1}
    assert replay(store, include_unknown=True) == []


def test_a_call_whose_worker_died_with_its_message_is_unknown(store: Store) -> None:
    """The broker has dead-lettered the message in the meantime: no worker would close the call."""
    body = body_of(uuid4())
    (asked,) = read(body)
    store.claim([call_for(asked)], now=NOW, lease=LEASE)
    bury(store, arrival(body, headers=died("delivery_limit")))
    assert buried(store)[0].delivery_count == 21
    assert plan(store, now=NOW).eligibilities == {Eligibility.IN_FLIGHT: 1}
    assert plan(store, now=LATER).eligibilities == {Eligibility.UNKNOWN: 1}
    assert replay(store, include_unknown=True) == [asked.id]
    with store.reading() as connection:
        outcomes: list[str] = list(connection.execute(select(attempts.c.outcome)).scalars())
    assert outcomes == [Outcome.UNKNOWN]


def test_what_waits_for_the_very_message_that_died_is_replayed(store: Store) -> None:
    """A retry that met no queue, or too many deliveries: nothing else will take it up."""
    body = body_of(uuid4())
    (asked,) = ended(store, body, status=Status.QUEUED, due_at=NOW + SECOND)
    with store.writing() as connection:
        connection.execute(update(notifications).values(due_at=None, updated_at=NOW + SECOND))
    bury(store, arrival(body), now=NOW)
    assert plan(store).eligibilities == {Eligibility.IN_FLIGHT: 1}
    bury(store, arrival(body, headers=died("delivery_limit")), now=NOW + 2 * SECOND)
    assert plan(store).eligibilities == {Eligibility.IN_FLIGHT: 1, Eligibility.NEVER_SENT: 1}
    assert replay(store) == [asked.id]


def test_what_a_replay_puts_on_record_is_listed_as_open(store: Store) -> None:
    """A letter that no worker had recorded waits as any other, so the index of open rows has it."""
    bury(store, arrival(body_of(uuid4())))
    (replayed,) = replay(store)
    assert [each.id for each in store.find(Filter(status=Status.QUEUED))] == [replayed]
    assert store.count(Filter(status=Status.QUEUED)) == {Status.QUEUED: 1}


def test_two_letters_of_one_notification_are_one_to_be_sent(store: Store) -> None:
    """It died of two messages: the plan counts what the replay does, and that is one call."""
    body = body_of(uuid4())
    (asked,) = ended(store, body)
    bury(store, arrival(body), arrival(body, message_id="another"))
    assert plan(store).eligibilities == {Eligibility.NEVER_SENT: 1, Eligibility.IN_FLIGHT: 1}
    assert plan(store).replayed.total() == 1
    assert replay(store) == [asked.id]
    assert [letter.state for letter in buried(store)] == [LetterState.REPLAYED, LetterState.WAITING]


def test_a_replay_gives_times_at_the_rate_after_those_given_before(store: Store) -> None:
    """Two replays at once do not add up, and the plan tells when they end."""
    for number in range(6):
        body = body_of(uuid4())
        ended(store, body)
        bury(store, arrival(body), now=NOW + number * SECOND)
    first = replay(store, rate=2.0, ids=order(store).ids[:3])
    assert plan(store, now=LATER).settled == 3
    assert plan(store, now=LATER).seconds(2.0, now=LATER) == 1.0 + 3 / 2
    second = replay(store, rate=2.0)
    with store.reading() as connection:
        rows = connection.execute(select(notifications.c.id, notifications.c.due_at)).all()
    due = {row.id: row.due_at for row in rows}
    assert [due[id_] for id_ in [*first, *second]] == [LATER + n * SECOND / 2 for n in range(6)]


def test_a_replayed_notification_is_claimed_with_fresh_patience(store: Store) -> None:
    """Its deadline counts from the replay, and so do its attempts; its event tells who did it."""
    body = body_of(uuid4())
    (asked,) = ended(store, body, spent=8)
    bury(store, arrival(body))
    replay(store)
    (claimed,) = store.claim([call_for(asked)], now=LATER, lease=LEASE)
    assert (claimed.claim, claimed.spent, claimed.received_at) == (Claim.OWNED, 0, LATER)
    with store.reading() as connection:
        told = connection.execute(select(events).order_by(events.c.id.desc())).first()
    assert told is not None
    assert (told.status, told.to_publish) == (Status.QUEUED, False)
    assert told.reason == "replayed by ann@ops-1: INC-7"


def test_what_no_worker_has_seen_is_recorded_and_then_claimed(store: Store) -> None:
    """A batch that matched no queue: each recipient gets a row, a time and a first call."""
    body = body_of(uuid4(), to=["a@example.com", "b@example.com"])
    bury(store, arrival(body, exchange="notify", headers={}))
    assert plan(store).eligibilities == {Eligibility.NEVER_SENT: 2}
    asked = read(body)
    assert set(replay(store)) == {each.id for each in asked}
    late = LATER + SECOND
    answers = store.claim([call_for(each) for each in asked], now=late, lease=LEASE)
    assert [answer.claim for answer in answers] == [Claim.OWNED] * 2
    assert [answer.fence for answer in answers] == [1, 1]


def test_what_is_to_be_sent_later_keeps_its_time(store: Store) -> None:
    """A worker would put it off, and the record would not take it up again."""
    body = body_of(uuid4(), send_at="2025-06-01T00:00:00Z")
    bury(store, arrival(body, exchange="notify", headers={}))
    (id_,) = replay(store)
    story = store.get(id_)
    assert story is not None
    assert story.status is Status.SCHEDULED
    assert story.summary.due_at is not None
    assert story.summary.due_at.isoformat() == "2025-06-01T00:00:00+00:00"


def test_a_letter_with_unknown_ones_left_goes_on_waiting(store: Store) -> None:
    """Its others are sent; a later replay may take the unknown one."""
    body = body_of(uuid4(), to=["a@example.com", "b@example.com"])
    asked = ended(store, body)
    with store.writing() as connection:
        unknown = attempts.c.notification_id == asked[1].id
        connection.execute(update(attempts).where(unknown).values(outcome=Outcome.UNKNOWN))
    bury(store, arrival(body))
    assert replay(store) == [asked[0].id]
    assert buried(store)[0].state is LetterState.WAITING
    assert replay(store, include_unknown=True) == [asked[1].id]
    assert buried(store)[0].state is LetterState.REPLAYED


def test_many_replays_at_once_take_each_letter_once(store: Store) -> None:
    """The second replay finds it replayed, and their due times follow each other."""
    for _ in range(120):
        body = body_of(uuid4())
        ended(store, body)
        bury(store, arrival(body))
    wanted = order(store, rate=1000.0)

    def run(first: int) -> list[UUID]:
        mine = replace(wanted, ids=[*wanted.ids[first:], *wanted.ids[:first]])
        steps = replayer(store, now=LATER).replay(mine, ANN, replay_id=uuid4())
        return [id_ for step in steps for id_ in step.replayed]

    with ThreadPoolExecutor(4) as threads:
        taken = [id_ for ids in threads.map(run, (0, 0, 50, 90)) for id_ in ids]
    assert len(taken) == len(set(taken)) == 120
    with store.reading() as connection:
        noted: list[Any] = list(connection.execute(select(audit.c.details)).scalars())
        times: set[Any] = set(connection.execute(select(notifications.c.due_at)).scalars())
    assert times == {LATER + n * SECOND / 1000 for n in range(120)}
    assert sum(details["notifications"] for details in noted) == 120


def test_a_mended_letter_keeps_what_it_was(store: Store) -> None:
    """The audit knows both by their digests; a second replay reads what was made of it."""
    id_ = uuid4()
    (letter,) = bury(store, arrival(b"poison", key="fax.normal.shop"))
    mending = Edit(letter.id, body_of(id_), "email.normal.shop")
    assert replay(store, edit=mending) == [id_]
    with store.reading() as connection:
        row = connection.execute(select(dead_letters)).one()
        noted = connection.execute(select(audit).order_by(audit.c.id)).all()
        held = read_letter(connection, letter.id)
    assert held is not None
    assert (held.body, held.routing_key) == (b"poison", "fax.normal.shop")
    assert held.edit == mending
    assert (row.channel, row.lane, row.notification_id) == ("email", "normal", id_)
    assert [each.action for each in noted] == ["dead.mend", "dead.replay"]
    assert "example.com" not in str(noted)
    bury(store, arrival(b"poison", key="fax.normal.shop"), now=LATER)
    assert plan(store, now=LATER).eligibilities == {Eligibility.IN_FLIGHT: 1}


def test_discarding_marks_and_deletes_nothing(store: Store) -> None:
    """With an audit row; what was settled already is left alone."""
    letters = bury(store, arrival(b"a"), arrival(b"b"))
    ids = [letter.id for letter in letters]
    assert discard(store, ids[:1], ANN, now=LATER) == 1
    assert discard(store, ids, ANN, now=LATER) == 1
    assert [letter.state for letter in buried(store)] == [LetterState.DISCARDED] * 2
    assert replay(store) == []
    with store.reading() as connection:
        noted: list[Any] = list(connection.execute(select(audit.c.details)).scalars())
    assert noted == [{"letters": ids[:1]}, {"letters": ids[1:]}]


def test_twice_as_many_dead_letters_need_twice_the_statements(store: Store) -> None:
    """The cost of a plan and of a replay grows with the number of letters, not with its square."""
    few = _statements_of_a_replay(store, letters=100)
    many = _statements_of_a_replay(store, letters=200)
    assert all(twice <= 2 * once + 10 for once, twice in zip(few, many, strict=True)), (few, many)


def _statements_of_a_replay(store: Store, *, letters: int) -> tuple[int, int]:
    """Bury letters, plan and replay them; return how many statements each of the two needed."""
    for _ in range(letters // 50):
        bodies = [body_of(uuid4()) for _ in range(50)]
        entries = [call_for(read(body)[0]) for body in bodies]
        store.claim(entries, now=NOW, lease=LEASE)
        failed = {"outcome": Outcome.NOT_SENT, "status": Status.FAILED}
        store.record([accepted(entry, **failed) for entry in entries])
        bury(store, *map(arrival, bodies))
    with _recorded_statements(store) as statements:
        assert plan(store, now=LATER).eligibilities == {Eligibility.NEVER_SENT: letters}
        planned = len(statements)
        assert len(replay(store, rate=100.0)) == letters
        return planned, len(statements) - planned


@contextmanager
def _recorded_statements(store: Store) -> Iterator[list[str]]:
    """Record the statements that a store executes."""
    statements: list[str] = []

    def executed(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    event.listen(store._engine, "before_cursor_execute", executed)
    try:
        yield statements
    finally:
        event.remove(store._engine, "before_cursor_execute", executed)


@pytest.mark.parametrize("migrated_url", ["postgresql"], indirect=True)
def test_letters_that_are_replayed_are_kept_from_others_until_it_is_done(store: Store) -> None:
    """Else one could be discarded while its message goes out; SQLite has one writer at a time."""
    (letter,) = bury(store, arrival(b"poison"))
    with store.writing() as replaying, store.writing() as other:
        assert [each.id for each in read_waiting(replaying, [letter.id], lock=True)] == [letter.id]
        other.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
        with pytest.raises(OperationalError, match="lock timeout"):
            discard_letters(other, [letter.id], now=NOW)
        other.rollback()
    with store.writing() as reading, store.writing() as other:
        assert read_waiting(reading, [letter.id])
        other.exec_driver_sql("SET LOCAL lock_timeout = '100ms'")
        assert discard_letters(other, [letter.id], now=NOW) == [letter.id]


def test_a_replay_is_followed_to_the_ends_of_its_own_notifications_only(store: Store) -> None:
    """Its report at the end has its own work only, whatever else is on record."""
    (own,) = ended(store, body_of(uuid4()))
    ended(store, body_of(uuid4()), status=Status.REJECTED)
    assert followed(store, [own.id]) == Counter({Status.FAILED: 1})


def test_an_unknown_outcome_is_not_the_end_while_its_look_up_is_due(store: Store) -> None:
    """The report of a replay would call it unknown, and the look-up finds that it was sent."""
    lost = {"outcome": Outcome.UNKNOWN, "status": Status.UNKNOWN}
    (due,) = ended(store, body_of(uuid4()), **lost, due_at=LATER)
    (parked,) = ended(store, body_of(uuid4()), **lost)
    with store.reading() as connection:
        found = read_final_statuses(connection, [due.id, parked.id])
    assert found == {parked.id: Status.UNKNOWN}
