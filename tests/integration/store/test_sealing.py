"""A record that is sealed, in clear, or half of each; on both databases."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import UUID, uuid4

import pytest
from sqlalchemy import insert, select, update
from structlog.testing import capture_logs

from notify.deadletters import Edit, Eligibility
from notify.doctor.finding import Severity
from notify.doctor.record import keys
from notify.errors import Sealed
from notify.keyring import CLEAR, Keyring
from notify.message import Channel, Notification, Outcome, Status
from notify.privacy.erasure import Person, erase, look
from notify.privacy.rotation import rotate
from notify.store import Claim, Entry, Filter, Store
from notify.store.audit import Actor
from notify.store.deadletters.archive import read_letter
from notify.store.deadletters.search import LetterFilter, find_letter_ids
from notify.store.privacy.reseal import count, reseal_notifications
from notify.store.reconcile.lost import find_rivals
from notify.store.relays.due import lease_due
from notify.store.relays.events import lease_events
from notify.store.sealing.row_cipher import cipher_of
from notify.store.tables import metadata, notifications
from tests.support.burying import arrival, body_of, buried, bury, order, plan, read, replayer
from tests.support.recording import LATER, LEASE, NOW, accepted, asked, call_for, claim_one, put_off
from tests.support.sealing import KEYRING, NEWER

ANN = Actor("ann@ops-1", "INC-7")
WHO = "Canary.Bird@example.com"
WORDS = "the words of the canary"
WAITING = (Status.SCHEDULED, Status.QUEUED)
STRANGE = Keyring({"k1": b"3" * 32}, hash_key=b"h" * 32)


@pytest.fixture
def stores(migrated_url: str, store: Store) -> Iterator[dict[str, Store]]:
    """One empty record, with several keyrings."""
    rings = {"clear": CLEAR, "k1": KEYRING, "k2": NEWER, "strange": STRANGE}
    stores = {name: Store.open(migrated_url, keyring=ring) for name, ring in rings.items()}
    store.close()
    yield stores
    for each in stores.values():
        each.close()


def _told(**fields: Any) -> Notification:
    """A request to the canary, as a worker reads it."""
    (notification,) = read(body_of(uuid4(), to=WHO, text=WORDS, metadata={"order": "7"}, **fields))
    return notification


def _sent(store: Store) -> UUID:
    entry = call_for(_told())
    assert claim_one(store, entry) is Claim.OWNED
    store.record([accepted(entry)])
    return entry.notification.id


def _due(store: Store) -> UUID:
    entry = call_for(_told())
    assert claim_one(store, entry) is Claim.OWNED
    store.record([put_off(entry)])
    return entry.notification.id


def _everything(store: Store) -> str:
    """Read all that the database holds, as it lies there."""
    with store.reading() as connection:
        return "".join(
            str(row)
            for table in metadata.sorted_tables
            for row in connection.exec_driver_sql(f"SELECT * FROM {table.name}")  # noqa: S608
        )


def _found(store: Store, recipient: str = WHO) -> set[UUID]:
    return {each.id for each in store.find(Filter(recipient=recipient))}


def test_nothing_personal_lies_in_a_sealed_record(stores: dict[str, Store]) -> None:
    """Not in a row, its letter, what was made of that, its properties, nor as a hash in clear."""
    store = stores["k1"]
    notification = read(body_of(uuid4(), to=WHO, text=WORDS))[0]
    _sent(store)
    (letter,) = bury(store, arrival(body_of(uuid4(), to=WHO), user_id="u", reply_to=WORDS))
    mending = Edit(letter.id, body_of(uuid4(), to=WHO, text=WORDS), "email.normal.shop")
    list(replayer(store).replay(order(store, edit=mending), ANN, replay_id=uuid4()))
    claim_one(store, call_for(notification))
    lies = _everything(store)
    for secret in (WHO, WHO.lower(), "anary.", WORDS, str(notification.digest)[2:-1]):
        assert secret not in lies
    with store.reading() as connection:
        held = read_letter(connection, letter.id)
    assert held is not None
    assert (json.loads(held.body)["to"], held.properties["reply_to"]) == (WHO, WORDS)
    assert held.edit == mending
    _sent(stores["clear"])
    assert WORDS in _everything(store)


def test_a_recipient_is_found_sealed_or_not_and_however_it_is_spelled(
    stores: dict[str, Store],
) -> None:
    """In rows of a record that is half sealed, and in those of a version that knew no hashes."""
    clear, sealed = _sent(stores["clear"]), {_sent(stores["k1"]), _sent(stores["k2"])}
    old = _sent(stores["clear"])
    claim_one(stores["k1"], call_for(asked()))
    with stores["clear"].writing() as connection:
        ours = notifications.c.id == old
        connection.execute(update(notifications).where(ours).values(recipient_hash=None))
    assert _found(stores["k2"]) == {clear, old, *sealed}
    assert _found(stores["k2"], WHO.lower()) == {clear, *sealed}
    assert stores["k2"].count(Filter(recipient=WHO)) == {Status.SENT: 4}
    assert {each.recipient for each in stores["k2"].find(Filter(recipient=WHO))} == {WHO}
    assert _found(stores["clear"]) == {clear, old}


def test_the_rivals_of_a_lost_sms_are_found_sealed_or_not(stores: dict[str, Store]) -> None:
    """Else one text would be taken for two."""
    to = "+4915112345678"
    for number, name in enumerate(("clear", "k1", "k2")):
        entry = call_for(asked(to=to, channel=Channel.SMS))
        claim_one(stores[name], entry)
        stores[name].record([accepted(entry, provider_id=f"SM{number}")])
    with stores["k2"].writing() as connection:
        found = find_rivals(connection, Channel.SMS, to, since=NOW - LEASE, until=LATER)
    assert found.provider_ids == {"SM0", "SM1", "SM2"}


@pytest.mark.parametrize(("first", "then"), [("clear", "k1"), ("k1", "k2"), ("k1", "k1")])
def test_a_request_is_known_again_after_the_keys_changed(
    stores: dict[str, Store], first: str, then: str
) -> None:
    """The same is a duplicate, another under its key a conflict; for claims and for replays."""
    notification = _told()
    entry = call_for(notification)
    claim_one(stores[first], entry)
    stores[first].record([accepted(entry)])
    assert claim_one(stores[then], call_for(notification)) is Claim.DUPLICATE
    other = replace(notification, digest=b"x" * 32)
    assert claim_one(stores[then], call_for(other)) is Claim.CONFLICT
    bury(stores[then], arrival(notification.body))
    assert plan(stores[then]).eligibilities == {Eligibility.ACCEPTED: 1}


def test_without_its_keyring_nobody_judges_a_sealed_request(stores: dict[str, Store]) -> None:
    """It waits for a worker with the key; as a conflict it would never be sent."""
    notification = _told()
    claim_one(stores["k1"], call_for(notification))
    with capture_logs() as logs:
        assert claim_one(stores["clear"], call_for(notification)) is Claim.BUSY
    (line,) = logs
    assert (line["event"], line["log_level"]) == ("notify.sealed", "error")
    assert (line["sealed_with"], line["id"]) == ("k1", str(notification.id))


@pytest.mark.parametrize("name", ["clear", "strange"])
def test_what_a_keyring_does_not_open_stays_due(stores: dict[str, Store], name: str) -> None:
    """It is leased for a moment and reported with its key; a worker with the key publishes it."""
    id_, readable = _due(stores["k1"]), _due(stores["clear"])
    with stores[name].writing() as connection:
        taken = lease_due(connection, WAITING, now=LATER, lease=LEASE, limit=10)
    assert {each.id: each.sealed for each in taken} == {id_: "k1", readable: None}
    with stores["k2"].writing() as connection:
        again = lease_due(connection, WAITING, now=LATER + LEASE, lease=LEASE, limit=10)
    assert [json.loads(each.body)["text"] for each in again] == [WORDS, WORDS]
    told = {each.id: each.recipient for each in stores[name].find(Filter())}
    assert told[id_] == "(sealed with k1)"


def test_what_was_moved_to_another_row_does_not_open_there(stores: dict[str, Store]) -> None:
    """With write access to the database, one person's message cannot be redirected to another."""
    store = stores["k1"]
    first, second = _due(store), _due(store)
    columns = notifications.c
    with store.writing() as connection:
        query = select(columns.body, columns.recipient).where(columns.id == first)
        theirs = connection.execute(query).one()._asdict()
        connection.execute(update(notifications).where(columns.id == second).values(theirs))
        taken = lease_due(connection, WAITING, now=LATER, lease=LEASE, limit=10)
    assert {each.id: each.sealed for each in taken} == {first: None, second: "k1"}
    told = {each.id: each.recipient for each in store.find(Filter())}
    assert told == {first: WHO, second: "(sealed with k1)"}


