"""Settling lost calls, on both databases."""

from __future__ import annotations

import threading
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from notify.message import Channel, Outcome, Status
from notify.store import Claim, Entry, Filter, Store, Story
from notify.store.reconcile.lost import (
    RivalCalls,
    find_lost_call,
    find_rivals,
    postpone_lookup,
    unknown_calls,
)
from notify.store.reconcile.outcomes import Settled, change_status, settle_call
from notify.store.relays.due import lease_due
from notify.store.status_rules import Transition
from tests.support.recording import (
    LATER,
    LEASE,
    NOW,
    accepted,
    answer_to,
    begin,
    call_for,
    claim_one,
    lost,
    put_off,
)

MINUTE = timedelta(minutes=1)


def lose(store: Store, entry: Entry, **changes: Any) -> UUID:
    """Record that the answer to a call was lost; give the call's id."""
    values: dict[str, Any] = {"outcome": Outcome.UNKNOWN, "status": Status.UNKNOWN}
    assert store.record([accepted(entry, provider_id=None, **(values | changes))]) == set()
    assert entry.attempt_id is not None
    return entry.attempt_id


def sms(store: Store, *, now: datetime = NOW, to: str = "+4915112345678") -> Entry:
    """An SMS whose call is open."""
    return begin(store, now=now, channel=Channel.SMS, to=to)


def story(store: Store, entry: Entry) -> Story:
    """All that the record knows of a call's notification."""
    found = store.get(entry.notification.id)
    assert found is not None
    return found


def news(store: Store, call: UUID, outcome: Outcome, provider_id: str | None = None) -> Settled:
    """Record how a call ended."""
    with store.writing() as connection:
        return settle_call(
            connection, call, outcome, reason="why", provider_id=provider_id, now=LATER
        )


def take_up_again(store: Store, entry: Entry) -> Entry:
    """Begin the second call for what waits to be sent again."""
    again = call_for(entry.notification)
    assert claim_one(store, again, now=LATER) is Claim.OWNED
    return again


def test_what_was_sent_is_sent(store: Store) -> None:
    """The call has its outcome and the vendor's id, the notification its end, the producer news."""
    entry = sms(store)
    call = lose(store, entry, due_at=LATER)

    assert news(store, call, Outcome.ACCEPTED, "SM1") is Settled.CHANGED

    told = story(store, entry)
    assert (told.status, told.summary.reason) == (Status.SENT, "why")
    assert (told.attempts[0].outcome, told.attempts[0].provider_id) == (Outcome.ACCEPTED, "SM1")
    assert [event.status for event in told.events] == [Status.UNKNOWN, Status.SENT]
    with store.writing() as connection:
        taken = lease_due(connection, [Status.UNKNOWN], now=LATER, lease=LEASE, limit=9)
    assert taken == []


def test_what_was_not_sent_is_tried_again_at_once(store: Store) -> None:
    """It is not a duplicate, since the only call before it sent nothing."""
    entry = sms(store)
    call = lose(store, entry)

    assert news(store, call, Outcome.NOT_SENT) is Settled.CHANGED

    told = story(store, entry)
    assert (told.status, told.attempts[0].outcome) == (Status.QUEUED, Outcome.NOT_SENT)
    assert not told.summary.possible_duplicate
    with store.writing() as connection:
        (due,) = lease_due(connection, [Status.QUEUED], now=LATER, lease=LEASE, limit=9)
    assert due.id == entry.notification.id


@pytest.mark.parametrize("first", [Outcome.ACCEPTED, Outcome.NOT_SENT])
@pytest.mark.parametrize("second", [Outcome.ACCEPTED, Outcome.NOT_SENT])
def test_the_first_news_stands(store: Store, first: Outcome, second: Outcome) -> None:
    """News may come twice, or contradict; a webhook's sender tries again."""
    entry = sms(store)
    call = lose(store, entry)
    assert news(store, call, first) is Settled.CHANGED
    before = story(store, entry)
    assert news(store, call, second) is Settled.KNOWN
    assert story(store, entry) == before


def test_news_of_what_nobody_knows_changes_nothing(store: Store) -> None:
    """Neither of a call that is not ours, nor of one that has its outcome."""
    entry = sms(store)
    assert news(store, uuid4(), Outcome.ACCEPTED) is Settled.KNOWN
    assert entry.attempt_id is not None
    assert news(store, entry.attempt_id, Outcome.ACCEPTED) is Settled.KNOWN
    assert story(store, entry).status is Status.SENDING


