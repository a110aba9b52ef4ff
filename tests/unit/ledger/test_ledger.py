"""The ledger on SQLite: each contradiction is named with its id, and a sound record balances."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    precondition,
    rule,
    run_state_machine_as_test,
)

from notify.ledger.ledger import Contradiction, Ledger, build_ledger
from notify.message import Notification, Outcome, Status
from notify.store import Claim, Entry, Record, Store
from notify.store.delivery.cancel import cancel_waiting
from notify.store.ledger.contradictions import Doubt, Fault
from notify.store.reconcile.outcomes import change_status, settle_call
from notify.store.relays.due import lease_due, mark_due_published
from notify.store.status_rules import Transition
from notify.store.tables import metadata
from tests.support.examples import examples
from tests.support.migrated import migrated
from tests.support.planting import (
    AFTERWARDS,
    DOUBTS,
    FAULTS,
    bury,
    failed,
    queued,
    scheduled,
    sending,
    sent,
    unknown,
)
from tests.support.recording import LEASE, NOW, asked, call_for
from tests.support.totals import counted_totals, kept_totals

SOUND = (sent, sending, queued, failed, unknown, scheduled)


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    """A record in a SQLite file that the tests of this module use in turn."""
    store = migrated(f"sqlite:///{tmp_path_factory.mktemp('record') / 'notify.db'}")
    yield store
    store.close()


@pytest.fixture
def store(shared: Store) -> Store:
    """An empty record."""
    _empty(shared)
    return shared


def _empty(store: Store) -> None:
    with store.writing() as connection:
        for table in metadata.sorted_tables:
            connection.execute(table.delete())
    store.position.accept()


def _drawn(store: Store, *, ids: int = 10) -> Ledger:
    return build_ledger(store, now=AFTERWARDS, ids=ids)


def test_an_empty_record_balances(store: Store) -> None:
    """Nothing was accepted and nothing is anywhere."""
    ledger = _drawn(store)
    assert (ledger.accepted, ledger.terms, ledger.balanced) == (0, {}, True)


def test_what_was_accepted_is_the_sum_of_its_terms(store: Store) -> None:
    """One notification in each state, each counted once, none in doubt."""
    for make in SOUND:
        make(store)
    ledger = _drawn(store)
    assert (ledger.accepted, ledger.difference, ledger.balanced) == (6, 0, True)
    assert ledger.terms == {"sent": 1, "rejected": 1, "unknown": 1, "in flight": 3}
    assert ledger.doubts == {}
    (line,) = ledger.lines
    assert (line.channel, line.lane) == ("email", "critical")
    assert line.in_flight == {Status.SCHEDULED: 1, Status.QUEUED: 1, Status.SENDING: 1}


def test_the_oldest_in_flight_is_told_without_what_is_scheduled(store: Store) -> None:
    """A deliberate wait is not a sign of a hanging worker."""
    scheduled(store)
    assert [line.oldest for line in _drawn(store).lines] == [None]
    sending(store)
    assert [line.oldest for line in _drawn(store).lines] == [AFTERWARDS]
    queued(store)
    assert [line.oldest for line in _drawn(store).lines] == [NOW]


@pytest.mark.parametrize("name", FAULTS)
def test_each_contradiction_is_named_with_its_id(store: Store, name: str) -> None:
    """It is planted among sound neighbours, of which none is accused."""
    for make in SOUND:
        make(store)
    kind, plant = FAULTS[name]
    planted = plant(store)
    ledger = _drawn(store)
    assert ledger.faults[kind] == Contradiction(1, [planted])
    assert _accused(ledger.faults) == {planted}
    assert not ledger.balanced


@pytest.mark.parametrize("name", DOUBTS)
def test_each_doubt_is_named_and_leaves_the_ledger_balanced(store: Store, name: str) -> None:
    """It may be right as it is; a person should look at it."""
    for make in SOUND:
        make(store)
    kind, plant = DOUBTS[name]
    planted = plant(store)
    ledger = _drawn(store)
    assert ledger.doubts == {kind: Contradiction(1, [planted])}
    assert ledger.balanced


def test_every_kind_is_planted_here() -> None:
    """A new kind of contradiction comes with its test."""
    assert {kind for kind, _ in FAULTS.values()} == set(Fault)
    assert {kind for kind, _ in DOUBTS.values()} == set(Doubt)


def test_a_status_of_nobodys_is_missing_from_the_sum(store: Store) -> None:
    """It is in none of the terms, so accepted and their sum differ."""
    sent(store)
    FAULTS["a status of nobody's"][1](store)
    ledger = _drawn(store)
    assert (ledger.accepted, ledger.difference, ledger.balanced) == (2, 1, False)


def test_no_more_ids_are_listed_than_wanted_and_all_are_counted(store: Store) -> None:
    """A disaster of a million rows is told in a few lines."""
    _, plant = FAULTS["queued, though accepted"]
    planted = {plant(store) for _ in range(5)}
    found = _drawn(store, ids=2).faults[Fault.ACCEPTED_NOT_SENT]
    assert (found.count, len(found.ids)) == (5, 2)
    assert set(found.ids) < planted
    assert _drawn(store, ids=0).faults[Fault.ACCEPTED_NOT_SENT] == Contradiction(5, [])


@pytest.mark.parametrize("cause", ["unroutable", "conflict", "contract", "delivery_limit"])
def test_a_dead_letter_without_a_notification_is_a_term_of_its_own(
    store: Store, cause: str
) -> None:
    """It was accepted by the broker and came to nothing else; twice the same counts once."""
    id_ = bury(store, cause=cause)
    bury(store, cause=cause, notification_id=id_)
    bury(store, cause=cause, notification_id=None, channel=None, lane=None)
    ledger = _drawn(store)
    assert (ledger.accepted, ledger.terms, ledger.balanced) == (2, {"dead": 2}, True)
    assert [line.channel for line in ledger.lines] == ["email", None]


def test_a_dead_letter_counts_by_its_notification_if_it_has_one(store: Store) -> None:
    """Failed ones are on record and in the archive; so is a recipient of a batch."""
    batch, one = uuid4(), failed(store)
    store.claim([call_for(asked(batch_id=batch))], now=AFTERWARDS, lease=LEASE)
    bury(store, cause="failed", notification_id=one)
    bury(store, cause="failed", notification_id=batch)
    assert _drawn(store).terms == {"rejected": 1, "in flight": 1}


def test_a_replayed_dead_letter_counts_by_its_row_and_a_discarded_one_stays(store: Store) -> None:
    """Discarding takes nothing out of the books."""
    bury(store, state="replayed")
    bury(store, state="discarded")
    assert _drawn(store).terms == {"dead": 1}


def test_a_conflict_counts_though_its_id_is_that_of_a_notification(store: Store) -> None:
    """It was another request under the same id."""
    bury(store, cause="conflict", notification_id=sent(store))
    assert _drawn(store).terms == {"sent": 1, "dead": 1}


def _accused(found: Mapping[Fault, Contradiction]) -> set[UUID]:
    return {id_ for each in found.values() for id_ in each.ids}


class _Course(RuleBasedStateMachine):
    """Whatever workers, relays, look-ups and operators do through the store, in any order."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        _empty(store)
        self.store = store
        self.now = NOW
        self.known: list[Notification] = []
        self.calls: list[tuple[Entry, int]] = []
        self.lost: list[UUID] = []

    @rule(scheduled=st.booleans())
    def a_message_comes(self, scheduled: bool) -> None:
        """A worker claims it, or keeps it until its time."""
        self.known.append(asked(send_at=self.now + LEASE if scheduled else None))
        self._claim(self.known[-1])

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def a_message_comes_again(self, data: st.DataObject) -> None:
        """From the relay, or from a broker that had it back."""
        self._claim(data.draw(st.sampled_from(self.known[-2:])))

    @rule(status=st.sampled_from([Status.EXPIRED, Status.REJECTED]))
    def a_message_ends_without_a_call(self, status: Status) -> None:
        """It came too late, or its template is broken."""
        self.known.append(asked())
        entry = Entry(self.known[-1], status, reason="no call")
        self.store.claim([entry], now=self.now, lease=LEASE)

    @precondition(lambda self: self.calls)
    @rule(
        data=st.data(),
        status=st.sampled_from([Status.SENT, Status.FAILED, Status.REJECTED, Status.QUEUED]),
    )
    def a_call_is_recorded(self, data: st.DataObject, status: Status) -> None:
        """Perhaps late, perhaps again."""
        entry, fence = data.draw(st.sampled_from(self.calls[-2:]))
        outcome = Outcome.ACCEPTED if status is Status.SENT else Outcome.NOT_SENT
        self._record(entry, entry.attempt_id, fence, outcome, status)

    @precondition(lambda self: self.calls)
    @rule(data=st.data(), resend=st.booleans())
    def an_answer_is_lost(self, data: st.DataObject, resend: bool) -> None:
        """By the lane's policy it waits, or is sent again."""
        entry, fence = data.draw(st.sampled_from(self.calls[-2:]))
        status = Status.QUEUED if resend else Status.UNKNOWN
        self._record(entry, entry.attempt_id, fence, Outcome.UNKNOWN, status)

    @precondition(lambda self: self.lost)
    @rule(data=st.data(), outcome=st.sampled_from([Outcome.ACCEPTED, Outcome.NOT_SENT]))
    def a_lost_call_is_resolved(self, data: st.DataObject, outcome: Outcome) -> None:
        """A look-up, a webhook or an operator reports its end, whatever happened in between."""
        attempt_id = data.draw(st.sampled_from(self.lost))
        with self.store.writing() as connection:
            settle_call(connection, attempt_id, outcome, reason="it was found", now=self.now)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def an_unknown_one_is_sent_again(self, data: st.DataObject) -> None:
        """The outcome could not be determined."""
        standing = Transition(Status.QUEUED, "sent again", due_at=self.now)
        asked_for = data.draw(st.sampled_from(self.known[-2:]))
        with self.store.writing() as connection:
            change_status(connection, asked_for.id, standing, now=self.now)

    @precondition(lambda self: self.known)
    @rule(data=st.data())
    def an_operator_cancels(self, data: st.DataObject) -> None:
        """In time or not."""
        asked_for = data.draw(st.sampled_from(self.known[-2:]))
        with self.store.writing() as connection:
            cancel_waiting(connection, asked_for.id, now=self.now)

    @rule(dies=st.booleans())
    def a_relay_turns(self, dies: bool) -> None:
        """It publishes what is due, and may die before it has noted that."""
        waiting = [Status.SCHEDULED, Status.QUEUED]
        with self.store.writing() as connection:
            due = lease_due(connection, waiting, now=self.now, lease=LEASE, limit=10)
        if not dies:
            with self.store.writing() as connection:
                mark_due_published(connection, due, now=self.now)

    @rule()
    def time_passes(self) -> None:
        """Leases end, and deferred notifications become due."""
        self.now += LEASE

    @rule()
    def the_ledger_is_drawn_up(self) -> None:
        """Each accepted request is somewhere, once, and nothing contradicts itself."""
        ledger = build_ledger(self.store, now=self.now)
        assert ledger.faults == {}
        assert kept_totals(self.store) == counted_totals(self.store)
        assert (ledger.accepted, ledger.difference) == (len(self.known), 0)

    def teardown(self) -> None:
        """Draw it up at the end of every course."""
        self.the_ledger_is_drawn_up()

    def _claim(self, notification: Notification) -> None:
        entry = call_for(notification)
        if notification.send_at is not None and notification.send_at > self.now:
            entry = Entry(notification, Status.SCHEDULED, due_at=notification.send_at)
        (answer,) = self.store.claim([entry], now=self.now, lease=LEASE)
        if answer.claim is Claim.OWNED and entry.attempt_id is not None:
            self.calls.append((entry, answer.fence))
        elif answer.claim is Claim.LAPSED:
            lost = Outcome.UNKNOWN, Status.UNKNOWN
            self._record(entry, answer.attempt_id, answer.fence, *lost)

    def _record(
        self,
        entry: Entry,
        attempt_id: UUID | None,
        fence: int,
        outcome: Outcome,
        status: Status,
    ) -> None:
        assert attempt_id is not None
        again = status is Status.QUEUED
        record = Record(
            entry.notification.id,
            attempt_id,
            self.now,
            outcome,
            status,
            fence=fence,
            due_at=self.now if again else None,
            possible_duplicate=again and outcome is Outcome.UNKNOWN,
        )
        late = self.store.record([record])
        if outcome is Outcome.UNKNOWN and not late:
            self.lost.append(attempt_id)


def test_the_ledger_balances_after_any_course_of_events(store: Store) -> None:
    """Whatever the store's own functions do, in any order, nothing is lost or contradicted."""

    class Course(_Course):
        def __init__(self) -> None:
            super().__init__(store)

    run_state_machine_as_test(
        Course,
        settings=settings(
            max_examples=examples(40),
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
