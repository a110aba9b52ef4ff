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
    intake.in_hand = len(intake.waiting) + 3
    intake.forget()
    assert not intake.waiting
    assert intake.prefetch == 0
    assert intake.in_hand == 3  # in a batch by then: each is settled in its time


@pytest.mark.parametrize(
    ("prefetch", "wanted", "next_prefetch"),
    [
        (0, 0, 0),
        (0, 1, 1),
        (64, 0, 0),
        (64, 64, 64),
        (64, 40, 64),
        (64, 32, 32),
        (10, 19, 10),
        (10, 20, 20),
        (1, 2, 2),
    ],
)
def test_a_new_consumer_is_worth_it_for_twice_or_half_as_many(
    prefetch: int, wanted: int, next_prefetch: int
) -> None:
    """Nothing or something is always worth it."""
    intake = Intake("notify.email.normal")
    intake.prefetch = prefetch
    assert intake.next_prefetch(wanted) == next_prefetch


@pytest.mark.parametrize(
    ("prefetch", "in_hand", "wanted", "next_prefetch"),
    [
        (0, 5, 4, 1),
        (0, 4, 4, 4),
        (64, 64, 32, 1),
        (64, 32, 32, 32),
        (1, 40, 32, 1),
        (32, 32, 64, 64),
        (0, 20, 1, 1),
    ],
)
def test_what_earlier_consumers_brought_counts(
    prefetch: int, in_hand: int, wanted: int, next_prefetch: int
) -> None:
    """However often the mind is changed, twice of what is wanted is never in hand for long."""
    intake = Intake("notify.email.normal")
    intake.prefetch, intake.in_hand = prefetch, in_hand
    assert intake.next_prefetch(wanted) == next_prefetch
