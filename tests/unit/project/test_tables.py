"""A table of cases is one test, which tries each case and names all that fail."""

from __future__ import annotations

import inspect

import pytest

from tests.support.tables import each_of


def test_every_case_is_tried_and_every_failing_one_is_named() -> None:
    """Whatever fails: an assertion, an error, or one that did not come; nothing hides another."""
    tried: list[int] = []

    @each_of(
        "number, word", [(1, "one"), (2, "fine"), (3, "three"), pytest.param(4, "x", id="four")]
    )
    @each_of("again", [False, True])
    def test(shared: list[int], number: int, word: str, again: bool) -> None:
        shared.append(number)
        assert number != 1 or again
        if number == 3:
            raise ValueError(word)
        if number == 4:
            pytest.fail("nothing was raised")

    assert list(inspect.signature(test).parameters) == ["shared"]
    with pytest.raises(BaseExceptionGroup) as caught:
        test(shared=tried)
    assert tried == [1, 1, 2, 2, 3, 3, 4, 4]
    text = str(caught.value)
    assert text.startswith("3 of 4 cases failed:\n0: 1, 'one'\n2: 3, 'three'\n3: four")
    assert [len(each.exceptions) for each in caught.value.exceptions] == [1, 2, 2]


def test_a_table_that_checks_nothing_is_refused() -> None:
    """An empty one, one with a field that the test lacks, and one with marks."""
    with pytest.raises(AssertionError, match="without a case"):
        each_of("number", [])
    with pytest.raises(AssertionError, match="no parameter"):
        each_of("number", [1])(lambda: None)
    with pytest.raises(AssertionError, match="skipped"):
        each_of("number", [pytest.param(1, marks=pytest.mark.skip)])
