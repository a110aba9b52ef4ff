"""Receipts on each kind of database: matched, recorded once, and what they change."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import Engine, event, select

from notify.contract import Feedback, FeedbackOutcome, Limits
from notify.flow.overrides import set_breaker_mode
from notify.ledger import build_ledger
from notify.message import Channel, Outcome, Status
from notify.policies.breaker import Circuit, Mode
from notify.receipt import Blame, ReceiptEvent
from notify.receipts.announcing import Announcement
from notify.receipts.applier import LONGEST_WAIT, ReceiptApplier
from notify.receipts.feedback import FeedbackReader
from notify.receipts.lattice import STATUS_OF, derived
from notify.receipts.received import PRODUCER, ReceiptVerdict
from notify.store import Actor, Store
from notify.store.flow.circuits import current
from notify.store.relays import lease_events
from notify.store.tables import audit, events, receipts, suppressions
from tests.support.recording import (
    LATER,
    LEASE,
    NOW,
    accepted,
    answer_to,
    begin,
    call_for,
    put_off,
)
from tests.support.reporting import CHANNELS, SOON, apply, apply_waiting, receipt, sent, status_of

DELIVERED, BOUNCED = ReceiptEvent.DELIVERED, ReceiptEvent.BOUNCED


def verdicts(applied: Any) -> list[ReceiptVerdict]:
    """The verdicts, sorted."""
    return sorted(each.verdict for each in applied)


def rows_of(store: Store) -> list[Any]:
    """All receipts on record, oldest first."""
    with store.reading() as connection:
        return list(connection.execute(select(receipts).order_by(receipts.c.id)))


def test_a_receipt_changes_the_status_and_tells_the_producer(store: Store) -> None:
    """The event is published, and has the vendor's code."""
    entry = sent(store)
    bounced = receipt(entry, BOUNCED, word="bounce", code="5.1.1", reason="Invalid Address")
    assert verdicts(apply(store, bounced)) == ["new"]
    story = store.get(entry.notification.id)
    assert story is not None
    assert (story.status, story.summary.reason) == ("bounced", "bounce 5.1.1: Invalid Address")
    assert story.attempts[0].code == "5.1.1"
    with store.reading() as connection:
        last = connection.execute(select(events).order_by(events.c.id.desc())).first()
    assert last is not None
    assert (last.status, last.to_publish) == ("bounced", True)
    assert_balanced(store)


def test_events_from_memory_are_those_on_record(store: Store) -> None:
    """Those that a relay would have to read again are left to it, on SQLite all."""
    requests: list[dict[str, Any]] = [
        {"traceparent": f"00-{'a' * 32}-{'b' * 16}-01"},
        {"batch_id": uuid4(), "position": 3},
    ]
    plain, member = (sent(store, **each) for each in requests)
    described = sent(store, body=b'{"metadata":{"order":"17"}}')
    unknown = begin(store)
    store.record([accepted(unknown, outcome=Outcome.UNKNOWN, status=Status.UNKNOWN)])
    received = [receipt(each, DELIVERED) for each in (plain, described, unknown)]
    received.append(receipt(member, BOUNCED, word="w" * 200, code="5.1.1", reason="r" * 200))
    own = Announcement(SOON + LEASE)
    with store.writing() as connection:
        ReceiptApplier(CHANNELS).apply(connection, received, now=SOON, announcement=own)
        left = lease_events(connection, now=SOON, lease=LEASE, limit=50)
        kept = lease_events(connection, now=SOON + 2 * LEASE, lease=LEASE, limit=50)
        one_by_one = connection.dialect.name == "sqlite"
    about = {each.event.id for each in own.events}
    assert about == (set() if one_by_one else {plain.notification.id, member.notification.id})
    assert not {each.sequence for each in own.events} & {each.sequence for each in left}
    again = {each.sequence: each for each in kept}
    assert own.events == [again[each.sequence] for each in own.events]


