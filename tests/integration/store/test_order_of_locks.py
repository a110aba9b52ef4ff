"""Two workers at the same rows, on PostgreSQL only: they do not deadlock, and nothing is lost."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from functools import partial
from typing import Any, TypeVar
from uuid import UUID, uuid4

import pytest
from sqlalchemy import Connection, Executable, Table, event, func, select, text

from notify.arrival import Arrival, Decision, Done, Raw
from notify.contract import Incoming, Limits, ReceiptMessage
from notify.keyring import CLEAR
from notify.message import Channel, SharedBody
from notify.receipt import ReceiptEvent
from notify.receipts.application import ReceiptApplication
from notify.receipts.application_metrics import ApplicationMetrics
from notify.receipts.applier import ReceiptApplier
from notify.receipts.optouts import OptOutReader
from notify.relays import OwnEvents
from notify.store import Store
from notify.store.db.engine import connect
from notify.store.plans import (
    delete_plans,
    insert_items,
    insert_plan,
    lock_plan,
    read_items,
    read_plan,
    update_plan,
)
from notify.store.receipts import lock_waiting
from notify.store.sealing import cipher_of
from notify.store.shared_bodies import write_shared
from notify.store.tables import notifications, shared_bodies, suppressions
from notify.suppression import Suppression, SuppressionReason, suppress
from notify.telemetry.metrics import Metrics
from notify.topology import RECEIPTS
from tests.support.recording import LATER, NOW, accepted, asked, begin
from tests.support.reporting import CHANNELS, SOON, receipt, sent
from tests.support.sealing import KEYRING
from tests.support.services import PostgreSQL

_WAITS = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
_LONGEST = 20.0
_T = TypeVar("_T")
SECOND = timedelta(seconds=1)


@pytest.fixture(scope="module")
def migrated_url(postgresql: PostgreSQL) -> Iterator[str]:
    """The address of a record that the tests of this module use in turn."""
    with postgresql.record() as url:
        yield url


@pytest.fixture
def store(migrated_url: str, emptied: Callable[[], None]) -> Iterator[Store]:
    """An empty record, as a worker opens it."""
    emptied()
    store = Store(connect(migrated_url, by_index=True))
    yield store
    store.close()


def _locked_before(store: Store, table: Table, ids: list[Any], work: Callable[[], object]) -> int:
    """Return how many of the rows *work* has locked while another transaction has the first."""
    first = select(table.c.id).where(table.c.id == min(ids)).with_for_update()
    others = select(table.c.id).where(table.c.id.in_(ids), table.c.id != min(ids))

    def count(other: Connection) -> int:
        return len(other.execute(others.with_for_update(skip_locked=True)).all())

    return len(ids) - 1 - _while_waiting(store, first, work, count)


def _while_waiting(
    store: Store, lock: Executable, work: Callable[[], object], look: Callable[[Connection], _T]
) -> _T:
    """Return the result of *look* while *work* waits for a row that another transaction has."""
    with ThreadPoolExecutor(1) as pool:
        with store.writing() as holder:
            holder.execute(lock)
            done = pool.submit(work)
            _until_one_waits(holder)
            with store.writing() as other:
                other.execute(text("SET LOCAL lock_timeout = '1s'"))
                found = look(other)
        done.result(_LONGEST)
    return found


def _until_one_waits(connection: Connection) -> None:
    until = time.monotonic() + _LONGEST
    waiting: int | None = 0
    while not waiting:
        assert time.monotonic() < until, "it waits for no lock"
        time.sleep(0.01)
        waiting = connection.scalar(_WAITS)


def test_ends_of_calls(store: Store) -> None:
    """A receipts worker locks notifications in the order of their ids."""
    entries = [begin(store) for _ in range(5)]
    entries.sort(key=lambda entry: entry.notification.id, reverse=True)
    ids = [entry.notification.id for entry in entries]
    ends = [accepted(entry) for entry in entries]
    assert _locked_before(store, notifications, ids, lambda: store.record(ends)) == 0
    assert store.record(ends) == set(ids)


def test_shared_parts(store: Store) -> None:
    """Two workers have members of two batches, in opposite order."""
    parts = [SharedBody(UUID(int=number), b"{}") for number in (3, 1, 2)]
    some = [asked(shared=part) for part in parts]
    engine = store._engine
    write_shared(engine, some, now=NOW)
    ids = [part.id for part in parts]

    def again() -> None:
        write_shared(engine, some, now=NOW + SECOND)

    assert _locked_before(store, shared_bodies, ids, again) == 0


def test_an_opt_out_in_a_batch_with_receipts(store: Store) -> None:
    """A worker that waits for a notification keeps no other from adding the same entry."""
    entry = sent(store)
    (receipts,) = ReceiptMessage.split(
        [receipt(entry, ReceiptEvent.DELIVERED).receipt], provider="sendgrid", received_at=SOON
    )
    opt_out = json.dumps({"channel": "email", "to": "ann@example.com"}).encode()
    settled: list[Decision] = []
    arrivals = [
        Arrival(
            Incoming(body, key, content_type="application/json"),
            settled.append,
            partial(Raw, exchange),
        )
        for body, key, exchange in (
            (opt_out, "optout.shop", "notify"),
            (receipts.model_dump_json().encode(), receipts.routing_key, RECEIPTS),
        )
    ]
    application = ReceiptApplication(
        store,
        ReceiptApplier(CHANNELS),
        readers={"optout": OptOutReader(Limits(require_user_id=False))},
        metrics=ApplicationMetrics(Metrics(), providers=CHANNELS),
        own_events=OwnEvents(),
        clock=lambda: SOON,
    )
    same = Suppression(
        channel=Channel.EMAIL,
        reason=SuppressionReason.OPT_OUT,
        since=SOON,
        recipient="ann@example.com",
        scope="source:shop",
    )
    notification = notifications.c.id == entry.notification.id
    added = _while_waiting(
        store,
        select(notifications.c.id).where(notification).with_for_update(),
        lambda: application.deliver(arrivals),
        lambda other: suppress(other, [same], now=SOON),
    )
    assert len(added) == 1
    assert settled == [Done(), Done()]


def test_an_entry_that_another_worker_adds_under_the_keyrings_hash(
    migrated_url: str, emptied: Callable[[], None]
) -> None:
    """Both entries stay; the message of neither worker becomes a dead letter."""
    emptied()
    ann: dict[str, Any] = {
        "channel": Channel.EMAIL,
        "reason": SuppressionReason.COMPLAINT,
        "since": NOW,
    }
    sealed, clear = (Store.open(migrated_url, keyring=ring) for ring in (KEYRING, CLEAR))
    named = Suppression(**ann, recipient="ann@example.com")
    with clear.writing() as connection:
        suppress(connection, [named], now=NOW)
    with sealed.reading() as connection:
        keyed = cipher_of(connection).hashes("ann@example.com")[0]

    def again() -> None:
        with sealed.writing() as connection:
            suppress(connection, [named], now=NOW)

    with ThreadPoolExecutor(1) as pool:
        with sealed.writing() as first:
            suppress(first, [Suppression(**ann, recipient_hash=keyed)], now=NOW)
            done = pool.submit(again)
            _until_one_waits(first)
        done.result(_LONGEST)
    with sealed.reading() as connection:
        assert connection.scalar(select(func.count()).select_from(suppressions)) == 2
    sealed.close()
    clear.close()


def test_a_plan_that_is_started_while_retention_deletes_it(store: Store) -> None:
    """It runs with all its items."""
    with store.writing() as connection:
        shown: dict[str, Any] = {
            "action": "cancel",
            "filter": {},
            "options": {},
            "rate": 1.0,
            "total": 1,
        }
        who: dict[str, Any] = {"actor": "ann", "reason": "INC-7", "cut": False}
        plan_id = insert_plan(connection, now=NOW, **shown, **who)
        insert_items(connection, plan_id, [uuid4()], after=0)

    def retention() -> None:
        with store.writing() as connection:
            delete_plans(connection, before=LATER, limit=10)

    with ThreadPoolExecutor(1) as pool:
        with store.writing() as connection:
            lock_plan(connection, plan_id)
            update_plan(connection, plan_id, now=LATER + SECOND, state="running", next_at=LATER)
            done = pool.submit(retention)
            wait([done], timeout=2)
        done.result(_LONGEST)
    with store.reading() as connection:
        assert read_plan(connection, plan_id) is not None
        assert len(read_items(connection, plan_id, limit=9)) == 1


_RECEIPTS = text("""
    INSERT INTO receipts (fingerprint, provider, provider_id, event, word, received_at, waits_until)
    SELECT decode(md5(n::text), 'hex'), 'sendgrid', '', 'delivered', '', now(), now()
    FROM generate_series(1, 5000) AS n
""")


def test_receipts_that_wait_are_found_by_their_index(store: Store) -> None:
    """Also if many waited when PostgreSQL gathered its statistics, and few do now."""
    sent_: list[tuple[str, Any]] = []
    with store.writing() as connection:
        connection.execute(_RECEIPTS)
        connection.execute(text("ANALYZE receipts"))
        connection.execute(text("UPDATE receipts SET waits_until = NULL WHERE id % 10 > 0"))
        event.listen(
            connection, "before_cursor_execute", lambda *args: sent_.append((args[2], args[3]))
        )
        assert len(lock_waiting(connection, now=NOW, limit=500)) == 0
        ((statement, values),) = sent_
        lines = connection.exec_driver_sql(f"EXPLAIN {statement}", values)
        plan = "".join(str(line[0]) for line in lines)
    assert "Index Scan using ix_receipts_waits_until" in plan
    assert "pk_receipts" not in plan
