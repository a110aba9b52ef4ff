"""The search text: exact qualifiers, bounded, with a fix for each mistake."""

from __future__ import annotations

import re
import time
from uuid import UUID

import pytest

from notify.message import Channel, Status
from notify.status.qualifiers import LONGEST, SearchMistake, parse_search
from notify.store.status import RowSearch
from tests.support.tables import each_of

BATCH = "0b0e6a52-8f0e-4c52-9c2e-0f5b6b1f7a10"


def test_each_qualifier_is_read() -> None:
    """Values are exact, and quotation marks allow spaces."""
    text = f'status:failed source:shop lane:bulk channel:sms batch:{BATCH} code:"a b" to:token'
    found = parse_search(text)
    assert found.wanted == RowSearch(
        status=Status.FAILED,
        source="shop",
        lane="bulk",
        channel=Channel.SMS,
        batch_id=UUID(BATCH),
        code="a b",
    )
    assert found.to == "token"


def test_a_search_is_written_as_it_was_read() -> None:
    """The form shows it, and each link carries it."""
    text = 'source:shop code:"a b" template:"a\u00a0b" to:token'
    found = parse_search(f"  {text} ")
    assert str(found) == text
    assert parse_search(str(found)) == found
    assert str(found.with_to("other")) == text.replace("token", "other")


@pytest.mark.parametrize("digits", ["0b0e", BATCH, BATCH.upper()])
def test_an_id_or_its_first_digits_are_an_id(digits: str) -> None:
    """Operators paste ids from a log."""
    assert parse_search(digits).id_digits == digits.lower()


@each_of(
    ("text", "problem"),
    [
        ("status:faild", "did you mean status:failed?"),
        ("stauts:failed", "did you mean status:?"),
        ("something", "only exact qualifiers and ids"),
        ("0" * 33, "only exact qualifiers and ids"),
        ("source:a source:b", "source: is there twice"),
        ("source:", "source"),
        ('code:"open', "quotation mark"),
        ('code:""', "needs a value"),
        ("batch:12", "whole id of a batch"),
        ("channel:fax", "email, sms, push"),
        ("x" * (LONGEST + 1), "characters"),
        (f"source:{'x' * 256}", "1 to 255"),
    ],
)
def test_a_mistake_says_what_to_write(text: str, problem: str) -> None:
    """The page shows the text beside the search."""
    with pytest.raises(SearchMistake, match=re.escape(problem)):
        parse_search(text)


def test_no_text_takes_long_to_read() -> None:
    """A form feeds it: no text makes its expressions backtrack."""
    begun = time.process_time()
    for text in ('"' * LONGEST, "a:" * (LONGEST // 2), 'a:"' + "x" * (LONGEST - 3), ": " * 200):
        with pytest.raises(SearchMistake):
            parse_search(text)
    assert time.process_time() - begun < 0.5
