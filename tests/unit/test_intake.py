"""One queue's messages in hand."""

from __future__ import annotations

from typing import cast

import pytest

from notify.intake import CLAIMERS, LARGEST_BATCH, Intake
from notify.received import Received


def _message() -> Received:
    return cast(Received, object())


@pytest.fixture
def intake() -> Intake:
    """An intake with more waiting than all claimers take at once."""
    intake = Intake("notify.email.normal")
    intake.waiting.extend(_message() for _ in range(LARGEST_BATCH * CLAIMERS + 1))
    return intake


def test_each_idle_claimer_gets_one_batch(intake: Intake) -> None:
    """What is left waits until a batch has begun."""
    assert [len(batch) for batch in intake.batches()] == [LARGEST_BATCH] * CLAIMERS
    assert list(intake.batches()) == []
    intake.begun()
    assert [len(batch) for batch in intake.batches()] == [1]


def test_a_lost_connection_leaves_nothing_in_hand(intake: Intake) -> None:
    """The broker has what was dropped, and nothing is consumed any more."""
    intake.prefetch = 64
    assert intake.forget() == LARGEST_BATCH * CLAIMERS + 1
    assert not intake.waiting
    assert intake.prefetch == 0


@pytest.mark.parametrize(
    ("prefetch", "wanted", "change"),
    [
        (0, 0, False),
        (0, 1, True),
        (64, 0, True),
        (64, 64, False),
        (64, 40, False),
        (64, 32, True),
        (10, 19, False),
        (10, 20, True),
        (1, 2, True),
    ],
)
def test_a_new_consumer_is_worth_it_for_twice_or_half_as_many(
    prefetch: int, wanted: int, change: bool
) -> None:
    """Nothing or something is always worth it."""
    intake = Intake("notify.email.normal")
    intake.prefetch = prefetch
    assert intake.change(wanted) is change
