"""A record that lost its last seconds: an older copy is put in its place while a worker runs."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import psycopg
import pytest
from sqlalchemy import Connection, delete, event, make_url
from structlog.testing import capture_logs

from notify.errors import StoreError
from notify.flow.holds import BEHIND, Holds
from notify.store import Claim, Entry, Store
from notify.store.flow import holds as held
from notify.store.position import KEPT, Position, RecordBehind
from notify.store.tables import attempts, notifications
from tests.support.migrated import migrated
from tests.support.recording import accepted, asked, begin, call_for, claim_one


class Copy:
    """The record as it was at one moment, to be put back."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url)
        name = self._url.database or ""
        if self._url.drivername == "sqlite":
            self._older = Path(f"{name}.older")
            with closing(sqlite3.connect(name)) as now, closing(sqlite3.connect(self._older)) as to:
                now.backup(to)
        else:
            self._execute(f"CREATE DATABASE older_{name} TEMPLATE {name}")

    def put_back(self) -> None:
        """Replace the record by it; existing connections are cut."""
        name = self._url.database or ""
        if self._url.drivername == "sqlite":
            for suffix in ("-wal", "-shm"):
                Path(name + suffix).unlink(missing_ok=True)
            self._older.replace(name)
        else:
            self._execute(f"DROP DATABASE {name} WITH (FORCE)")
            self._execute(f"ALTER DATABASE older_{name} RENAME TO {name}")

    def _execute(self, statement: str) -> None:
        address = self._url.set(drivername="postgresql", database="postgres")
        with psycopg.connect(address.render_as_string(), autocommit=True) as connection:
            connection.execute(statement.encode())


@pytest.fixture
def store(store_url: str) -> Iterator[Store]:
    """A record on which one call has ended."""
    migrated(store_url).close()
    store = Store.open(store_url)
    _send(store)
    yield store
    store.close()


def _send(store: Store) -> None:
    store.record([accepted(begin(store))])


def _copy(store: Store, url: str) -> Copy:
    # PostgreSQL only copies a database without connections.
    store.close()
    return Copy(url)


def _refresh(holds: Holds) -> None:
    """Read as a worker does twice a second: the first read may find its connections broken."""
    for _ in range(3):
        with suppress(StoreError):
            holds.refresh()


def _standing(store: Store) -> list[str]:
    with store.reading() as connection:
        return [hold.actor for hold in held.current(connection)[0]]


def test_everything_is_held_where_the_record_lost_its_end(store: Store, store_url: str) -> None:
    """258 sent notifications were on no record, and the workers went on."""
    holds = Holds(store)
    holds.refresh()
    copy = _copy(store, store_url)
    _send(store)
    copy.put_back()
    with capture_logs() as logs:
        _refresh(holds)
    alarms = [each for each in logs if each["event"] == "notify.record_behind"]
    assert [each["log_level"] for each in alarms] == ["error"]
    assert _standing(store) == [BEHIND]
    assert holds.match(asked()) is not None
    assert holds.record_behind


def test_nothing_is_claimed_before_anybody_has_looked(store: Store, store_url: str) -> None:
    """A worker that reconnects would send within the half second until its next look."""
    copy = _copy(store, store_url)
    _send(store)
    copy.put_back()
    if store_url.startswith("sqlite"):
        # Nothing breaks there: the file has to be looked at.
        store.position.follow_file()
    for _ in range(3):
        with pytest.raises(RecordBehind):
            claim_one(store, call_for(asked()))
    _refresh(Holds(store))
    assert claim_one(store, call_for(asked())) is Claim.OWNED


def test_an_outcome_that_was_lost_is_noticed(store: Store, store_url: str) -> None:
    """Its row would stay `sending`, for its message is acknowledged."""
    entry = begin(store)
    copy = _copy(store, store_url)
    store.record([accepted(entry)])
    copy.put_back()
    _refresh(Holds(store))
    assert _standing(store) == [BEHIND]


