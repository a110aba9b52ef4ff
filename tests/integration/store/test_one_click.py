"""One-click unsubscribe into the record: at once, once, and not lost while the record is away."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from sqlalchemy import select

from notify.categories import Categories, Category, OptOut, UnsubscribeLinks, UnsubscribeTokens
from notify.contract import ReceiptMessage, read_receipts
from notify.message import Channel, Notification
from notify.receipt import DeliveryReceipt
from notify.receipts.applier import ReceiptApplier
from notify.receipts.received import received_of
from notify.receipts.unsubscribe import Unsubscriber
from notify.store import Claim, Store
from notify.store.tables import suppressions
from notify.suppression import Lift, category_scope, is_scope, lift
from tests.support.recording import NOW, answer_to, asked, call_for
from tests.support.sealing import KEYRING

URL = "https://notify.example.com"
TOKENS = UnsubscribeTokens(KEYRING)
LATER = NOW + timedelta(hours=1)


@dataclass
class Parcels:
    """An intake that keeps what travels as receipts."""

    sent: list[bytes] = field(default_factory=list)

    def store(self, provider: str, receipts: Sequence[DeliveryReceipt]) -> None:
        """Keep the bodies of the messages."""
        split = ReceiptMessage.split(receipts, provider=provider, received_at=NOW)
        self.sent += [each.model_dump_json().encode() for each in split]


def newsletter(**changes: Any) -> Notification:
    """Return a newsletter to Ann."""
    return asked(**{"to": "Ann@example.com", "category": "newsletter", **changes})


def token_in(notification: Notification) -> tuple[str, OptOut]:
    """Return the token in a message's header, as its recipient's mail client sees it."""
    subscription = {"newsletter": Category("newsletter", subscription=True)}
    headers = dict(
        Categories(subscription, UnsubscribeLinks(KEYRING, URL)).identity(notification).headers
    )
    token = headers["List-Unsubscribe"].removeprefix(f"<{URL}/u/").removesuffix(">")
    opt_out = TOKENS.read(token)
    assert opt_out is not None
    return token, opt_out


def unsubscribe(store: Store, notification: Notification, parcels: Parcels | None = None) -> str:
    """Follow the link of a notification; return its token."""
    token, opt_out = token_in(notification)
    intake: Any = parcels or Parcels()
    Unsubscriber(TOKENS, store=store, intake=intake, arrival_clock=lambda: NOW).unsubscribe(
        token, opt_out
    )
    return token


def stopped(store: Store, notification: Notification) -> bool:
    """Claim a message, and return whether the list stopped it."""
    answer = answer_to(store, call_for(notification), now=LATER)
    assert answer.claim is Claim.OWNED
    return answer.suppressed is not None


@pytest.fixture
def sealed(store: Store, migrated_url: str) -> Iterator[Store]:
    """An empty record with a keyring, which subscriptions need, on each database."""
    del store
    record = Store.open(migrated_url, keyring=KEYRING)
    yield record
    record.close()


def test_the_next_message_is_suppressed_at_once(sealed: Store) -> None:
    """Also under another spelling of the address; an opt-out binds critical mail too."""
    assert not stopped(sealed, newsletter())
    unsubscribe(sealed, newsletter())
    assert stopped(sealed, newsletter())
    assert stopped(sealed, newsletter(to="ann@example.com", lane="critical"))


@pytest.mark.parametrize(
    "other",
    [
        {"category": "invoice"},
        {"category": None},
        {"source": "bank"},
        {"to": "bob@example.com"},
        {"channel": Channel.SMS, "to": "+4915112345678"},
    ],
)
def test_other_messages_are_sent(sealed: Store, other: dict[str, Any]) -> None:
    """Another category, source, recipient or channel: the token says what it is about."""
    unsubscribe(sealed, newsletter())
    assert not stopped(sealed, newsletter(**other))


def test_a_repeat_changes_nothing(sealed: Store) -> None:
    """Mail clients post again, and so does the page."""
    for _ in range(3):
        unsubscribe(sealed, newsletter(id=uuid4()))
    with sealed.reading() as connection:
        (row,) = connection.execute(select(suppressions)).all()
    assert (row.scope, row.reason, row.binding) == ("category:newsletter/shop", "opt_out", True)
    assert (row.until, row.evidence) == (None, "one-click unsubscribe")


def test_an_opt_out_while_the_record_is_away_is_applied_later(sealed: Store) -> None:
    """It travels as a receipt, whose token is its proof; applied twice, it counts once."""
    parcels = Parcels()
    away = Store.open("postgresql+psycopg://n:n@127.0.0.1:1/n", keyring=KEYRING)
    unsubscribe(away, newsletter(), parcels)
    away.close()
    (body,) = parcels.sent
    assert b"example.com" not in body
    applier = ReceiptApplier({}, tokens=TOKENS)
    for _ in range(2):
        with sealed.writing() as connection:
            applier.apply(connection, list(received_of(read_receipts(body))), now=LATER)
    assert stopped(sealed, newsletter())
    with sealed.reading() as connection:
        assert len(connection.execute(select(suppressions)).all()) == 1


def test_a_forged_parcel_suppresses_no_recipient(sealed: Store) -> None:
    """Only the web process may publish receipts; still, the token is checked again."""
    parcels = Parcels()
    away = Store.open("postgresql+psycopg://n:n@127.0.0.1:1/n", keyring=KEYRING)
    token = unsubscribe(away, newsletter(), parcels)
    away.close()
    flipped = ("A" if token[9] != "A" else "B").encode()
    forged = token[:9].encode() + flipped + token[10:].encode()
    body = parcels.sent[0].replace(token.encode(), forged)
    assert body != parcels.sent[0]
    with sealed.writing() as connection:
        ReceiptApplier({}, tokens=TOKENS).apply(
            connection, list(received_of(read_receipts(body))), now=LATER
        )
    assert not stopped(sealed, newsletter())


def test_an_operator_can_lift_it(sealed: Store) -> None:
    """A recipient who asks for the newsletter again gets it; the link stops it again."""
    unsubscribe(sealed, newsletter())
    now = sealed.clock() + timedelta(minutes=1)
    again = Lift(
        channel=Channel.EMAIL,
        at=now,
        recipient="ann@example.com",
        scope=category_scope("newsletter", "shop"),
    )
    with sealed.writing() as connection:
        assert lift(connection, [again], now=now) == 1
    assert not stopped(sealed, newsletter())


def test_a_scope_of_the_list_is_one_that_its_commands_accept(sealed: Store) -> None:
    """`notify suppress lift --scope` takes what the list shows."""
    unsubscribe(sealed, newsletter())
    with sealed.reading() as connection:
        (row,) = connection.execute(select(suppressions)).all()
    assert is_scope(row.scope)
    assert not is_scope("category:newsletter/")
    assert not is_scope("category:newsletter/a/b")