def test_a_repeat_under_another_name_of_the_provider_is_one(store: Store) -> None:
    """The receipt came before its provider was renamed, and again afterwards at both addresses."""
    entry = sent(store)
    before = receipt(entry, DELIVERED)
    assert verdicts(apply(store, before)) == ["new"]
    with store.writing() as connection:
        applier = ReceiptApplier({"mail": Channel.EMAIL}, renamed={"sendgrid": "mail"})
        again = [before, replace(before, provider="mail")]
        applied = applier.apply(connection, again, now=SOON)
    assert verdicts(applied) == ["repeat", "repeat"]
    assert len(rows_of(store)) == 1


@pytest.mark.parametrize("with_id", [True, False])
def test_receipts_of_a_renamed_provider_are_matched(store: Store, with_id: bool) -> None:
    """Under its present name, and under the earlier one that its calls have."""
    entry = sent(store)
    own = {} if with_id else {"attempt_id": None}
    new = receipt(entry, BOUNCED, provider="mail", **own)
    old = receipt(entry, DELIVERED, **own)
    with store.writing() as connection:
        applier = ReceiptApplier({"mail": Channel.EMAIL}, renamed={"sendgrid": "mail"})
        applied = applier.apply(connection, [new, old], now=SOON)
    assert verdicts(applied) == ["new", "new"]
    assert status_of(store, entry) == "bounced"
    assert {row.provider for row in rows_of(store)} == {"mail"}


def test_a_repeat_counts_once_under_another_event_id(store: Store) -> None:
    """In one batch, and in a later one."""
    entry = sent(store)
    twice = [receipt(entry, DELIVERED, event_id=each) for each in ("a", "b")]
    assert verdicts(apply(store, *twice)) == ["new", "repeat"]
    assert verdicts(apply(store, receipt(entry, DELIVERED, event_id="c"))) == ["repeat"]
    assert len(rows_of(store)) == 1


@pytest.mark.parametrize("seed", range(20))
def test_the_status_depends_on_the_receipts_and_not_on_their_order(store: Store, seed: int) -> None:
    """Drawn sets of receipts, in drawn orders and batches, with repeats."""
    rng = random.Random(seed)
    entry = sent(store)
    chosen = rng.sample(list(STATUS_OF), rng.randint(1, len(STATUS_OF)))
    drawn = rng.choices(chosen, k=4) + chosen
    rng.shuffle(drawn)
    while drawn:
        batch = [drawn.pop() for _ in range(min(len(drawn), rng.randint(1, 3)))]
        apply(store, *(receipt(entry, each) for each in batch))
    assert status_of(store, entry) is derived(Status.SENT, chosen)
    assert_balanced(store)


def test_a_code_is_never_overwritten(store: Store) -> None:
    """Neither by a receipt without one, nor by a second code."""
    entry = sent(store)
    apply(store, receipt(entry, BOUNCED, code="30005"))
    apply(store, receipt(entry, BOUNCED, code="30006"), receipt(entry, BOUNCED, code=None))
    story = store.get(entry.notification.id)
    assert story is not None
    assert story.attempts[0].code == "30005"


def test_a_receipt_before_the_answer_waits_until_that_is_recorded(store: Store) -> None:
    """It changes nothing while the call is open, and is applied once it is not."""
    entry = begin(store)
    assert verdicts(apply(store, receipt(entry, DELIVERED))) == ["waiting"]
    assert apply_waiting(store, now=SOON) == []
    assert status_of(store, entry) is Status.SENDING
    store.record([accepted(entry)])
    assert verdicts(apply_waiting(store, now=SOON)) == ["new"]
    assert status_of(store, entry) is Status.DELIVERED
    assert apply_waiting(store, now=SOON) == []
    assert verdicts(apply(store, receipt(entry, DELIVERED))) == ["repeat"]
    assert_balanced(store)


def test_a_receipt_settles_a_call_that_no_worker_records(store: Store) -> None:
    """At the end of the wait, the lease has passed: the worker is gone."""
    entry = begin(store)
    apply(store, receipt(entry, DELIVERED, provider_id="v-1"))
    assert apply_waiting(store, now=SOON + LONGEST_WAIT - timedelta(seconds=1)) == []
    assert verdicts(apply_waiting(store, now=SOON + LONGEST_WAIT)) == ["new"]
    story = store.get(entry.notification.id)
    assert story is not None
    assert story.status is Status.DELIVERED
    assert [call.outcome for call in story.attempts] == [Outcome.ACCEPTED]
    # The worker that comes back late records nothing.
    assert store.record([accepted(entry)]) == {entry.notification.id}
    assert_balanced(store)


