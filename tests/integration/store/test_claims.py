"""Claiming and recording, on both databases."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from notify.message import Notification, Outcome, Status
from notify.store import Claim, Claimed, Entry, Filter, StatusChange, Store, Story
from notify.store.delivery.claims import FRESH
from notify.store.relays.events import lease_events
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
    rejected,
)


def _story(store: Store, notification: Notification) -> Story:
    story = store.get(notification.id)
    assert story is not None
    return story


def test_claiming_a_new_notification_opens_its_attempt(store: Store) -> None:
    """The row, the lease and the attempt stand before the provider is called."""
    entry = begin(store, expires_at=LATER, batch_id=uuid4(), position=3)
    story = _story(store, entry.notification)
    assert (story.status, story.summary.lease_until) == (Status.SENDING, NOW + LEASE)
    assert (story.summary.received_at, story.summary.expires_at) == (NOW, LATER)
    assert (story.summary.batch_id, story.summary.position) == (entry.notification.batch_id, 3)
    (attempt,) = story.attempts
    assert (attempt.id, attempt.number, attempt.provider) == (entry.attempt_id, 1, "sendgrid")
    assert (attempt.started_at, attempt.ended_at, attempt.outcome) == (NOW, None, None)
    assert story.events == []


@pytest.mark.parametrize("status", [Status.EXPIRED, Status.REJECTED])
def test_an_end_without_a_call_is_an_event_and_no_attempt(store: Store, status: Status) -> None:
    """An expired or unrenderable notification is on record, without a call."""
    entry = Entry(asked(), status, reason="why")
    assert claim_one(store, entry) is Claim.OWNED
    story = _story(store, entry.notification)
    assert (story.status, story.summary.reason, story.summary.attempts) == (status, "why", 0)
    assert (story.attempts, story.events) == ([], [StatusChange(NOW, status, "why")])
    assert claim_one(store, call_for(entry.notification)) is Claim.DEAD


def test_a_second_claim_within_the_lease_is_busy_and_changes_nothing(store: Store) -> None:
    """Another worker keeps its hands off while the first is on it."""
    entry = begin(store)
    before = _story(store, entry.notification)
    within = NOW + LEASE - timedelta(microseconds=1)
    assert claim_one(store, call_for(entry.notification), now=within) is Claim.BUSY
    assert _story(store, entry.notification) == before


@pytest.mark.parametrize(("held", "wait"), [(0, 0), (1, 1), (8, 8), (30, 30), (40, 20), (59, 1)])
def test_a_busy_claim_says_how_long_to_leave_it_alone(store: Store, held: int, wait: int) -> None:
    """As long again as it has held: soon where the call is young, and at the end of its lease."""
    entry = begin(store)
    answer = answer_to(store, call_for(entry.notification), now=NOW + timedelta(seconds=held))
    assert (answer.claim, answer.wait) == (Claim.BUSY, timedelta(seconds=wait))


def test_a_claim_of_what_has_ended_is_a_duplicate_and_changes_nothing(store: Store) -> None:
    """A message delivered twice by the broker is sent once."""
    entry = begin(store)
    store.record([accepted(entry)])
    before = _story(store, entry.notification)
    assert claim_one(store, call_for(entry.notification), now=LATER) is Claim.DUPLICATE
    assert _story(store, entry.notification) == before


def test_a_claim_past_the_lease_tells_which_call_lapsed_and_changes_nothing(store: Store) -> None:
    """The end of the lost worker's call is unknown; the worker that finds it decides."""
    entry = begin(store)
    before = _story(store, entry.notification)
    answer = answer_to(store, call_for(entry.notification), now=NOW + LEASE)
    assert answer == Claimed(Claim.LAPSED, 1, 0, NOW, entry.attempt_id)
    assert _story(store, entry.notification) == before


