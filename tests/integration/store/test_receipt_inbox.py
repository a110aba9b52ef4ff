"""The inbox of receipts, on both databases: order, leases, sealing, and its keys."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from notify.errors import Sealed
from notify.relays import InboxRows
from notify.store import Store
from notify.store.privacy.reseal import count, forget_keys
from notify.store.relays import (
    InboxEntry,
    add_to_inbox,
    count_inbox,
    delete_from_inbox,
    lease_inbox,
    release_inbox,
)
from notify.store.sealing.row_cipher import RowCipher
from tests.support.sealing import KEYRING, NEWER

NOW = datetime(2026, 11, 29, tzinfo=UTC)
LEASE = timedelta(seconds=60)


def _put(store: Store, *bodies: bytes) -> None:
    with store.writing() as connection:
        entries = [InboxEntry("acme.bounced", each) for each in bodies]
        add_to_inbox(connection, entries, received_at=NOW)


def _lease(store: Store, *, now: datetime = NOW, limit: int = 100) -> list[bytes]:
    with store.writing() as connection:
        return [each.body for each in lease_inbox(connection, now=now, lease=LEASE, limit=limit)]


def test_messages_are_leased_once_and_in_order(store: Store) -> None:
    """A relay that dies keeps them no longer than its lease."""
    _put(store, *(b"%d" % number for number in range(5)))
    assert _lease(store, limit=2) == [b"0", b"1"]
    assert _lease(store) == [b"2", b"3", b"4"]
    assert _lease(store) == []
    assert _lease(store, now=NOW + LEASE) == [b"%d" % number for number in range(5)]


def test_confirmed_messages_are_deleted_and_others_released(store: Store) -> None:
    """Each message keeps its id, so that a repeat is recognised."""
    _put(store, b"a", b"b")
    with store.writing() as connection:
        first, second = lease_inbox(connection, now=NOW, lease=LEASE, limit=9)
        delete_from_inbox(connection, [first.id])
        release_inbox(connection, [second.id])
    with store.writing() as connection:
        (again,) = lease_inbox(connection, now=NOW, lease=LEASE, limit=9)
        assert (again.body, again.message_id) == (b"b", second.message_id)
        assert count_inbox(connection) == 1


def test_a_message_opens_with_its_key_only(store: Store, migrated_url: str) -> None:
    """With another keyring it waits, and the log names the key."""
    store.close()
    sealed, clear = Store.open(migrated_url, keyring=KEYRING), Store.open(migrated_url)
    _put(sealed, b"canary@example.com")
    with sealed.reading() as connection:
        stored: bytes = connection.exec_driver_sql("SELECT body FROM receipt_inbox").scalar_one()
    assert b"canary" not in bytes(stored)
    with capture_logs() as logs, clear.writing() as connection:
        rows = InboxRows().lease(connection, now=NOW)
    assert [InboxRows().readable(row) for row in rows] == [False]
    assert [(line["event"], line["sealed_with"]) for line in logs] == [
        ("notify.receipts_sealed", KEYRING.current)
    ]
    assert _lease(sealed, now=NOW + LEASE) == [b"canary@example.com"]
    sealed.close()
    clear.close()


def test_a_key_of_a_waiting_message_is_not_forgotten(store: Store, migrated_url: str) -> None:
    """Else a rotation while the broker is away would lose receipts."""
    store.close()
    old, new = Store.open(migrated_url, keyring=KEYRING), Store.open(migrated_url, keyring=NEWER)
    old.check_keys(now=NOW)
    new.check_keys(now=NOW)
    _put(old, b"a")
    with new.writing() as connection:
        assert count(connection).receipts == {KEYRING.current: 1}
        assert forget_keys(connection) == []
        rows = lease_inbox(connection, now=NOW, lease=LEASE, limit=9)
        delete_from_inbox(connection, [row.id for row in rows])
        assert forget_keys(connection) == [KEYRING.current]
    old.close()
    new.close()


def test_a_sealed_body_opens_in_its_own_row_only() -> None:
    """Its context is part of the seal."""
    cipher = RowCipher(KEYRING)
    key, body = cipher.seal_receipts(uuid4(), b"a")
    with pytest.raises(Sealed):
        cipher.open_receipts(uuid4(), key, body)