def test_a_claim_that_was_lost_is_not_made_again(store: Store, store_url: str) -> None:
    """Its call is made: claimed again as new, the message was sent twice and not marked so."""
    copy = _copy(store, store_url)
    entry = begin(store)
    copy.put_back()
    store.position.follow_file()
    with suppress(StoreError):
        # The connection is broken.
        store.record([accepted(entry)])
    with pytest.raises(RecordBehind):
        store.record([accepted(entry)])
    with pytest.raises(RecordBehind):
        claim_one(store, call_for(entry.notification))
    _refresh(Holds(store))
    assert _standing(store) == [BEHIND]


def test_two_workers_that_notice_place_one_hold(store: Store, store_url: str) -> None:
    """An operator releases it once."""
    with closing(Store.open(store_url)) as other:
        other.record([accepted(begin(other))])
        other.close()
        copy = _copy(store, store_url)
        _send(store)
        _send(other)
        copy.put_back()
        _refresh(Holds(store))
        _refresh(Holds(other))
        assert _standing(other) == [BEHIND]


def test_work_goes_on_when_an_operator_released_it(store: Store, store_url: str) -> None:
    """No worker has to be restarted for it."""
    holds = Holds(store)
    copy = _copy(store, store_url)
    _send(store)
    copy.put_back()
    _refresh(holds)
    with store.writing() as connection:
        held.lift(connection, [hold.id for hold in held.current(connection)[0]])
    _refresh(holds)
    assert holds.match(asked()) is None
    _send(store)
    _refresh(holds)
    assert _standing(store) == []


def test_a_record_that_only_was_away_is_whole(store: Store, store_url: str) -> None:
    """Connections break every day."""
    copy = _copy(store, store_url)
    copy.put_back()
    with capture_logs() as logs:
        _refresh(Holds(store))
        _send(store)
        store.close()
        _refresh(Holds(store))
    assert [each for each in logs if each["event"] == "notify.record_behind"] == []
    assert _standing(store) == []


def test_what_retention_may_have_deleted_is_not_missed(store: Store) -> None:
    """A worker that is idle for weeks must not take what left the record for a loss."""
    now = [0.0]
    position = Position(store._engine, monotonic=lambda: now[0])
    gone = call_for(asked())
    position.claimed_of([gone], {gone.notification.identity})
    now[0] = KEPT + 1
    with store.reading() as connection:
        assert not position.check(connection)
    now[0] = KEPT - 1
    with store.reading() as connection:
        assert position.check(connection)


def test_an_outcome_recorded_while_the_record_is_asked_is_no_loss(migrated_url: str) -> None:
    """Another thread may record the newest claim between the question and the judgement."""
    with closing(Store.open(migrated_url)) as store:
        earlier = begin(store)
        store.record([accepted(earlier)])
        entry = begin(store)
        with store.reading() as connection:
            ask = connection.execute

            def then_recorded(*arguments: Any) -> Any:
                rows = ask(*arguments).all()
                store.record([accepted(entry)])
                return rows

            patched = SimpleNamespace(execute=then_recorded)
            assert not store.position.check(cast(Connection, patched))


def _lose(store: Store, *entries: Entry) -> None:
    """Delete from the record what was committed, by a connection that outlives it."""
    ids = [entry.notification.id for entry in entries]
    with store.writing() as connection:
        connection.execute(delete(attempts).where(attempts.c.notification_id.in_(ids)))
        connection.execute(delete(notifications).where(notifications.c.id.in_(ids)))


def test_a_claim_is_forgotten_in_time_though_outcomes_follow(store: Store) -> None:
    """Retention deleted the last fresh claim of a busy worker, and the whole fleet was held."""
    now = [0.0]
    position = Position(store._engine, monotonic=lambda: now[0])
    first = begin(store)
    position.claimed_of([first], {first.notification.identity})
    for _ in range(3):
        now[0] += KEPT / 2
        taken = begin(store)
        store.record([accepted(taken)])
        position.recorded_of([accepted(taken)], {taken.notification.id})
    _lose(store, first)
    with store.reading() as connection:
        assert not position.check(connection)