def test_a_keyring_that_does_not_fit_is_told_before_it_is_used(stores: dict[str, Store]) -> None:
    """By the name of the key; and what never sealed is not missed."""
    stores["k1"].check_keys(now=NOW)
    for name, told in (
        ("clear", "sealed with the key hash: there is no NOTIFY_KEYRING"),
        ("strange", "another key k1 than the one"),
    ):
        with pytest.raises(Sealed, match=told):
            stores[name].check_keys(now=NOW)
        assert [each.verdict for each in keys(stores[name])] == [Severity.FAIL]
    assert [each.verdict for each in keys(stores["k2"])] == [Severity.OK]
    stores["k2"].check_keys(now=NOW)
    with pytest.raises(Sealed, match="sealed with the key k2: add it to NOTIFY_KEYRING"):
        stores["k1"].check_keys(now=NOW)


def test_news_bring_the_metadata_of_sealed_requests(stores: dict[str, Store]) -> None:
    """And where the keyring does not open them, they come without."""
    store = stores["k1"]
    _sent(store)
    claim_one(store, Entry(asked(), Status.EXPIRED, reason="too late"))
    with store.writing() as connection:
        news = lease_events(connection, now=NOW, lease=LEASE, limit=10)
    assert [each.event.metadata for each in news] == [{"order": "7"}, {}]
    with stores["strange"].writing() as connection:
        news = lease_events(connection, now=LATER, lease=LEASE, limit=10)
    assert [each.event.metadata for each in news] == [{}, {}]


