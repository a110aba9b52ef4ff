"""Claim, record, relay and cancel against a small model of them, on SQLite."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from notify.message import Notification, Outcome, Status
from notify.store import Claim, Claimed, Entry, Record, Store
from notify.store.delivery.cancel import cancel_waiting
from notify.store.relays.due import lease_due, mark_due_published
from notify.store.set_back import MARGIN
from notify.store.tables import metadata
from tests.support.examples import examples
from tests.support.recording import LEASE, NOW, asked, call_for

HOLD = timedelta(seconds=45)
PAUSE = timedelta(seconds=40)
WAITING = (Status.SCHEDULED, Status.QUEUED)
OUTCOMES = {Status.SENT: Outcome.ACCEPTED, Status.UNKNOWN: Outcome.UNKNOWN}


@dataclass(slots=True)
class _Known:
    """The model's state of one notification."""

    status: Status
    fence: int = 1
    lease_until: datetime | None = None
    due_at: datetime | None = None
    held_until: datetime | None = None
    calls: list[UUID] = field(default_factory=list)
    events: list[Status] = field(default_factory=list)

    def end(self, status: Status, due_at: datetime | None = None) -> None:
        """Leave the workers' hands."""
        self.status, self.lease_until, self.due_at = status, None, due_at
        self.events.append(status)


@dataclass(frozen=True, slots=True)
class _Call:
    """One claim that a worker believes to own."""

    entry: Entry
    fence: int


