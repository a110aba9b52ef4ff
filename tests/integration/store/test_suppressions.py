"""The suppression list: adding, renewing and lifting entries, in batches of any order."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select, update

from notify.contract import Limits, ProducerOptOut
from notify.keyring import CLEAR
from notify.message import Channel
from notify.privacy import rotate
from notify.receipts.applier import ReceiptApplier
from notify.receipts.optouts import OptOutReader
from notify.store import Actor, Store
from notify.store.sealing import cipher_of
from notify.store.sealing.row_cipher import RowCipher
from notify.store.suppression import delete_ended_entries
from notify.store.tables import suppressions
from notify.suppression import Lift, Suppression, SuppressionReason, lift, suppress
from tests.support.recording import LATER, NOW, answer_to, asked, begin, call_for
from tests.support.sealing import KEYRING

HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def entry(**changes: Any) -> Suppression:
    """A bounce of Ann's."""
    values: dict[str, Any] = {
        "channel": Channel.EMAIL,
        "reason": SuppressionReason.BOUNCE,
        "since": NOW,
        "recipient": "ann@example.com",
        "until": NOW + 90 * DAY,
        "evidence": "5.1.1",
    }
    return Suppression(**(values | changes))


def opt_out(at: datetime = NOW) -> Suppression:
    """An opt-out of Ann's from everything."""
    return entry(reason=SuppressionReason.OPT_OUT, since=at, until=None)


def opt_in(at: datetime = NOW) -> Lift:
    """Ann takes it back."""
    return Lift(channel=Channel.EMAIL, at=at, recipient="ann@example.com")


def added(store: Store, *items: Suppression, now: datetime = NOW) -> int:
    """Add entries; how many were written."""
    with store.writing() as connection:
        return len(suppress(connection, items, now=now))


def rows(store: Store) -> Sequence[Any]:
    """The whole list."""
    with store.reading() as connection:
        return connection.execute(select(suppressions).order_by(suppressions.c.id)).all()


def in_effect(store: Store, *, now: datetime) -> int:
    """How many entries are in effect."""
    return sum(
        row.lifted_at is None and (row.until is None or row.until > now) for row in rows(store)
    )


def test_a_repeated_entry_counts_once(store: Store) -> None:
    """Vendors repeat reports; within a batch a repeat would fail the whole statement."""
    assert added(store, entry(), entry(recipient="ANN@Example.com "), entry()) == 1
    assert added(store, entry()) == 0
    (row,) = rows(store)
    assert (row.reason, row.scope, row.evidence) == ("bounce", "all", "5.1.1")
    assert (row.since, row.until, row.binding) == (NOW, NOW + 90 * DAY, False)


def test_each_reason_and_scope_is_an_entry_of_its_own(store: Store) -> None:
    """A bounce's end does not end the complaint."""
    complaint = entry(reason=SuppressionReason.COMPLAINT, until=None)
    assert added(store, entry(), complaint, entry(scope="source:shop"), opt_out()) == 4
    assert [row.binding for row in rows(store)].count(True) == 2
    assert in_effect(store, now=NOW + 91 * DAY) == 2


def test_a_later_bounce_extends_it_and_an_earlier_one_does_not(store: Store) -> None:
    """Reports arrive in any order."""
    added(store, entry())
    assert added(store, entry(since=NOW - DAY, until=NOW + 89 * DAY)) == 0
    assert added(store, entry(since=NOW + DAY, until=NOW + 91 * DAY), now=NOW + DAY) == 1
    (row,) = rows(store)
    assert (row.since, row.until) == (NOW, NOW + 91 * DAY)


def test_an_operator_can_make_an_entry_binding_without_shortening_it(store: Store) -> None:
    """The stronger of both counts, in its time and in its reach."""
    operator = SuppressionReason.OPERATOR
    added(store, entry(reason=operator, until=None))
    assert added(store, entry(reason=operator, until=NOW + DAY, binding=True)) == 1
    (row,) = rows(store)
    assert (row.until, row.binding) == (None, True)


def test_a_report_of_before_the_lift_does_not_renew_it(store: Store) -> None:
    """The vendor repeats the report that led to the entry; an operator has lifted it."""
    added(store, opt_out())
    with store.writing() as connection:
        assert lift(connection, [opt_in(NOW + HOUR)], now=NOW + HOUR) == 1
    assert added(store, opt_out(), now=NOW + 2 * HOUR) == 0
    assert in_effect(store, now=NOW + 2 * HOUR) == 0
    assert added(store, opt_out(NOW + 2 * HOUR), now=NOW + 2 * HOUR) == 1
    assert in_effect(store, now=NOW + 2 * HOUR) == 1


@pytest.mark.parametrize(
    "order", [order for size in (3, 4) for order in itertools.permutations(range(size))]
)
def test_opt_outs_and_opt_ins_have_one_result_in_any_order(
    store: Store, order: tuple[int, ...]
) -> None:
    """The latest by the vendor's clock wins, whichever arrives last."""
    events = [opt_out(NOW), opt_in(NOW + HOUR), opt_out(NOW + 2 * HOUR), opt_in(NOW + 3 * HOUR)]
    now = NOW + DAY
    for number in order:
        with store.writing() as connection:
            match events[number]:
                case Suppression() as item:
                    suppress(connection, [item], now=now)
                case Lift() as item:
                    lift(connection, [item], now=now)
    last_is_out = len(order) == 3
    assert in_effect(store, now=now) == last_is_out
    assert added(store, opt_out(NOW + 4 * HOUR), now=now) == (not last_is_out)