def test_a_lapsed_call_is_ended_by_whoever_found_it(store: Store) -> None:
    """The lost worker's own attempt is closed, under the fence that it had."""
    entry = begin(store)
    again = call_for(entry.notification)
    answer = answer_to(store, again, now=LATER)
    assert store.record([lost(again, answer)]) == set()
    story = _story(store, entry.notification)
    (attempt,) = story.attempts
    assert (attempt.id, attempt.outcome) == (entry.attempt_id, Outcome.UNKNOWN)
    assert story.events == [StatusChange(LATER, Status.UNKNOWN, attempt.reason)]
    assert (story.status, story.summary.lease_until) == (Status.UNKNOWN, None)
    assert claim_one(store, again, now=LATER) is Claim.DUPLICATE


def test_a_worker_that_wakes_up_late_cannot_record(store: Store) -> None:
    """The outcome of its call has been decided without it."""
    entry = begin(store)
    _lose(store, entry)
    before = _story(store, entry.notification)
    assert store.record([accepted(entry, ended_at=LATER)]) == {entry.notification.id}
    assert _story(store, entry.notification) == before


def test_the_fence_alone_keeps_a_late_worker_out(store: Store) -> None:
    """Also while the one that took over is still sending."""
    entry = begin(store)
    _lose(store, entry, status=Status.QUEUED, due_at=LATER, possible_duplicate=True)
    again = call_for(entry.notification)
    assert answer_to(store, again, now=LATER).fence == 2
    assert store.record([accepted(entry)]) == {entry.notification.id}
    assert store.record([accepted(again, fence=2)]) == set()
    story = _story(store, entry.notification)
    assert [attempt.outcome for attempt in story.attempts] == [Outcome.UNKNOWN, Outcome.ACCEPTED]
    assert story.summary.possible_duplicate


def _lose(store: Store, entry: Entry, **changes: Any) -> None:
    """Make another worker find the ended lease, and record its decision."""
    again = call_for(entry.notification)
    assert store.record([lost(again, answer_to(store, again, now=LATER), **changes)]) == set()


def test_a_late_worker_that_nobody_missed_records_as_ever(store: Store) -> None:
    """An ended lease has no effect until another worker examines the row."""
    entry = begin(store)
    assert store.record([accepted(entry, ended_at=LATER)]) == set()
    assert _story(store, entry.notification).status is Status.SENT


@pytest.mark.parametrize("now", [NOW, LATER])
def test_the_same_key_for_another_request_is_a_conflict(store: Store, now: datetime) -> None:
    """The first request under a key stands, whatever else comes under it and whenever."""
    entry = begin(store)
    before = _story(store, entry.notification)
    other = asked(idempotency_key=entry.notification.idempotency_key, digest=b"x" * 32)
    assert claim_one(store, call_for(other), now=now) is Claim.CONFLICT
    assert store.get(other.id) is None
    assert _story(store, entry.notification) == before


def test_the_same_key_from_another_source_is_another_notification(store: Store) -> None:
    """Producers need not agree on their keys."""
    entry = begin(store)
    other = asked(source="billing", idempotency_key=entry.notification.idempotency_key)
    assert claim_one(store, call_for(other)) is Claim.OWNED


def test_a_claim_of_many_answers_in_order(store: Store) -> None:
    """New, known, lapsed, ended and conflicting ones are told apart within one claim."""
    busy, lapsed, ended = begin(store, now=LATER), begin(store), begin(store)
    store.record([accepted(ended)])
    key = lapsed.notification.idempotency_key
    wanted = [
        (asked(), Claim.OWNED),
        (busy.notification, Claim.BUSY),
        (asked(), Claim.OWNED),
        (lapsed.notification, Claim.LAPSED),
        (asked(idempotency_key=key, digest=b"x" * 32), Claim.CONFLICT),
        (ended.notification, Claim.DUPLICATE),
        (asked(), Claim.OWNED),
    ]
    entries = [call_for(notification) for notification, _ in wanted]
    answers = store.claim(entries, now=LATER, lease=LEASE)
    assert [answer.claim for answer in answers] == [claim for _, claim in wanted]