@pytest.mark.parametrize("status", [Status.UNKNOWN, Status.QUEUED])
def test_a_receipt_resolves_an_unknown_outcome_at_once(store: Store, status: Status) -> None:
    """And cancels the look-up, or the second send, that was due."""
    entry = begin(store)
    unknown = {"outcome": Outcome.UNKNOWN, "provider_id": None, "http_status": None}
    resend = {"possible_duplicate": True} if status is Status.QUEUED else {}
    store.record([accepted(entry, status=status, due_at=LATER, **unknown, **resend)])
    assert verdicts(apply(store, receipt(entry, DELIVERED, provider_id="v-1"))) == ["new"]
    story = store.get(entry.notification.id)
    assert story is not None
    assert (story.status, story.summary.due_at) == (Status.DELIVERED, None)
    assert (story.attempts[0].outcome, story.attempts[0].provider_id) == ("accepted", "v-1")
    assert not story.summary.possible_duplicate
    assert [each.status for each in story.events][-2:] == ["sent", "delivered"]
    assert_balanced(store)


def test_a_receipt_of_the_first_call_reveals_that_two_were_sent(store: Store) -> None:
    """The mark of a duplicate stays, and a remark says so."""
    entry = begin(store)
    unknown = {"outcome": Outcome.UNKNOWN, "provider_id": None, "possible_duplicate": True}
    store.record([accepted(entry, status=Status.QUEUED, due_at=LATER, **unknown)])
    again = call_for(entry.notification)
    fence = answer_to(store, again, now=LATER).fence
    store.record([accepted(again, fence=fence, ended_at=LATER, possible_duplicate=True)])
    apply(store, receipt(entry, DELIVERED))
    story = store.get(entry.notification.id)
    assert story is not None
    assert story.status is Status.DELIVERED
    assert story.summary.possible_duplicate
    assert "it was sent twice" in [each.reason for each in story.events]
    assert_balanced(store)


def test_a_receipt_for_one_that_waits_to_be_retried_changes_nothing(store: Store) -> None:
    """Its call was certainly not sent; the receipt stays in its timeline."""
    entry = begin(store)
    store.record([put_off(entry)])
    assert verdicts(apply(store, receipt(entry, DELIVERED))) == ["late"]
    assert status_of(store, entry) is Status.QUEUED
    assert rows_of(store)[0].notification_id == entry.notification.id


def test_a_bounce_without_ids_belongs_to_the_only_recent_call(store: Store) -> None:
    """Some asynchronous bounces of SendGrid have neither ids of ours nor of theirs."""
    entry = sent(store, to="lone@example.com")
    bare = receipt(None, BOUNCED, recipient="Lone@example.com")
    assert verdicts(apply(store, bare)) == ["new"]
    assert status_of(store, entry) is Status.BOUNCED


@pytest.mark.parametrize("other", ["second call", "too old", "other provider"])
def test_a_bounce_without_ids_is_not_guessed(store: Store, other: str) -> None:
    """It is recorded as unmatched if no call, or more than one, may be meant."""
    entry = sent(store, to="lone@example.com")
    if other == "second call":
        sent(store, to="lone@example.com")
    now = SOON + timedelta(hours=73) if other == "too old" else SOON
    provider = "twilio" if other == "other provider" else "sendgrid"
    bare = receipt(None, BOUNCED, recipient="lone@example.com", provider=provider)
    assert verdicts(apply(store, bare, now=now)) == ["unmatched"]
    assert status_of(store, entry) is Status.SENT


