"""Idempotency keys of the API: what a repeat is answered, before and after the claim."""

from __future__ import annotations

import threading
from datetime import timedelta
from uuid import UUID, uuid4

from notify.message import time_id
from notify.privacy import Keep, delete_old
from notify.store import Store
from notify.store.apikeys import (
    KeyedRequest,
    KnownRequest,
    confirm_requests,
    forget_requests,
    reserve,
)
from notify.store.privacy.erasure import Person, erase_notifications, find_notifications
from tests.support.recording import NOW, accepted, asked, begin

DIGEST = b"d" * 32
OTHER = b"e" * 32


def _reserve(
    store: Store, key: str = "order-1", digest: bytes = DIGEST, *, source: str = "shop"
) -> tuple[UUID, KnownRequest]:
    """Record a key for a new request; return its own id, and what is known."""
    id_ = time_id()
    with store.writing() as connection:
        found = reserve(connection, source, [KeyedRequest(key, id_, digest)], now=NOW)
    return id_, found[key]


def _confirm(store: Store, *keys: str) -> set[str]:
    with store.writing() as connection:
        return confirm_requests(connection, "shop", keys, now=NOW)


def test_the_first_request_gets_its_key_and_a_repeat_its_id(store: Store) -> None:
    """Confirmed only once RabbitMQ has it."""
    id_, first = _reserve(store)
    assert first == KnownRequest(id_, same=True, confirmed=False)
    assert _reserve(store)[1] == KnownRequest(id_, same=True, confirmed=False)
    assert _confirm(store, "order-1") == {"order-1"}
    assert _confirm(store, "order-1") == set(), "the second of two at once is the repeat"
    assert _reserve(store)[1] == KnownRequest(id_, same=True, confirmed=True)


def test_another_request_with_the_key_is_a_conflict(store: Store) -> None:
    """Also while the first is unconfirmed: it may have arrived."""
    _reserve(store)
    assert not _reserve(store, digest=OTHER)[1].same
    _confirm(store, "order-1")
    assert not _reserve(store, digest=OTHER)[1].same


def test_a_key_of_another_source_is_another_key(store: Store) -> None:
    """And says nothing of what the other source does."""
    _reserve(store)
    id_, known = _reserve(store, digest=OTHER, source="crm")
    assert known == KnownRequest(id_, same=True, confirmed=False)


def test_a_key_on_record_belongs_to_its_notification(store: Store) -> None:
    """One that came by AMQP, or whose row was deleted since."""
    entry = begin(store, idempotency_key="order-1", digest=DIGEST)
    known = KnownRequest(entry.notification.id, same=True, confirmed=True)
    assert _reserve(store)[1] == known
    assert _reserve(store)[1] == known, "a second time from the row that this has left"
    batch = uuid4()
    begin(store, idempotency_key="order-2", digest=OTHER, batch_id=batch)
    assert _reserve(store, "order-2", digest=DIGEST)[1] == KnownRequest(batch, False, True)


def test_of_many_threads_with_one_key_one_gets_it(store: Store) -> None:
    """And all publish under its id, so that the claim finds one request."""
    barrier = threading.Barrier(8)
    found: list[tuple[UUID, KnownRequest]] = []

    def run() -> None:
        barrier.wait()
        found.append(_reserve(store))

    threads = [threading.Thread(target=run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    ids = {known.id for _, known in found}
    assert (len(found), len(ids)) == (8, 1)
    assert ids < {own for own, _ in found}


def test_many_keys_are_one_statement_each(store: Store) -> None:
    """In whatever order two requests name them, no transaction waits for itself."""
    wanted = [KeyedRequest(f"order-{n}", time_id(), DIGEST) for n in range(50)]
    with store.writing() as connection:
        found = reserve(connection, "shop", wanted, now=NOW)
        assert {key: known.id for key, known in found.items()} == {
            each.key: each.id for each in wanted
        }
        again = reserve(connection, "shop", wanted[::-1], now=NOW)
    assert again == found


def test_rows_are_kept_for_days_and_leave_with_an_erased_person(store: Store) -> None:
    """Afterwards the notification on record answers."""
    _reserve(store)
    _reserve(store, "order-2")
    with store.writing() as connection:
        forget_requests(connection, {("shop", "order-2"), ("crm", "order-1")})
    id_, known = _reserve(store, "order-2", OTHER)
    assert known.id == id_
    day = timedelta(days=1)
    keep = Keep(lanes={}, others=day, waiting=day, audit=day, requests=timedelta(days=7))
    delete_old(store, keep, now=NOW + timedelta(days=6))
    assert not _reserve(store, digest=OTHER)[1].same
    delete_old(store, keep, now=NOW + timedelta(days=8))
    assert _reserve(store, digest=OTHER)[1].same


def test_the_erasure_of_a_person_deletes_the_rows_of_the_erased(store: Store) -> None:
    """The notification on record keeps its digest, and answers a repeat."""
    entry = begin(store, idempotency_key="order-1", digest=DIGEST, to="eve@example.com")
    store.record([accepted(entry)])
    _reserve(store)
    person = Person("eve@example.com")
    with store.writing() as connection:
        ids = find_notifications(connection, person)
        assert erase_notifications(connection, person, ids, now=NOW) == [entry.notification.id]
        assert connection.exec_driver_sql("SELECT * FROM api_requests").all() == []
    assert _reserve(store)[1] == KnownRequest(entry.notification.id, same=True, confirmed=True)


def test_the_digest_is_sealed_with_the_record(store: Store) -> None:
    """It would confirm a guess of a phone number and a template."""
    _reserve(store)
    with store.reading() as connection:
        row = connection.exec_driver_sql("SELECT digest, sealed FROM api_requests").one()
    assert bool(row.sealed) is store.seals
    assert (bytes(row.digest) == DIGEST) is not store.seals
    assert asked().digest == DIGEST