def test_a_lift_counts_only_what_was_in_effect(store: Store) -> None:
    """Metrics and logs count entries that ended by it."""
    with store.writing() as connection:
        assert lift(connection, [opt_in()], now=NOW) == 0
        suppress(connection, [opt_out(NOW + HOUR)], now=NOW + HOUR)
        assert lift(connection, [opt_in(NOW + DAY)], now=NOW + DAY) == 1
        assert lift(connection, [opt_in(NOW + 2 * DAY)], now=NOW + 2 * DAY) == 0


def test_nothing_is_written_for_an_entry_that_has_ended_or_names_no_recipient(store: Store) -> None:
    """A report may be older than its effect, or without an address."""
    assert added(store, entry(until=NOW), entry(recipient=" "), entry(recipient="")) == 0
    assert rows(store) == []


def test_a_vendors_clock_that_is_ahead_does_not_defeat_a_lift(store: Store) -> None:
    """An entry of tomorrow could otherwise not be lifted today."""
    added(store, opt_out(NOW + DAY))
    with store.writing() as connection:
        assert lift(connection, [opt_in(NOW + HOUR)], now=NOW + HOUR) == 1


def test_it_is_found_by_the_hash_of_a_notifications_row(store: Store) -> None:
    """The address may be erased or sealed: the row's hash is enough."""
    with store.writing() as connection:
        hash_ = cipher_of(connection).hashes("ann@example.com")[0]
        suppress(connection, [entry(recipient="", recipient_hash=hash_)], now=NOW)
        assert suppress(connection, [entry()], now=NOW) == []


def test_entries_of_before_the_keyring_get_keyed_hashes_when_their_address_is_seen(
    store: Store, migrated_url: str
) -> None:
    """By a repeat of the entry, and by `notify keyring rotate` from a row on record."""
    plain = Store.open(migrated_url, keyring=CLEAR)
    added(plain, entry(), entry(recipient="bob@example.com"), entry(recipient="eve@example.com"))
    begin(plain, to="bob@example.com")
    plain.close()
    sealed = Store.open(migrated_url, keyring=KEYRING)
    cipher = RowCipher(KEYRING)
    assert added(sealed, entry()) == 0
    rotate(sealed, Actor("ann@ops-1", "a keyring"), now=NOW, sleep=lambda _: None)
    hashes = {row.recipient_hash for row in rows(store)}
    assert hashes == {
        cipher.hashes("ann@example.com")[0],
        cipher.hashes("bob@example.com")[0],
        cipher.hashes("eve@example.com")[1],
    }
    with sealed.writing() as connection:
        ann = [opt_in(NOW + HOUR)]
        assert lift(connection, [replace(ann[0], reason=SuppressionReason.BOUNCE)], now=LATER) == 1
    sealed.close()


def test_a_lift_writes_no_hash_without_the_key(store: Store) -> None:
    """Such a hash would confirm a guess of the address."""
    sealed = RowCipher(KEYRING)
    with store.writing() as connection:
        lift(connection, [opt_in()], now=NOW)
        cipher = cipher_of(connection)
    found = [row.recipient_hash for row in rows(store)]
    assert found == [cipher.hashes("ann@example.com")[0]]
    assert cipher.keyring.current is None or found == [sealed.hashes("ann@example.com")[0]]


def test_maintenance_deletes_entries_that_ended_long_ago(store: Store) -> None:
    """Those in effect stay, and one that a vendor's list still has to lose."""
    added(store, entry(until=NOW + DAY), opt_out(), entry(recipient="bob@example.com"))
    added(store, entry(recipient="eve@example.com", reason=SuppressionReason.OPT_OUT, until=None))
    with store.writing() as connection:
        lift(connection, [opt_in(NOW + HOUR)], now=NOW + HOUR)
        lift(connection, [replace(opt_in(), recipient="eve@example.com")], now=NOW)
        connection.execute(
            update(suppressions).where(suppressions.c.lifted_at == NOW).values(vendor_lift=True)
        )
        assert delete_ended_entries(connection, before=NOW, limit=10) == 0
        assert delete_ended_entries(connection, before=NOW + 2 * DAY, limit=10) == 2
    assert len(rows(store)) == 2


def test_a_producers_opt_out_stops_its_own_messages(store: Store) -> None:
    """By address, by notification, or for a category; an unknown or erased one changes nothing."""
    first = begin(store, to="bob@example.com")
    reader = OptOutReader(Limits(require_user_id=False))
    read = [
        ProducerOptOut("shop", Channel.EMAIL, "Ann@example.com", None, None, "account_page"),
        ProducerOptOut("shop", None, "", first.notification.id, "news", None),
        ProducerOptOut("shop", None, "", uuid4(), None, None),
        ProducerOptOut("bank", None, "", first.notification.id, None, None),
    ]
    for _ in range(2):
        with store.writing() as connection:
            reported = reader.reported(connection, read, now=NOW)
            assert not reported.receipts
            ReceiptApplier({}).apply(connection, [], now=NOW, opt_outs=reported.opt_outs)
    written = {(row.scope, row.reason, row.evidence, row.until) for row in rows(store)}
    assert written == {
        ("source:shop", "opt_out", "optout.shop account_page", None),
        ("category:news/shop", "opt_out", "optout.shop", None),
    }
    assert answer_to(store, call_for(asked())).suppressed is not None
    assert answer_to(store, call_for(asked(source="bank"))).suppressed is None
    bob = {"to": "bob@example.com"}
    assert answer_to(store, call_for(asked(**bob, category="news"))).suppressed is not None
    assert answer_to(store, call_for(asked(**bob))).suppressed is None
