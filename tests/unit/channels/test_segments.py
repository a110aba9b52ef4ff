"""How many segments an SMS takes, against the tables of GSM 03.38."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notify.segments import counted, segments
from tests.support.tables import each_of

BASIC = (
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡"
    "ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
EXTENDED = "\f^{}\\[~]|€"
SMILE = "\N{SLIGHTLY SMILING FACE}"


@each_of(
    ("letter", "length", "expected"),
    [
        ("a", 0, 1),
        ("a", 1, 1),
        ("a", 160, 1),
        ("a", 161, 2),
        ("a", 306, 2),
        ("a", 307, 3),
        ("a", 459, 3),
        ("a", 460, 4),
        ("€", 80, 1),
        ("€", 81, 2),
        ("€", 152, 2),
        ("€", 153, 3),
        ("ç", 70, 1),
        ("ç", 71, 2),
        ("ç", 134, 2),
        ("ç", 135, 3),
        (SMILE, 35, 1),
        (SMILE, 36, 2),
        (SMILE, 66, 2),
        (SMILE, 67, 3),
    ],
)
def test_segments_are_counted_at_their_borders(letter: str, length: int, expected: int) -> None:
    """160 or 153 septets of GSM-7, 70 or 67 units of UCS-2; what counts twice is never split."""
    assert segments(letter * length) == expected


def test_every_letter_of_the_basic_table_counts_once() -> None:
    """127 of 128 places; the last is the escape to the extension table."""
    assert len(set(BASIC)) == len(BASIC) == 127
    for letter in BASIC:
        assert segments(letter * 160) == 1
        assert segments(letter * 161) == 2


def test_every_letter_of_the_extension_table_counts_twice() -> None:
    """An escape comes before each."""
    assert len(EXTENDED) == 10
    for letter in EXTENDED:
        assert segments(letter * 80) == 1
        assert segments(letter * 80 + "a") == 2


@each_of("letter", list("`ç\u201c\u2019\u2013\u2026\t\u0451中\x1b\xa0"))
def test_one_letter_outside_the_tables_makes_all_of_it_ucs_2(letter: str) -> None:
    """A typographic quote makes an SMS more than twice as dear."""
    assert segments("a" * 69 + letter) == 1
    assert segments("a" * 70 + letter) == 2


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a" * 152 + "€" + "a" * 152, 3),
        ("a" * 152 + "€" + "a" * 151, 2),
        ("a" * 151 + "€" + "a" * 153, 2),
    ],
)
def test_an_extended_letter_is_not_split_over_two_segments(text: str, expected: int) -> None:
    """Where only its escape would fit, the whole letter begins the next segment."""
    assert segments(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("ç" * 66 + SMILE + "ç" * 65, 2),
        ("ç" * 66 + SMILE + "ç" * 66, 3),
        ("ç" * 65 + SMILE + "ç" * 67, 2),
    ],
)
def test_a_surrogate_pair_is_not_split_over_two_segments(text: str, expected: int) -> None:
    """Half an emoji is none."""
    assert segments(text) == expected


@settings(deadline=None)
@given(st.text(max_size=500), st.characters())
def test_a_longer_text_never_takes_fewer_segments(text: str, letter: str) -> None:
    """And never more than one a letter."""
    assert segments(text) <= segments(text + letter)
    assert 1 <= segments(text) <= max(1, len(text))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Hello", "1 segment"),
        ("x" * 161, "2 segments"),
        ("Привет", "1 segment of Unicode: characters that GSM-7 does not have: 6"),
        ("x" * 100 + SMILE, "2 segments of Unicode: characters that GSM-7 does not have: 1"),
    ],
)
def test_the_count_in_words_says_what_makes_it_high(text: str, words: str) -> None:
    """One character may double the price; the text itself is not repeated."""
    assert counted(text) == words
