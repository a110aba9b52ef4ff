"""Reserved recipients, and that the documentation tells the truth about them."""

from __future__ import annotations

import re
from pathlib import Path

import phonenumbers

from notify.message import Channel
from notify.sandbox.behaviour import Behaviour, behaviour_of
from tests.support.tables import each_of

DOCUMENT = Path(__file__).parents[3] / "docs" / "sandbox.md"
ROW = re.compile(r"\| [^|]+ \| `(\w+)@sandbox\.test` \| ([^|]+) \| `(token-[^`]+)` \|")
FATE = re.compile(r"^\| `([\w-]+)@sandbox\.test` \| (?:`(\+\d+)` )?\|", re.MULTILINE)


def _fates() -> list[tuple[str, str]]:
    """Return the recipients and numbers of the table of receipts."""
    return FATE.findall(DOCUMENT.read_text(encoding="utf-8"))


def _documented() -> list[tuple[str, str, str]]:
    rows = ROW.findall(DOCUMENT.read_text(encoding="utf-8"))
    return [(word, phone.strip("` "), token) for word, phone, token in rows]


def test_every_behaviour_is_documented_once_and_in_order() -> None:
    """Two tables in the documentation have a row for each word."""
    words = [word for word, _, _ in _documented()]
    words += [word for word, _ in _fates() if word not in words]
    assert words == [each.value for each in Behaviour]


@each_of(("word", "phone"), _fates())
def test_a_documented_fate_has_its_recipients(word: str, phone: str) -> None:
    """Address and number of one row mean the same; a row without a number has none."""
    assert behaviour_of(Channel.EMAIL, f"{word}@sandbox.test") == word
    if phone:
        assert behaviour_of(Channel.SMS, phone) == word
        assert phonenumbers.is_valid_number(phonenumbers.parse(phone))


@each_of(("word", "phone", "token"), _documented())
def test_a_documented_recipient_behaves_as_documented(word: str, phone: str, token: str) -> None:
    """Address, number and token of one row mean the same."""
    assert behaviour_of(Channel.EMAIL, f"{word}@sandbox.test") == word
    assert behaviour_of(Channel.PUSH, token) == word
    if phone.startswith("+"):
        assert behaviour_of(Channel.SMS, phone) == word
        assert behaviour_of(Channel.SMS, f"{phone[:-2]}99") == word


@each_of(
    ("channel", "to", "expected"),
    [
        (Channel.EMAIL, "bounce+4711@sandbox.test", Behaviour.BOUNCE),
        (Channel.EMAIL, "Hang@Sandbox.Example.com", Behaviour.HANG),
        (Channel.EMAIL, "bounce@example.com", Behaviour.DELIVER),
        (Channel.EMAIL, "bounce@notsandbox.test", Behaviour.DELIVER),
        (Channel.EMAIL, "anna@sandbox.test", Behaviour.DELIVER),
        (Channel.EMAIL, "bounce", Behaviour.DELIVER),
        (Channel.SMS, "+15005550001", Behaviour.INVALID),
        (Channel.SMS, "+15005550004", Behaviour.BLOCKED),
        (Channel.SMS, "+15005550006", Behaviour.DELIVER),
        (Channel.SMS, "+150055510001", Behaviour.DELIVER),
        (Channel.SMS, "+4915123456789", Behaviour.DELIVER),
        (Channel.PUSH, "token-hang", Behaviour.HANG),
        (Channel.PUSH, "token-hangar-1", Behaviour.DELIVER),
        (Channel.PUSH, "hang-1", Behaviour.DELIVER),
    ],
)
def test_only_reserved_recipients_are_scripted(
    channel: Channel, to: str, expected: Behaviour
) -> None:
    """A recipient that only looks reserved is delivered."""
    assert behaviour_of(channel, to) is expected


@each_of("phone", [row[1] for row in _documented() if row[1].startswith("+")])
def test_reserved_numbers_pass_for_real_ones(phone: str) -> None:
    """A contract that checks numbers lets them through."""
    assert phonenumbers.is_valid_number(phonenumbers.parse(phone))
