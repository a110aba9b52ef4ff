"""The shared part of a large batch: stored once, read with each own part, deleted with the last."""

from __future__ import annotations

import json
from datetime import timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from notify.contract import Incoming, Limits, decode
from notify.message import Notification, Status
from notify.privacy import Keep, Person, delete_old, rotate
from notify.store import Actor, Claim, Entry, Store
from notify.store.deadletters import Slot, insert_new
from notify.store.privacy.erasure import erase_notifications
from notify.store.relays import lease_due
from notify.store.tables import events, notifications, shared_bodies
from tests.support.recording import LATER, LEASE, NOW

HTML = "<p>canary</p>" * 2000
MINUTE = timedelta(minutes=1)


def _batch(count: int = 3) -> list[Notification]:
    people = [{"to": f"a{n}@example.com", "data": {"n": n}} for n in range(1000)]
    content = {"subject": "News", "html": HTML, "text": "Hi", "metadata": {"order": "7"}}
    body = {"id": str(uuid4()), "to": people, **content}
    incoming = Incoming(
        json.dumps(body).encode(), "email.bulk.shop", content_type="application/json"
    )
    return decode(incoming, Limits())[:count]


def _write(store: Store, some: list[Notification], status: Status = Status.SCHEDULED) -> None:
    due = NOW + MINUTE if status is Status.SCHEDULED else None
    entries = [Entry(each, status, due_at=due) for each in some]
    assert [each.claim for each in store.claim(entries, now=NOW, lease=LEASE)] == (
        [Claim.OWNED] * len(some)
    )


def _parts(store: Store) -> int:
    with store.reading() as connection:
        return connection.execute(select(func.count()).select_from(shared_bodies)).scalar_one()


def test_it_is_stored_once_and_published_with_each_recipients_own_part(store: Store) -> None:
    """A due member is a complete request."""
    some = _batch()
    _write(store, some[:1])
    _write(store, some[1:])

    assert _parts(store) == 1
    with store.reading() as connection:
        longest = select(func.max(func.length(notifications.c.body)))
        assert connection.execute(longest).scalar_one() < 1000
    with store.writing() as connection:
        due = lease_due(connection, [Status.SCHEDULED], now=LATER, lease=LEASE, limit=10)
    assert len(due) == 3
    for row in due:
        incoming = Incoming(row.body, "email.bulk.shop", content_type="application/json")
        (again,) = decode(incoming, Limits())
        original = next(each for each in some if each.id == again.id)
        assert (again.to, again.data, again.inline) == (
            original.to,
            original.data,
            original.inline,
        )
        assert again.digest == original.digest


def test_it_is_sealed_and_sealed_again(store: Store) -> None:
    """With a keyring, no content is in clear."""
    _write(store, _batch())
    with store.reading() as connection:
        content: bytes = connection.execute(select(shared_bodies.c.content)).scalar_one()
    assert (b"canary" in content) is not store.seals
    if store.seals:
        rotate(store, Actor("ann", "a reason"), now=NOW, sleep=lambda _: None)


def test_erasing_the_last_recipient_deletes_it(store: Store) -> None:
    """Others still need it until then."""
    some = _batch(2)
    _write(store, some, Status.SUPPRESSED)
    for left, each in ((1, some[0]), (0, some[1])):
        with store.writing() as connection:
            assert erase_notifications(connection, Person(each.to), [each.id], now=NOW) == [each.id]
        assert _parts(store) == left


@pytest.mark.parametrize("written", [True, False])
def test_retention_deletes_it_with_its_last_notification(store: Store, written: bool) -> None:
    """Also if its worker was killed before it wrote the notifications."""
    some = _batch(2)
    _write(store, some, Status.SUPPRESSED)
    with store.writing() as connection:
        # They are published.
        connection.execute(events.delete())
        if not written:
            connection.execute(notifications.delete())
    keep = Keep(
        lanes={}, others=timedelta(days=1), waiting=timedelta(days=1), audit=timedelta(days=1)
    )
    delete_old(store, keep, now=NOW + timedelta(hours=1))
    assert _parts(store) == 1
    delete_old(store, keep, now=NOW + timedelta(days=2))
    assert _parts(store) == 0


def _with_file(number: int) -> Notification:
    file = {"name": "a.pdf", "type": "application/pdf", "content": "JVBERi0x" * 1000}
    body = {"id": str(uuid4()), "to": f"a{number}@example.com", "subject": "Hi", "text": "Hi"}
    incoming = Incoming(
        json.dumps({**body, "attachments": [file]}).encode(),
        "email.bulk.shop",
        content_type="application/json",
    )
    (found,) = decode(incoming, Limits())
    return found


def test_a_lease_is_limited_by_the_bytes_of_shared_parts(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest is free for the next lease, whatever there is: always one row at least."""
    some = [_with_file(number) for number in range(5)]
    _write(store, some)
    assert _parts(store) == 5
    monkeypatch.setattr("notify.store.relays.due.MOST_BYTES", 20_000)
    leased = []
    for seconds in range(3):
        now = LATER + timedelta(seconds=seconds)
        with store.writing() as connection:
            due = lease_due(connection, [Status.SCHEDULED], now=now, lease=LEASE, limit=10)
        leased.append(len(due))
        for row in due:
            incoming = Incoming(row.body, "email.bulk.shop", content_type="application/json")
            (again,) = decode(incoming, Limits())
            original = next(each for each in some if each.id == again.id)
            assert (again.digest, again.extras) == (original.digest, original.extras)
    assert leased == [2, 2, 1]
    monkeypatch.setattr("notify.store.relays.due.MOST_BYTES", 1)
    with store.writing() as connection:
        after = LATER + 2 * LEASE
        assert len(lease_due(connection, [Status.SCHEDULED], now=after, lease=LEASE, limit=9)) == 1


def test_a_file_of_one_recipient_ends_with_it(store: Store) -> None:
    """Erased with its notification."""
    one = _with_file(1)
    _write(store, [one], Status.SUPPRESSED)
    assert _parts(store) == 1
    with store.writing() as connection:
        erase_notifications(connection, Person(one.to), [one.id], now=NOW)
    assert _parts(store) == 0


def test_a_file_that_arrives_again_is_stored_once(store: Store) -> None:
    """A second copy from the broker, or one that the relay has published."""
    one = _with_file(1)
    for claim in (Claim.OWNED, Claim.DUPLICATE):
        entry = Entry(one, Status.SUPPRESSED)
        (claimed,) = store.claim([entry], now=NOW, lease=LEASE)
        assert claimed.claim is claim
    assert _parts(store) == 1


@pytest.mark.parametrize("request_", ["batch", "file"])
def test_a_replay_of_what_no_worker_has_recorded_keeps_it(store: Store, request_: str) -> None:
    """Else a mail would be sent without its files, or not at all."""
    some = _batch() if request_ == "batch" else [_with_file(1)]
    slots = [Slot(each.id, each, NOW, Status.QUEUED) for each in some]
    with store.writing() as connection:
        assert len(insert_new(connection, slots, why="replayed", now=NOW)) == len(some)
    assert _parts(store) == 1
    with store.writing() as connection:
        due = lease_due(connection, [Status.QUEUED], now=LATER, lease=LEASE, limit=10)
    for row in due:
        incoming = Incoming(row.body, "email.bulk.shop", content_type="application/json")
        (again,) = decode(incoming, Limits())
        original = next(each for each in some if each.id == again.id)
        assert (again.digest, again.inline, again.extras) == (
            *(original.digest, original.inline, original.extras),
        )
    assert len(due) == len(some)