@pytest.mark.parametrize("recorded", [False, True])
def test_what_follows_a_loss_does_not_hide_it(store: Store, recorded: bool) -> None:
    """Behind a pooler connections survive the switch, and the next batch is claimed at once."""
    holds = Holds(store)
    holds.refresh()
    gone = begin(store)
    if recorded:
        store.record([accepted(gone)])
    _lose(store, gone)
    for _ in range(3):
        _send(store)
    holds.refresh()
    assert _standing(store) == [BEHIND]


def test_each_look_asks_for_what_was_committed_since_the_last(store: Store) -> None:
    """All that was ever committed would grow without an end."""
    asked_for: list[int] = []

    def executed(*arguments: Any) -> None:
        if "FROM attempts" in arguments[2]:
            asked_for.append(len(arguments[3]))

    for _ in range(5):
        _send(store)
    event.listen(store._engine, "before_cursor_execute", executed)
    for _ in range(2):
        with store.reading() as connection:
            assert not store.position.check(connection)
    # The fixture's call is one of them; a claim and its outcome are the same call.
    assert asked_for == [6, 1]


@contextmanager
def _holds_refused(store: Store) -> Iterator[None]:
    """Make the hold's own transaction fail, as on a standby."""

    def refuse(*arguments: Any) -> None:
        if "INSERT INTO holds" in arguments[2]:
            raise StoreError("read only")

    event.listen(store._engine, "before_cursor_execute", refuse)
    try:
        yield
    finally:
        event.remove(store._engine, "before_cursor_execute", refuse)


def test_a_record_that_was_found_behind_is_asked_again_before_all_is_held(store: Store) -> None:
    """A lagging standby was met while the primary restarted; the primary had lost nothing."""
    holds = Holds(store)
    holds.refresh()
    _send(store)
    with store.reading() as connection:
        connection.execute(delete(attempts))
        assert store.position.check(connection)
        connection.rollback()
    with pytest.raises(RecordBehind):
        claim_one(store, call_for(asked()))
    with capture_logs() as logs:
        holds.refresh()
    assert [each for each in logs if each["event"] == "notify.record_behind"] == []
    assert _standing(store) == []
    _send(store)


def test_a_loss_is_noticed_though_its_hold_could_not_be_placed(store: Store) -> None:
    """The alarm stands until everything is held."""
    holds = Holds(store)
    gone = begin(store)
    _lose(store, gone)
    with _holds_refused(store), pytest.raises(StoreError):
        holds.refresh()
    with pytest.raises(RecordBehind):
        _send(store)
    holds.refresh()
    assert _standing(store) == [BEHIND]


def test_a_loss_found_by_another_thread_is_not_accepted_unseen(store: Store) -> None:
    """A new connection noticed it while the holds were read, and no hold was ever placed."""
    holds = Holds(store)
    gone = begin(store)

    lost: list[Entry] = []

    def lose_once(*arguments: Any) -> None:
        if "FROM holds" in arguments[2] and not lost:
            lost.append(gone)
            _lose(store, gone)
            with store.reading() as other:
                assert store.position.check(other)

    holds.refresh()
    event.listen(store._engine, "before_cursor_execute", lose_once)
    holds.refresh()
    event.remove(store._engine, "before_cursor_execute", lose_once)
    assert _standing(store) == []
    holds.refresh()
    assert _standing(store) == [BEHIND]


def test_what_was_recorded_is_reported_though_a_neighbours_claim_is_lost(store: Store) -> None:
    """255 outcomes were written, and then taken for those of workers that came too late."""
    kept, gone = begin(store), begin(store)
    _lose(store, gone)
    assert store.record([accepted(kept), accepted(gone)]) == {gone.notification.id}
    with pytest.raises(RecordBehind):
        store.record([accepted(gone)])