@pytest.mark.parametrize("by", ["attempt", "notification"])
@pytest.mark.parametrize("event", [DELIVERED, ReceiptEvent.COMPLAINED], ids=str)
def test_a_receipt_about_a_call_of_another_provider_matches_nothing(
    store: Store, event: ReceiptEvent, by: str
) -> None:
    """One vendor's key must not change, or suppress by, what another vendor sent."""
    entry = sent(store)
    ids = {"attempt_id": None, "notification_id": entry.notification.id} if by != "attempt" else {}
    forged = receipt(entry, event, provider="twilio", recipient="", **ids)
    assert verdicts(apply(store, forged)) == ["unmatched"]
    assert status_of(store, entry) is Status.SENT
    with store.reading() as connection:
        assert connection.execute(select(suppressions)).all() == []
    assert verdicts(apply(store, replace(forged, provider="sendgrid"))) == ["new"]
    assert status_of(store, entry) is STATUS_OF[event]


def test_the_vendors_id_finds_the_call_where_ours_is_missing(store: Store) -> None:
    """Among several calls to one recipient; while the call is open, the receipt waits for it."""
    sent(store, to="lone@example.com")
    entry = begin(store, to="lone@example.com")
    bare = receipt(None, DELIVERED, recipient="lone@example.com", provider_id="v-7")
    assert verdicts(apply(store, bare)) == ["waiting"]
    store.record([accepted(entry, provider_id="v-7")])
    assert apply_waiting(store, now=SOON) == []
    assert verdicts(apply_waiting(store, now=SOON + LONGEST_WAIT)) in (["new"], ["unmatched"])


def test_one_that_matches_nothing_still_suppresses(store: Store) -> None:
    """Retention deletes the row before the last complaint comes."""
    entry = sent(store)
    gone = receipt(entry, ReceiptEvent.COMPLAINED, attempt_id=uuid4(), recipient="gone@example.com")
    assert verdicts(apply(store, gone)) == ["unmatched"]
    with store.reading() as connection:
        (row,) = connection.execute(select(suppressions))
    assert (row.channel, row.reason) == ("email", "complaint")


def test_only_the_recipients_fault_suppresses(store: Store) -> None:
    """A fault of the sender is the same for every recipient."""
    for blame in Blame:
        entry = sent(store, to=f"{blame}@example.com")
        apply(store, receipt(entry, BOUNCED, blame=blame, code="5.1.1"))
    with store.reading() as connection:
        assert len(connection.execute(select(suppressions)).all()) == 1


def assert_balanced(store: Store) -> None:
    """The ledger finds no contradiction."""
    ledger = build_ledger(store, now=NOW + 2 * LEASE)
    assert ledger.balanced, ledger


def test_a_closed_account_opens_the_circuit_once(store: Store) -> None:
    """With an audit row; a repeat does not undo what an operator settled since."""
    closed = receipt(None, ReceiptEvent.ACCOUNT, word="account_status_change", reason="suspended")
    apply(store, closed)
    assert circuit_of(store).mode is Mode.OPEN
    (act,) = acts(store)
    assert (act.action, act.actor) == ("breaker.open", "notify worker receipts")
    set_breaker_mode(store, ["sendgrid"], Mode.AUTO, Actor("ann", "settled"), seconds=None)
    assert verdicts(apply(store, closed)) == ["repeat"]
    assert circuit_of(store).mode is Mode.AUTO


def test_an_account_of_a_provider_that_is_not_configured_changes_nothing(store: Store) -> None:
    """Its circuit would never be shown."""
    apply(store, receipt(None, ReceiptEvent.ACCOUNT, provider="gone"))
    assert acts(store) == []


def circuit_of(store: Store) -> Circuit:
    """The circuit of the provider."""
    with store.reading() as connection:
        return current(connection, ["sendgrid"])["sendgrid"]


def acts(store: Store) -> list[Any]:
    """The audit."""
    with store.reading() as connection:
        return list(connection.execute(select(audit).order_by(audit.c.id)))


def test_feedback_of_a_lost_call_settles_it(store: Store) -> None:
    """The producer knows that it arrived, so that it is not sent again."""
    entry = begin(store)
    unknown = {"outcome": Outcome.UNKNOWN, "provider_id": None, "http_status": None}
    store.record([accepted(entry, status=Status.UNKNOWN, due_at=LATER, **unknown)])
    confirmed = receipt(
        None, ReceiptEvent.CONFIRMED, notification_id=entry.notification.id, provider=PRODUCER
    )
    assert verdicts(apply(store, confirmed)) == ["new"]
    assert status_of(store, entry) is Status.CONFIRMED
    assert_balanced(store)


