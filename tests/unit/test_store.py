"""The store on SQLite: a model of claim and record, and what only SQLite needs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    rule,
    run_state_machine_as_test,
)

from notify.errors import ConfigError, StoreError
from notify.message import Notification, Outcome, Status
from notify.store import Claim, Entry, Filter, Record, Store
from tests.recording import LATER, LEASE, NOW, accepted, asked, begin, call_for, claim_one, rejected


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the record's file lies."""
    return tmp_path / "notify.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    """An empty record in a SQLite file."""
    store = Store.open(f"sqlite:///{path}")
    store.migrate()
    yield store
    store.close()


@dataclass(slots=True)
class _Known:
    """What the model remembers of one notification."""

    status: Status
    lease_until: datetime | None
    owners: int = 1
    ends: list[Status] = field(default_factory=list)


class _Workers(RuleBasedStateMachine):
    """Two workers that get the same messages, stall past their leases, and record late."""

    def __init__(self, store: Store) -> None:
        super().__init__()
        self.store = store
        self.now = NOW
        self.people = [asked() for _ in range(3)]
        self.model: dict[UUID, _Known] = {}
        self.calls: list[tuple[int, Entry]] = []

    @rule(worker=st.integers(0, 1), person=st.integers(0, 2))
    def receives(self, worker: int, person: int) -> None:
        """A worker is handed a message, perhaps not for the first time."""
        notification = self.people[person]
        entry = call_for(notification)
        answer = claim_one(self.store, entry, now=self.now)
        assert answer is self._expected(notification)
        if answer is Claim.OWNED:
            self.model[notification.id] = _Known(Status.SENDING, self.now + LEASE)
            self.calls.append((worker, entry))
        elif answer is Claim.UNKNOWN:
            self._end(notification.id, Status.UNKNOWN)

    @rule(person=st.integers(0, 2))
    def receives_another_request_under_its_key(self, person: int) -> None:
        """A producer uses a key again for something else."""
        key = self.people[person].idempotency_key
        if self.people[person].id in self.model:
            other = asked(idempotency_key=key, digest=b"x" * 32)
            assert claim_one(self.store, call_for(other), now=self.now) is Claim.CONFLICT

    @rule(worker=st.integers(0, 1), status=st.sampled_from([Status.SENT, Status.FAILED]))
    def records(self, worker: int, status: Status) -> None:
        """A worker records all its calls, those that it has recorded before included."""
        mine = [entry for owner, entry in self.calls if owner == worker]
        open_ = {
            entry.notification.id
            for entry in mine
            if self.model[entry.notification.id].status is Status.SENDING
        }
        late = self.store.record([self._record(entry, status) for entry in mine])
        assert late == {entry.notification.id for entry in mine} - open_
        for id_ in open_:
            self._end(id_, status)

    @rule(seconds=st.sampled_from([1, 30, 61]))
    def time_passes(self, seconds: int) -> None:
        """The clock goes on, perhaps past the leases."""
        self.now += timedelta(seconds=seconds)

    @invariant()
    def the_record_agrees(self) -> None:
        """One owner each, one end each, and no row changed by a worker that was fenced."""
        for notification in self.people:
            story, known = self.store.get(notification.id), self.model.get(notification.id)
            if story is None or known is None:
                assert (story, known) == (None, None)
                continue
            assert story.status is known.status
            assert story.summary.lease_until == known.lease_until
            assert [event.status for event in story.events] == known.ends
            assert len(known.ends) == known.status.final
            assert len(story.attempts) == known.owners == 1
            assert (story.attempts[0].outcome is not None) == known.status.final

    def _expected(self, notification: Notification) -> Claim:
        known = self.model.get(notification.id)
        if known is None:
            return Claim.OWNED
        if known.lease_until is None:
            return Claim.DUPLICATE
        return Claim.BUSY if self.now < known.lease_until else Claim.UNKNOWN

    def _record(self, entry: Entry, status: Status) -> Record:
        outcome = Outcome.ACCEPTED if status is Status.SENT else Outcome.NOT_SENT
        return accepted(entry, ended_at=self.now, outcome=outcome, status=status)

    def _end(self, id_: UUID, status: Status) -> None:
        known = self.model[id_]
        known.status, known.lease_until = status, None
        known.ends.append(status)


def test_any_course_of_events_leaves_one_owner_and_one_end(store: Store) -> None:
    """Whatever two workers do and however late, the record agrees with a small model of it."""

    class Workers(_Workers):
        def __init__(self) -> None:
            super().__init__(store)

    run_state_machine_as_test(
        Workers,
        settings=settings(
            max_examples=40,
            stateful_step_count=15,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


def test_commits_on_sqlite_survive_a_power_loss(store: Store, path: Path) -> None:
    """WAL with full synchronisation: what we acknowledged to the broker is on the disk."""
    with store._engine.connect() as connection:
        assert connection.exec_driver_sql("PRAGMA journal_mode").scalar_one() == "wal"
        assert connection.exec_driver_sql("PRAGMA synchronous").scalar_one() == 2
    assert path.with_name("notify.db-wal").exists()


def test_reading_does_not_wait_for_a_writer(store: Store, path: Path) -> None:
    """`notify ls` answers while a worker is in the middle of its transaction."""
    entry = begin(store)
    writer = sqlite3.connect(path, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    assert store.count(Filter()) == {Status.SENDING: 1}
    writer.rollback()
    writer.close()
    assert store.record([rejected(entry)]) == set()


def test_what_is_new_is_owned_though_the_rest_cannot_be_examined(store: Store, path: Path) -> None:
    """Rows that are written must be sent: told otherwise, they would end unknown, unsent."""
    again = call_for(begin(store).notification)
    connection = sqlite3.connect(path)
    connection.execute(
        "CREATE TRIGGER full BEFORE UPDATE ON attempts"
        " BEGIN SELECT RAISE(ABORT, 'the disk is full'); END"
    )
    connection.close()
    answers = store.claim([again, call_for(asked())], now=LATER, lease=LEASE)
    assert answers == [Claim.BUSY, Claim.OWNED]
    with pytest.raises(StoreError):
        claim_one(store, again, now=LATER)


def test_a_full_disk_is_a_store_error(path: Path) -> None:
    """The hot writes speak to the driver directly, yet its errors are told in our words."""
    store = Store.open(f"sqlite:///{path}", pool_size=1)
    store.migrate()
    with store._engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1")
    with pytest.raises(StoreError) as caught:
        begin(store, body=b"secret" * 99999)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__
    store.close()


@pytest.mark.parametrize(
    "url",
    [
        "secret",
        "mysql://ann:secret@127.0.0.1/notify",
        "postgresql://ann:secret@127.0.0.1/notify",
        "postgresql+psycopg://ann:secret@127.0.0.1:port/notify",
    ],
)
def test_a_url_that_names_no_database_for_the_record_is_refused(url: str) -> None:
    """Neither the text nor what caused it repeats the URL: it may hold a password."""
    with pytest.raises(ConfigError) as caught:
        Store.open(url)
    assert "secret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None