def test_late_news_keeps_it_from_being_sent_again(store: Store) -> None:
    """It already waited for its second call; none is made any more, and no doubt is left."""
    entry = sms(store)
    call = lose(store, entry, status=Status.QUEUED, due_at=LATER, possible_duplicate=True)
    assert story(store, entry).summary.possible_duplicate

    assert news(store, call, Outcome.ACCEPTED) is Settled.CHANGED

    told = story(store, entry)
    assert (told.status, told.summary.possible_duplicate) == (Status.SENT, False)
    assert claim_one(store, call_for(entry.notification), now=LATER) is Claim.DUPLICATE


def test_late_news_of_what_is_being_sent_again_corrects_the_call_alone(store: Store) -> None:
    """The second call goes on; its end decides."""
    entry = sms(store)
    call = lose(store, entry, status=Status.QUEUED, due_at=LATER, possible_duplicate=True)
    again = take_up_again(store, entry)

    assert news(store, call, Outcome.ACCEPTED) is Settled.CORRECTED

    assert story(store, entry).status is Status.SENDING
    assert store.record([accepted(again, fence=2)]) == set()
    assert story(store, entry).status is Status.SENT


def test_news_that_came_during_a_second_call_prevent_the_third(store: Store) -> None:
    """The second call was not taken, and by then the first was known to have been."""
    entry = sms(store)
    call = lose(store, entry, status=Status.QUEUED, due_at=LATER, possible_duplicate=True)
    again = take_up_again(store, entry)
    assert news(store, call, Outcome.ACCEPTED) is Settled.CORRECTED
    assert store.record([put_off(again, fence=2, due_at=LATER)]) == set()

    assert claim_one(store, call_for(entry.notification), now=LATER) is Claim.DUPLICATE

    told = story(store, entry)
    assert (told.status, told.summary.possible_duplicate) == (Status.SENT, False)
    assert [event.status for event in told.events][-2:] == [Status.QUEUED, Status.SENT]
    assert len(told.attempts) == 2


def test_two_accepted_calls_are_told_as_a_duplicate(store: Store) -> None:
    """The status stays; the record says that it was sent twice."""
    entry = sms(store)
    call = lose(store, entry, status=Status.QUEUED, due_at=LATER, possible_duplicate=True)
    store.record([accepted(take_up_again(store, entry), fence=2)])

    assert news(store, call, Outcome.ACCEPTED) is Settled.TWICE

    told = story(store, entry)
    assert (told.status, told.summary.possible_duplicate) == (Status.SENT, True)
    assert told.events[-1].reason == "it was sent twice"


def test_while_another_call_is_unknown_nothing_is_tried_again(store: Store) -> None:
    """If this call sent nothing, another call may still have sent it: it is not sent again."""
    entry = sms(store)
    first = lose(store, entry, status=Status.QUEUED, due_at=LATER, possible_duplicate=True)
    second = lose(store, take_up_again(store, entry), fence=2)

    assert news(store, second, Outcome.NOT_SENT) is Settled.CORRECTED
    assert story(store, entry).status is Status.UNKNOWN

    assert news(store, first, Outcome.NOT_SENT) is Settled.CHANGED
    assert story(store, entry).status is Status.QUEUED


def test_not_sent_by_this_call_is_still_sent_by_another(store: Store) -> None:
    """The second call is unknown when news of the first comes; either way it has been sent."""
    entry = sms(store)
    first = lose(store, entry, status=Status.QUEUED, due_at=LATER, possible_duplicate=True)
    again = take_up_again(store, entry)
    news(store, first, Outcome.ACCEPTED)
    second = lose(store, again, fence=2)
    with store.reading() as connection:
        call = find_lost_call(connection, entry.notification.id)
    assert call is not None
    assert call.sent

    assert news(store, second, Outcome.NOT_SENT) is Settled.CHANGED
    assert story(store, entry).status is Status.SENT


def test_the_newest_lost_call_is_looked_up(store: Store) -> None:
    """With what a look-up needs to know of it."""
    entry = sms(store)
    first = lose(store, entry, status=Status.QUEUED, due_at=LATER, spent=1)
    second = lose(store, take_up_again(store, entry), fence=2, spent=2, ended_at=LATER + MINUTE)
    with store.reading() as connection:
        call = find_lost_call(connection, entry.notification.id)
        assert unknown_calls(connection, entry.notification.id) == [first, second]
        assert find_lost_call(connection, uuid4()) is None
    assert call is not None
    assert (call.attempt_id, call.provider) == (second, "sendgrid")
    assert (call.started_at, call.ended_at) == (LATER, LATER + MINUTE)
    assert (call.deadline_from, call.spent, call.sent) == (NOW, 2, False)


