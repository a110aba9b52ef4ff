"""Normalizes a provider's results and errors for the database."""

from __future__ import annotations

import math
from decimal import Decimal
from enum import StrEnum
from http import HTTPStatus
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.policies import normalize
from notify.policies.retry import LONGEST_RETRY_AFTER
from tests.support.tables import each_of


class Shout(str):
    """Text whose own idea of its text is another."""

    def __str__(self) -> str:
        """Return what no record takes."""
        return "\ud800"


class Word(StrEnum):
    """Codes as a vendor's library may define them."""

    BAD = "bad"


@each_of(
    ("value", "expected"),
    [
        ("SM1", "SM1"),
        ("", None),
        (None, None),
        ("SM\ud800", "SM?"),
        ("a\x00b\x1bc\x9bd\r\ne\u202ef", "a?b?c?d??e?f"),
        ("caf\u00e9 1", "caf\u00e9 1"),
        (4711, "4711"),
        (21211.0, "21211.0"),
        (Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (b"SM1", "SM1"),
        (b"SM\xff", "SM\ufffd"),
        (Word.BAD, "bad"),
        (Shout("quiet"), "quiet"),
        (True, None),
        pytest.param(10**5000, None, id="long"),
        pytest.param(-(10**5000), None, id="long-negative"),
        ({"to": "ann@example.com"}, None),
        (["SM1"], None),
        (object(), None),
        ("x" * 300, "x" * 64),
    ],
)
def test_any_value_becomes_printable_text_or_none(value: object, expected: str | None) -> None:
    """Numbers are ids too; any other type is dropped, as its text may hold personal data."""
    found = normalize.text(value, longest=64)
    assert found == expected
    assert found is None or type(found) is str


@given(st.one_of(st.text(), st.binary(), st.integers(), st.floats()), st.integers(1, 300))
def test_text_always_fits(value: object, longest: int) -> None:
    """Whatever it was, it can be encoded, printed and stored in its column."""
    found = normalize.text(value, longest=longest)
    if found is not None:
        found.encode()
        assert found.isprintable()
        assert 0 < len(found) <= longest


@each_of(
    ("value", "expected"),
    [
        (202, 202),
        (HTTPStatus.NOT_FOUND, 404),
        ("503", 503),
        (b"429", 429),
        (None, None),
        (True, None),
        (0, None),
        (-1, None),
        (2**70, None),
        (503.0, None),
        ("\u0665\u0660\u0663", None),
        ("200 OK", None),
        ([], None),
    ],
)
def test_a_status_has_three_digits(value: object, expected: int | None) -> None:
    """A number that no column holds would stop a whole group of outcomes."""
    assert normalize.http_status(value) == expected


@each_of(
    ("value", "expected"),
    [
        (1.5, 1.5),
        (30, 30.0),
        ("30", 30.0),
        (Decimal(2), 2.0),
        (-5, 0.0),
        (math.inf, LONGEST_RETRY_AFTER),
        (10**400, None),
        (math.nan, None),
        ("soon", None),
        (None, None),
        (True, None),
        ({}, None),
    ],
)
def test_a_wait_is_a_finite_number_of_seconds(value: object, expected: float | None) -> None:
    """No date and no limit can be computed from NaN."""
    assert normalize.seconds(value) == expected
