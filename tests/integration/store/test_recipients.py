"""A recipient is found on record by any spelling, in clear and sealed, dead letters included."""

from __future__ import annotations

import json
from uuid import uuid4

import pytest

from notify.channels import email_address
from notify.message import Channel
from notify.privacy import erasure
from notify.privacy.erasure import Person, look
from notify.store import Filter, Store
from notify.store.audit import Actor, write_audit
from notify.store.deadletters.search import LetterFilter, find_letters
from tests.support.burying import arrival, body_of, bury
from tests.support.recording import LATER, NOW, accepted, begin
from tests.unit.contract.test_recipient import ANN, ANNS, PHONE, PHONES

OPERATOR = Actor("ann@ops-1", "ticket 4711")


def _planted(store: Store) -> None:
    """Rows, letters and the audit, each in a spelling of its own."""
    for to, channel in ((email_address(ANNS[0]), Channel.EMAIL), (PHONE, Channel.SMS)):
        store.record([accepted(begin(store, to=to, channel=channel))])
    store.record([accepted(begin(store, to="bob@example.com"))])
    broken = json.dumps({"to": ANNS[0]}).removesuffix("}").encode()
    spaced = json.dumps({"to": PHONES[0]}).encode()
    upper = json.dumps({"to": ANNS[1]}, ensure_ascii=False).encode()
    bury(store, arrival(broken), arrival(spaced, key="sms.normal.shop"), arrival(upper))
    bury(store, arrival(body_of(uuid4(), to="bob@example.com")))
    with store.writing() as connection:
        write_audit(connection, OPERATOR, "cancel", details={"why": f"{ANNS[2]} asked"}, at=NOW)


@pytest.mark.parametrize("spelling", [ANN, *ANNS], ids=ascii)
def test_an_address_is_found_and_erased_by_any_spelling(store: Store, spelling: str) -> None:
    """`erase` found nothing of a domain with umlauts, and exited with 0."""
    _planted(store)
    (row,) = store.find(Filter(recipient=spelling))
    assert row.recipient == ANN
    with store.reading() as connection:
        assert len(find_letters(connection, LetterFilter(text=spelling.strip()), limit=10)) == 2
    person = Person(spelling)
    found = look(store, person)
    assert (len(found.ids), len(found.letters), len(found.audit)) == (1, 2, 1)
    erasure.erase(store, person, found, OPERATOR, cancel=True, now=LATER)
    assert look(store, person).nothing
    assert len(store.find(Filter(recipient="BOB@example.com"))) == 1


@pytest.mark.parametrize("spelling", [PHONE, *PHONES], ids=ascii)
def test_a_number_is_found_and_erased_by_any_spelling(store: Store, spelling: str) -> None:
    """A letter that died of the spaces in its number holds it with them."""
    _planted(store)
    assert [each.recipient for each in store.find(Filter(recipient=spelling))] == [PHONE]
    with store.reading() as connection:
        assert len(find_letters(connection, LetterFilter(text=spelling), limit=10)) == 1
    person = Person(spelling)
    found = look(store, person)
    assert (len(found.ids), len(found.letters)) == (1, 1)
    erasure.erase(store, person, found, OPERATOR, cancel=True, now=LATER)
    assert look(store, person).nothing