def test_rivals_are_the_calls_for_one_recipient_in_a_span(store: Store) -> None:
    """The ids that stand for another call, and whether one has none yet."""
    mine = sms(store)
    lose(store, mine)
    store.record([accepted(sms(store), provider_id="SM1")])
    store.record([accepted(sms(store, to="+4915100000000"), provider_id="SM2")])
    store.record([accepted(sms(store, now=NOW - 3 * MINUTE), provider_id="SM3")])
    store.record([accepted(begin(store, to="+4915112345678"), provider_id="m-4")])

    def look() -> RivalCalls:
        span = {"since": NOW - MINUTE, "until": NOW + MINUTE}
        with store.writing() as connection:
            return find_rivals(connection, Channel.SMS, mine.notification.to, **span)

    assert look() == RivalCalls(provider_ids=frozenset({"SM1"}), open=False)
    sms(store)
    assert look() == RivalCalls(provider_ids=frozenset({"SM1"}), open=True)


def test_one_message_is_never_taken_for_two(store: Store) -> None:
    """Two look-ups of the same words at once: the second sees what the first has claimed."""
    calls = [lose(store, sms(store)) for _ in range(2)]
    together = threading.Barrier(2)
    results: dict[UUID, Settled | None] = {}

    def claim(call: UUID) -> None:
        together.wait()
        with store.writing() as connection:
            others = find_rivals(connection, Channel.SMS, "+4915112345678", since=NOW, until=NOW)
            results[call] = (
                None
                if "SM1" in others.provider_ids
                else settle_call(
                    connection, call, Outcome.ACCEPTED, reason="", provider_id="SM1", now=LATER
                )
            )

    threads = [threading.Thread(target=claim, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results.values(), key=str) == [None, Settled.CHANGED]


def test_only_who_holds_it_may_decide_or_postpone(store: Store) -> None:
    """A reconciler that comes back after its hold finds that another has taken over."""
    entry = sms(store)
    lose(store, entry, due_at=NOW)
    with store.writing() as connection:
        (late,) = lease_due(connection, [Status.UNKNOWN], now=NOW, lease=MINUTE, limit=1)
    with store.writing() as connection:
        (mine,) = lease_due(connection, [Status.UNKNOWN], now=LATER, lease=MINUTE, limit=1)
    parked = Transition(Status.UNKNOWN, "parked")
    with store.writing() as connection:
        assert not change_status(
            connection, late.id, parked, leased_until=late.leased_until, now=LATER
        )
        postpone_lookup(connection, late, until=LATER + MINUTE, now=LATER)
        assert change_status(connection, mine.id, parked, leased_until=mine.leased_until, now=LATER)
        assert not change_status(
            connection, mine.id, parked, leased_until=mine.leased_until, now=LATER
        )
    assert [event.status for event in story(store, entry).events] == [Status.UNKNOWN] * 2


def test_a_postponed_one_is_due_again_at_its_time(store: Store) -> None:
    """Not before, and then for any reconciler of its channel."""
    entry = sms(store)
    lose(store, entry, due_at=NOW)

    def take(now: datetime, channel: Channel = Channel.SMS) -> list[Any]:
        with store.writing() as connection:
            return lease_due(
                connection, [Status.UNKNOWN], channel=channel, now=now, lease=MINUTE, limit=1
            )

    assert take(NOW, Channel.EMAIL) == []
    (due,) = take(NOW)
    with store.writing() as connection:
        postpone_lookup(connection, due, until=NOW + 2 * MINUTE, now=NOW)
    assert take(NOW + MINUTE) == []
    assert len(take(NOW + 2 * MINUTE)) == 1


@pytest.mark.parametrize("own_first", [True, False])
def test_the_first_of_two_outcomes_of_a_call_counts(store: Store, own_first: bool) -> None:
    """In one batch: a worker ends its own slow call, and finds by a copy that it has lapsed."""
    entry = begin(store)
    answer = answer_to(store, call_for(entry.notification), now=LATER)
    own, found = accepted(entry), lost(entry, answer, due_at=LATER)
    store.record([own, found, found] if own_first else [found, own, found])
    story = store.get(entry.notification.id)
    assert story is not None
    first = own if own_first else found
    assert [each.status for each in story.events] == [first.status] == [story.status]
    assert [each.outcome for each in story.attempts] == [first.outcome]
    assert store.count(Filter()) == {first.status: 1}