def test_sealed_letters_are_searched_by_their_words(stores: dict[str, Store]) -> None:
    """As those in clear are."""
    bury(stores["clear"], arrival(b"poison of the canary"))
    bury(stores["k1"], arrival(b"more poison of the canary"))
    two = [letter.id for letter in buried(stores["k2"])]
    bury(stores["clear"], arrival(b"nothing"))
    bury(stores["k1"], arrival(b"nothing more"))
    with stores["k2"].reading() as connection:
        assert find_letter_ids(connection, LetterFilter(text="the canary")) == two
        assert find_letter_ids(connection, LetterFilter(text="the canary"), limit=1) == two[:1]
        assert find_letter_ids(connection, LetterFilter(text="The Canary")) == []


def test_rotation_seals_all_anew_from_wherever_it_was_stopped(stores: dict[str, Store]) -> None:
    """In clear or under the older key, in small steps; then the older key is needed no more."""
    stores["k1"].check_keys(now=NOW)
    ids = {_sent(stores["clear"]), _due(stores["clear"]), _sent(stores["k1"]), _sent(stores["k1"])}
    bury(stores["clear"], arrival(b"poison"))
    letters = bury(stores["k1"], arrival(b"more poison"))
    newer = stores["k2"]
    newer.check_keys(now=NOW)
    _sent(newer)
    with newer.writing() as connection:
        assert len(reseal_notifications(connection, after=None, limit=3)) == 3
    done = rotate(newer, ANN, now=NOW, batch=1, sleep=lambda _: None)
    assert (done.notifications, done.letters, done.forgotten) == (1, 2, ["k1"])
    with newer.reading() as connection:
        sealing = count(connection)
        held = [read_letter(connection, each.id) for each in letters]
    assert (sealing.notifications, sealing.letters) == ({"k2": 5}, {"k2": 2})
    assert [each and each.body for each in held] == [b"poison", b"more poison"]
    assert _found(newer) >= ids
    with newer.writing() as connection:
        (due,) = lease_due(connection, WAITING, now=LATER, lease=LEASE, limit=10)
    assert json.loads(due.body)["text"] == WORDS
    # Each comes again and is known: the letters to the archive, the requests to the workers.
    assert len(bury(newer, arrival(b"poison"), arrival(b"more poison"))) == 2
    assert rotate(newer, ANN, now=NOW, sleep=lambda _: None).notifications == 0
    alone = Keyring({"k2": b"2" * 32}, hash_key=b"h" * 32)
    store = Store(newer._engine, keyring=alone)
    store.check_keys(now=NOW)
    assert _found(store) >= ids