def test_a_failure_that_a_producer_reports_settles_nothing(store: Store) -> None:
    """It may have been sent all the same."""
    entry = begin(store)
    unknown = {"outcome": Outcome.UNKNOWN, "provider_id": None, "http_status": None}
    store.record([accepted(entry, status=Status.UNKNOWN, due_at=LATER, **unknown)])
    failed = receipt(
        None, ReceiptEvent.FAILED, notification_id=entry.notification.id, provider=PRODUCER
    )
    assert verdicts(apply(store, failed)) == ["new"]
    assert status_of(store, entry) is Status.UNKNOWN


def test_a_second_stop_after_a_start_counts(store: Store) -> None:
    """Replies have no time and no call: the reply's own id tells them from repeats."""
    words = (ReceiptEvent.OPTED_OUT, ReceiptEvent.OPTED_IN, ReceiptEvent.OPTED_OUT)
    for number, word in enumerate(words):
        fields = {"recipient": "+4915112345678", "at": None, "event_id": f"SM{number}"}
        now = SOON + timedelta(days=number)
        twice = [
            replace(receipt(None, word, provider="twilio", **fields), received_at=now)
            for _ in range(2)
        ]
        assert verdicts(apply(store, *twice, now=now)) == ["new", "repeat"]
    with store.reading() as connection:
        (row,) = connection.execute(select(suppressions))
    assert (row.reason, row.lifted_at) == ("opt_out", None)


def test_one_click_may_leave_several_groups(store: Store) -> None:
    """The vendor reports each with the same message, time and word."""
    fields = {"recipient": "ann@example.com", "provider_id": "m1"}
    left = [
        receipt(None, ReceiptEvent.OPTED_OUT, scope=scope, **fields)
        for scope in ("group-1", "group-2", "")
    ]
    assert verdicts(apply(store, *left)) == ["new", "new", "new"]
    assert verdicts(apply(store, *left)) == ["repeat", "repeat", "repeat"]
    with store.reading() as connection:
        scopes = [row.scope for row in connection.execute(select(suppressions))]
    assert sorted(scopes) == ["all", "sender:group-1", "sender:group-2"]


def test_a_batch_costs_the_same_statements_whatever_its_size(store: Store) -> None:
    """A round trip for each receipt would be too slow."""
    counts = []
    for size in (10, 200):
        entries = [sent(store, to=f"{size}-{n}@example.com") for n in range(size)]
        kinds = [DELIVERED, BOUNCED, ReceiptEvent.COMPLAINED]
        batch = [
            receipt(entry, kinds[number % 3], blame=Blame.RECIPIENT, code="5.1.1")
            for number, entry in enumerate(entries)
        ]
        with counted_statements() as statements:
            apply(store, *batch)
        counts.append(len(statements))
    assert counts[0] == counts[1]
    assert counts[0] < 25


@contextmanager
def counted_statements() -> Iterator[list[str]]:
    """Collect the statements that any engine executes."""
    statements: list[str] = []

    def note(_: Any, __: Any, statement: str, *___: Any) -> None:
        statements.append(statement)

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(Engine, "before_cursor_execute", note)


def test_feedback_by_a_clock_ahead_counts_once(store: Store) -> None:
    """Also if the broker delivers it again; the timeline has no later time than its arrival."""
    entry = sent(store)
    id_ = entry.notification.id
    feedback = Feedback("shop", id_, FeedbackOutcome.CONFIRMED, LATER, None)
    reader = FeedbackReader(Limits())
    found = []
    for now in (SOON, SOON + LEASE / 2):
        with store.reading() as connection:
            (received,) = reader.reported(connection, [feedback], now=now).receipts
        found += verdicts(apply(store, received, now=now))
    assert found == ["new", "repeat"]
    assert [row.at for row in rows_of(store)] == [SOON]
