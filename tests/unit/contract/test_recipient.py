"""One person, many spellings: read as one everywhere."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.channels import email_address
from notify.channels.phone import phone_number
from notify.contract.recipient import Spellings, case_folded, normal_form, same_recipient
from notify.flow.own_limits import LimitPer, OwnLimit, OwnLimits
from notify.message import Channel
from notify.policies.caps import Cap, CapPer, Period
from notify.sandbox.behaviour import Vendor
from notify.sandbox.inbox import Inbox, Message
from tests.support.recording import NOW, asked
from tests.support.tables import each_of

ANN = "ann@xn--mnchen-3ya.example"
ANNS = [
    "ann@münchen.example",
    "Ann@MÜNCHEN.Example",
    unicodedata.normalize("NFD", "ann@münchen.example"),
    "ann@XN--MNCHEN-3YA.example",
    "ann\uff20münchen.example",
    "ann@münchen\u3002example",
    "  ann@münchen.example\n",
]
PHONE = "+4915112345678"
PHONES = [
    "+49 151 1234 5678",
    "+49 (0)151 1234-5678",
    "0049 151/12345678",
    "+49\u00a0151\u00a012345678",
    "\u202a+49 151 12345678\u202c",
    "\uff0b\uff14\uff1915112345678",
]


@each_of("spelling", ANNS, ids=ascii)
def test_an_address_is_read_as_the_contract_keeps_it(spelling: str) -> None:
    """Whatever alphabet, case or normal form a person types it in."""
    assert case_folded(normal_form(spelling)) == ANN
    assert same_recipient(spelling, ANN)


@each_of("spelling", PHONES, ids=ascii)
def test_a_phone_number_is_read_as_the_contract_keeps_it(spelling: str) -> None:
    """Spaces, brackets, a leading 00, marks that a copy from the contacts brings along."""
    assert normal_form(spelling) == PHONE == phone_number(PHONE)


@each_of(
    "token", ["dGhpcyBpcyBh", "a:b-c_d", "00123", "+1", "x" * 4096, "APA91b@x", "@", "ann@", ""]
)
def test_what_is_no_address_stays_as_it_is(token: str) -> None:
    """A device token may hold anything printable; nothing raises."""
    assert normal_form(token) == token


@given(st.emails())
def test_what_the_contract_keeps_is_read_as_itself(text: str) -> None:
    """Else a recipient on record could not be found by what `notify show` prints of it."""
    kept = email_address(text)
    assert normal_form(kept) == kept
    assert normal_form(text) == kept


@given(st.text(max_size=60))
def test_any_text_can_be_read(text: str) -> None:
    """It comes from a command line."""
    assert normal_form(normal_form(text)) == normal_form(text)
    Spellings(text).is_in(text)


@each_of("spelling", [ANN, *ANNS[:-1]], ids=ascii)
@each_of("asked_for", [ANN, *ANNS], ids=ascii)
def test_an_address_is_found_in_any_text(asked_for: str, spelling: str) -> None:
    """And taken out whole, with nothing left of its spelling."""
    text = f'{{"to": "{spelling}", "name": "Bob"}}'
    assert Spellings(asked_for).is_in(text)
    assert Spellings(asked_for).replaced_in(text, "(gone)") == '{"to": "(gone)", "name": "Bob"}'


@pytest.mark.parametrize("spelling", [PHONE, *PHONES[:4]], ids=ascii)
def test_a_number_is_found_in_any_text(spelling: str) -> None:
    """A number with spaces breaks the contract: it is in the dead letters, and nowhere else."""
    text = json.dumps({"to": spelling}, ensure_ascii=False)
    assert Spellings(PHONE).replaced_in(text, "(gone)") == '{"to": "(gone)"}'


@pytest.mark.parametrize("text", ["+491511234567890", "10049 151 12345678", "bob@münchen.example"])
def test_others_are_not_found(text: str) -> None:
    """A longer number is another one."""
    assert not Spellings(PHONE).is_in(text)
    assert not Spellings(ANN).is_in(text)


@pytest.mark.parametrize(
    "other", ["joann@x.de", "jo.ann@x.de", "ann@x.device", "ann@x.de.example", "ann@x.de-a.example"]
)
def test_an_address_within_anothers_is_not_found(other: str) -> None:
    """Erasing Ann would empty the letters of Joann."""
    assert not Spellings("ann@x.de").is_in(f'{{"to": "{other}"}}')


@each_of(
    "around",
    ["<{}>", "mailto:{}.", "a={}&b", "({}_)", "to {}: x", r"a\n{}\n", r"\u000a{}", "%3A{}%20"],
)
def test_an_address_is_found_whatever_stands_around_it(around: str) -> None:
    """Escapes of JSON and of URLs end in letters."""
    assert Spellings("ann@x.de").replaced_in(around.format("ann@x.de"), "-") == around.format("-")


def test_caps_and_limits_count_a_person_once() -> None:
    """Ann@ and ann@ get the same mail, and share what one recipient may get."""
    both = [asked(to="Ann@example.com"), asked(to="ann@example.com")]
    cap = Cap(name="each", most=1, period=Period.DAY, per=CapPer.RECIPIENT)
    assert len({cap.counter(each) for each in both}) == 1
    limits = OwnLimits([OwnLimit("each", LimitPer.RECIPIENT)], country=lambda _: None)
    assert len({limits.of(each)[0][1] for each in both}) == 1


@each_of("spelling", [ANN, *ANNS], ids=ascii)
def test_the_sandboxs_inbox_is_searched_in_any_spelling(spelling: str) -> None:
    """By recipient and by words."""
    inbox = Inbox(keep=10)
    for number, to in enumerate((ANN, "bob@example.com")):
        inbox.add(Message(str(number), "p", Vendor.SENDGRID, Channel.EMAIL, NOW, to))
    assert [one.to for one in inbox.find(to=spelling)] == [ANN]
    assert [one.to for one in inbox.find(text=spelling)] == [ANN]