def test_erasure_seals_the_digest_that_a_row_in_clear_keeps(stores: dict[str, Store]) -> None:
    """With a plain digest, a guess of the request can be confirmed; copies are recognised."""
    asked_ = _told()
    entry = call_for(asked_)
    claim_one(stores["clear"], entry)
    stores["clear"].record([accepted(entry)])
    sealed = stores["k2"]
    erase(sealed, Person(WHO), look(sealed, Person(WHO)), ANN, cancel=False, now=LATER)
    with sealed.reading() as connection:
        row = connection.execute(select(notifications)).one()
    assert (row.key_id, row.recipient, row.body) == ("k2", "", b"")
    assert row.digest == cipher_of(sealed._engine).digest(asked_.digest) != asked_.digest
    assert claim_one(sealed, call_for(asked_)) is Claim.DUPLICATE
    assert claim_one(sealed, call_for(replace(asked_, digest=b"x" * 32))) is Claim.CONFLICT


def test_erasure_without_a_keyring_keeps_the_digest_as_it_is(stores: dict[str, Store]) -> None:
    """In clear there is nothing to seal it with; of a sealed row it is sealed once, not twice."""
    for name in ("clear", "k1"):
        asked_ = _told()
        entry = call_for(asked_)
        claim_one(stores[name], entry)
        stores[name].record([accepted(entry)])
        before = _digests(stores[name])
        store = stores["k1" if name == "k1" else "clear"]
        erase(store, Person(WHO), look(store, Person(WHO)), ANN, cancel=False, now=LATER)
        assert _digests(store) == before
        assert claim_one(store, call_for(asked_)) is Claim.DUPLICATE


def _digests(store: Store) -> set[tuple[UUID, str | None, bytes]]:
    columns = notifications.c
    with store.reading() as connection:
        query = select(columns.id, columns.key_id, columns.digest)
        return {(row.id, row.key_id, row.digest) for row in connection.execute(query)}


def test_rows_of_an_older_version_beside_ours_are_read_and_sealed(
    stores: dict[str, Store],
) -> None:
    """While workers are restarted one by one, those of before write what they know."""
    row = {
        "id": (id_ := uuid4()),
        "position": 0,
        "source": "shop",
        "channel": Channel.EMAIL,
        "lane": "critical",
        "idempotency_key": str(id_),
        "digest": b"d" * 32,
        "recipient": WHO,
        "body": b"{}",
        "status": Status.QUEUED,
        "attempts": 0,
        "spent": 0,
        "possible_duplicate": False,
        "fence": 0,
        "received_at": NOW,
        "updated_at": NOW,
    }
    with stores["clear"].writing() as connection:
        connection.execute(insert(notifications).values(row))
    assert _found(stores["k1"]) == {id_}
    rotate(stores["k1"], ANN, now=NOW, sleep=lambda _: None)
    assert _found(stores["k1"]) == {id_}
    entry = call_for(asked(id=id_, to=WHO))
    assert claim_one(stores["k1"], entry) is Claim.OWNED
    ended = accepted(entry, fence=1, outcome=Outcome.ACCEPTED)
    assert stores["k1"].record([ended]) == set()