def test_the_recipients_of_a_batch_are_claimed_one_by_one(store: Store) -> None:
    """They share a key and differ in their position; a redelivery finds who is new."""
    batch = uuid4()
    people = [
        asked(batch_id=batch, position=position, idempotency_key="b-1", to=f"p{position}@x.test")
        for position in range(100)
    ]
    first = [call_for(person) for person in people[:60]]
    assert store.claim(first, now=NOW, lease=LEASE) == [FRESH] * 60
    again = store.claim([call_for(person) for person in people], now=NOW, lease=LEASE)
    assert [answer.claim for answer in again] == [Claim.BUSY] * 60 + [Claim.OWNED] * 40
    members = store.find(Filter(batch_id=batch), limit=200)
    assert [each.position for each in members] == list(range(100))


def test_an_accepted_call_is_recorded_with_the_providers_answer(store: Store) -> None:
    """Attempt, status and event are written together."""
    entry = begin(store)
    record = accepted(entry)
    assert store.record([record]) == set()
    story = _story(store, entry.notification)
    (attempt,) = story.attempts
    assert (attempt.outcome, attempt.ended_at) == (Outcome.ACCEPTED, record.ended_at)
    assert (attempt.provider_id, attempt.http_status, attempt.reason) == ("m-1", 202, None)
    assert story.events == [StatusChange(record.ended_at, Status.SENT, None)]
    assert (story.summary.lease_until, story.summary.updated_at) == (None, record.ended_at)


def test_a_refused_call_is_recorded_with_its_code(store: Store) -> None:
    """The vendor's code and our reason are kept."""
    entry = begin(store)
    store.record([rejected(entry)])
    story = _story(store, entry.notification)
    (attempt,) = story.attempts
    assert (attempt.outcome, attempt.code, attempt.http_status) == (Outcome.NOT_SENT, "21211", 400)
    assert story.status is Status.REJECTED
    assert story.summary.reason == attempt.reason == story.events[0].reason


def test_a_lost_answer_is_recorded_as_unknown(store: Store) -> None:
    """The worker that made the call says so itself."""
    entry = begin(store)
    record = accepted(entry, outcome=Outcome.UNKNOWN, status=Status.UNKNOWN, provider_id=None)
    store.record([record])
    story = _story(store, entry.notification)
    assert (story.status, story.attempts[0].outcome) == (Status.UNKNOWN, Outcome.UNKNOWN)


def test_recording_twice_writes_once(store: Store) -> None:
    """After a commit whose answer was lost, the second try changes nothing."""
    entry = begin(store)
    store.record([accepted(entry)])
    before = _story(store, entry.notification)
    assert store.record([rejected(entry)]) == {entry.notification.id}
    assert _story(store, entry.notification) == before


def test_one_late_record_does_not_keep_back_the_others(store: Store) -> None:
    """Of a group, only the ones that were taken over are left out, and named."""
    entries = [begin(store) for _ in range(3)]
    _lose(store, entries[1])
    late = store.record([accepted(entry) for entry in entries])
    assert late == {entries[1].notification.id}
    statuses = [_story(store, entry.notification).status for entry in entries]
    assert statuses == [Status.SENT, Status.UNKNOWN, Status.SENT]


def test_an_end_without_a_call_is_news_and_a_wait_is_none(store: Store) -> None:
    """Its producer hears how it ended, and not that it waits for the time it asked for itself."""
    ended, waits = asked(), asked()
    entries = [
        Entry(ended, Status.EXPIRED, reason="late"),
        Entry(waits, Status.SCHEDULED, due_at=LATER),
    ]
    store.claim(entries, now=NOW, lease=LEASE)
    with store.writing() as connection:
        (news,) = lease_events(connection, now=NOW, lease=LEASE, limit=9)
    assert news.event.status is Status.EXPIRED
    assert news.event.id == ended.id