class _Fleet(RuleBasedStateMachine):
    """Two workers and their relays that stall, repeat themselves, die and come late."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        with store.writing() as connection:
            for table in metadata.sorted_tables:
                connection.execute(table.delete())
        store.position.accept()
        self.store = store
        self.now = NOW
        self.people = [asked(send_at=NOW + PAUSE), asked(), asked()]
        self.model: dict[UUID, _Known] = {}
        self.calls: list[_Call] = []

    @rule(person=st.integers(0, 2), behind=st.sampled_from([0, 0, 20]))
    def receives(self, person: int, behind: int) -> None:
        """A worker receives a message, perhaps again, perhaps with the clock set back."""
        self._claim(self.people[person], self.now - timedelta(seconds=behind))

    @rule(data=st.data())
    def repeats_its_claim(self, data: st.DataObject) -> None:
        """The commit was made and its answer lost: the worker asks with the same call again."""
        if not self.calls:
            return
        call = data.draw(st.sampled_from(self.calls))
        known = self.model[call.entry.notification.id]
        if known.status is Status.SENDING and known.calls[-1] == call.entry.attempt_id:
            (answer,) = self.store.claim([call.entry], now=self.now, lease=LEASE)
            assert (answer.claim, answer.fence) == (Claim.OWNED, known.fence)

    @rule(
        data=st.data(),
        status=st.sampled_from([Status.SENT, Status.FAILED, Status.QUEUED, Status.UNKNOWN]),
    )
    def records(self, data: st.DataObject, status: Status) -> None:
        """A worker records a call, perhaps late, perhaps again."""
        if self.calls:
            call = data.draw(st.sampled_from(self.calls))
            assert call.entry.attempt_id is not None
            self._record(call.entry.notification, call.entry.attempt_id, call.fence, status)

    @rule(person=st.integers(0, 2))
    def receives_another_request_under_its_key(self, person: int) -> None:
        """A producer uses a key again for something else."""
        key = self.people[person].idempotency_key
        if self.people[person].id in self.model:
            other = asked(idempotency_key=key, digest=b"x" * 32)
            (answer,) = self.store.claim([call_for(other)], now=self.now, lease=LEASE)
            assert answer.claim is Claim.CONFLICT

    @rule(dies=st.booleans())
    def a_relay_turns(self, dies: bool) -> None:
        """It takes what is due and publishes it; perhaps it dies before it can say so."""
        expected = {id_ for id_, known in self.model.items() if self._relayable(known)}
        with self.store.writing() as connection:
            due = lease_due(connection, WAITING, now=self.now, lease=HOLD, limit=10)
        assert {row.id for row in due} == expected
        for id_ in expected:
            self.model[id_].held_until = self.now + HOLD
        if due and not dies:
            with self.store.writing() as connection:
                mark_due_published(connection, due, now=self.now)
            for id_ in expected:
                known = self.model[id_]
                known.status, known.due_at, known.held_until = Status.QUEUED, None, None

    @rule(person=st.integers(0, 2))
    def somebody_cancels(self, person: int) -> None:
        """Only a notification without a claim can be cancelled."""
        id_ = self.people[person].id
        known = self.model.get(id_)
        with self.store.writing() as connection:
            cancelled = cancel_waiting(connection, id_, now=self.now)
        if known is not None and known.status in WAITING:
            assert list(cancelled.ids) == [id_]
            known.end(Status.CANCELLED)
            known.held_until = None
        else:
            assert list(cancelled.ids) == []

    @rule(seconds=st.sampled_from([1, 30, 61]))
    def time_passes(self, seconds: int) -> None:
        """The clock goes on, perhaps past the leases."""
        self.now += timedelta(seconds=seconds)

    @invariant()
    def the_record_agrees(self) -> None:
        """One owner at a time, one end, and no row changed by a worker that was fenced."""
        for notification in self.people:
            story, known = self.store.get(notification.id), self.model.get(notification.id)
            if story is None or known is None:
                assert (story, known) == (None, None)
                continue
            assert story.status is known.status
            assert story.summary.lease_until == known.lease_until
            assert [event.status for event in story.events] == known.events
            assert [attempt.id for attempt in story.attempts] == known.calls
            open_ = [attempt for attempt in story.attempts if attempt.outcome is None]
            assert len(open_) == (known.status is Status.SENDING)

    def _claim(self, notification: Notification, now: datetime) -> None:
        entry = call_for(notification)
        if notification.send_at is not None and notification.send_at > now:
            entry = Entry(notification, Status.SCHEDULED, due_at=notification.send_at)
        known = self.model.get(notification.id)
        expected = _expected(known, entry, now)
        (answer,) = self.store.claim([entry], now=now, lease=LEASE)
        assert answer.claim is expected
        if known and known.lease_until and known.lease_until > now + LEASE + MARGIN:
            # No claim holds that long: the database's clock was set back.
            known.lease_until = now + LEASE
        if expected is Claim.OWNED:
            self._own(entry, answer, now)
        elif expected is Claim.LAPSED:
            assert known is not None
            assert (answer.attempt_id, answer.fence) == (known.calls[-1], known.fence)
            assert answer.attempt_id is not None
            self._record(notification, answer.attempt_id, answer.fence, Status.UNKNOWN)

    def _own(self, entry: Entry, answer: Claimed, now: datetime) -> None:
        id_ = entry.notification.id
        known = self.model.get(id_)
        if known is None:
            known = self.model[id_] = _Known(entry.status)
        else:
            known.fence += 1
        assert answer.fence == known.fence
        known.status, known.due_at, known.held_until = entry.status, entry.due_at, None
        if entry.attempt_id is None:
            known.events.append(entry.status)
            return
        known.lease_until = now + LEASE
        known.calls.append(entry.attempt_id)
        self.calls.append(_Call(entry, answer.fence))

    def _record(self, asked_: Notification, attempt_id: UUID, fence: int, status: Status) -> None:
        known = self.model[asked_.id]
        record = Record(
            notification_id=asked_.id,
            attempt_id=attempt_id,
            ended_at=self.now,
            outcome=OUTCOMES.get(status, Outcome.NOT_SENT),
            status=status,
            fence=fence,
            due_at=self.now + PAUSE if status is Status.QUEUED else None,
        )
        owned = known.status is Status.SENDING and known.fence == fence
        assert self.store.record([record]) == (set() if owned else {asked_.id})
        if owned:
            known.end(status, record.due_at)

    def _relayable(self, known: _Known) -> bool:
        due = known.due_at is not None and known.due_at <= self.now
        free = known.held_until is None or known.held_until <= self.now
        return known.status in WAITING and due and free


def _expected(known: _Known | None, entry: Entry, now: datetime) -> Claim:
    if known is None:
        return Claim.OWNED
    if known.status in WAITING:
        published_ = known.due_at is None or known.held_until is not None
        if entry.status is Status.SCHEDULED:
            return Claim.BUSY if published_ else Claim.DUPLICATE
        due = known.due_at is None or known.due_at <= now
        return Claim.OWNED if published_ or due else Claim.DUPLICATE
    if known.status is Status.FAILED:
        return Claim.DEAD
    if known.status is not Status.SENDING or known.lease_until is None:
        return Claim.DUPLICATE
    return Claim.BUSY if now < known.lease_until else Claim.LAPSED


def test_any_course_of_events_leaves_one_owner_and_one_end(store: Store) -> None:
    """Whatever two workers do and however late, the record agrees with a small model of it."""

    class Fleet(_Fleet):
        def __init__(self) -> None:
            super().__init__(store)

    run_state_machine_as_test(
        Fleet,
        settings=settings(
            max_examples=examples(40),
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
