"""Handing a claimed notification on to the next provider, on both databases."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

from notify.message import Outcome, Status
from notify.store import Claim, Entry, Record, Store, Story
from notify.store.delivery.handover import hand_over
from tests.support.recording import (
    LATER,
    LEASE,
    NOW,
    accepted,
    answer_to,
    asked,
    begin,
    call_for,
    claim_one,
    lost,
    put_off,
)


def handed_over(store: Store, ended: Record, attempt_id: UUID) -> int | None:
    """Close the call that ended, and open the next one."""
    with store.writing() as connection:
        following = replace(call_for(asked(), attempt_id=attempt_id), provider="other")
        return hand_over(connection, ended, following, until=ended.ended_at + LEASE)


def story_of(store: Store, entry: Entry) -> Story:
    """Read what the record holds of an entry's notification."""
    story = store.get(entry.notification.id)
    assert story is not None
    return story


def test_the_next_call_is_recorded_under_a_fence_of_its_own(store: Store) -> None:
    """A worker that has not heard of the commit can record nothing any more."""
    entry, next_call = begin(store), uuid4()

    assert handed_over(store, put_off(entry), next_call) == 2

    before = story_of(store, entry)
    assert [attempt.outcome for attempt in before.attempts] == [Outcome.NOT_SENT, None]
    assert store.record([accepted(entry)]) == {entry.notification.id}
    answer = replace(accepted(entry), attempt_id=next_call)
    assert store.record([answer]) == {entry.notification.id}
    assert story_of(store, entry) == before
    assert store.record([replace(answer, fence=2)]) == set()
    assert story_of(store, entry).status is Status.SENT


def test_a_call_is_handed_over_once(store: Store) -> None:
    """A second commit for the same end, after the first one's answer was lost, opens no call."""
    entry = begin(store)
    assert handed_over(store, put_off(entry), uuid4()) == 2
    before = story_of(store, entry)

    assert handed_over(store, put_off(entry), uuid4()) is None

    assert story_of(store, entry) == before


def test_what_another_worker_has_taken_over_is_not_handed_on(store: Store) -> None:
    """Its lease ended, and another worker is calling: the sleeper opens no second call."""
    entry = begin(store)
    answer = answer_to(store, call_for(entry.notification), now=LATER)
    resent = lost(entry, answer, status=Status.QUEUED, due_at=LATER)
    assert store.record([resent]) == set()
    again = call_for(entry.notification)
    assert claim_one(store, again, now=LATER + timedelta(seconds=1)) is Claim.OWNED
    before = story_of(store, entry)

    assert handed_over(store, put_off(entry), uuid4()) is None

    assert story_of(store, entry) == before
    assert before.attempts[-1].id == again.attempt_id


def test_what_has_ended_is_not_handed_on(store: Store) -> None:
    """Its lease passed and it was called unknown, under the very same fence."""
    entry = begin(store, now=NOW)
    answer = answer_to(store, call_for(entry.notification), now=LATER)
    assert store.record([lost(entry, answer)]) == set()
    before = story_of(store, entry)

    assert handed_over(store, put_off(entry), uuid4()) is None

    assert (story_of(store, entry), before.status) == (before, Status.UNKNOWN)
