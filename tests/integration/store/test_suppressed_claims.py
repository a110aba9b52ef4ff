"""The check of the suppression list, in the statement that claims a message."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from notify.keyring import CLEAR
from notify.message import Channel, Outcome, Status
from notify.store import Claim, Claimed, Entry, Store, Story
from notify.store.delivery import hand_over
from notify.store.suppression import SuppressionCheck, stopped_messages
from notify.store.tables import suppressions
from notify.suppression import (
    ALL,
    Lift,
    Suppression,
    SuppressionReason,
    category_scope,
    lift,
    sender_scope,
    source_scope,
    suppress,
)
from tests.support.examples import examples
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
from tests.support.sealing import KEYRING

MINUTE = timedelta(minutes=1)


def stop(store: Store, *, now: Any = NOW, **changes: Any) -> int:
    """Suppress Ann, by default for a bounce; return the entry's number."""
    values: dict[str, Any] = {
        "channel": Channel.EMAIL,
        "reason": SuppressionReason.BOUNCE,
        "since": now,
        "recipient": "ann@example.com",
    }
    with store.writing() as connection:
        (added,) = suppress(connection, [Suppression(**(values | changes))], now=now)
    return added.id


def story_of(store: Store, entry: Entry) -> Story:
    """Read what the record holds of an entry's notification."""
    story = store.get(entry.notification.id)
    assert story is not None
    return story


def test_a_suppressed_one_ends_with_its_event_and_without_an_attempt(store: Store) -> None:
    """The reason names the entry and never the address; a redelivery is a duplicate."""
    number = stop(store)
    entry = call_for(asked())

    answer = answer_to(store, entry)

    why = f"suppressed: bounce, see notify suppress show {number}"
    assert answer == Claimed(Claim.OWNED, suppressed=why)
    story = story_of(store, entry)
    assert (story.status, story.summary.reason) == (Status.SUPPRESSED, why)
    assert story.attempts == []
    assert story.summary.lease_until is None
    assert [(each.status, each.reason) for each in story.events] == [(Status.SUPPRESSED, why)]
    assert claim_one(store, call_for(entry.notification), now=LATER) is Claim.DUPLICATE
    assert story_of(store, entry) == story


def test_only_the_suppressed_ones_of_a_batch_end(store: Store) -> None:
    """The answers are in the order of the entries."""
    stop(store, recipient="BOB@example.com")
    people = ["ann@example.com", "bob@example.com", "eve@example.com"]
    entries = [call_for(asked(to=person)) for person in people]
    answers = store.claim(entries, now=NOW, lease=LEASE)
    assert [answer.suppressed is not None for answer in answers] == [False, True, False]
    assert [story_of(store, entry).status for entry in entries] == [
        Status.SENDING,
        Status.SUPPRESSED,
        Status.SENDING,
    ]
    assert [len(story_of(store, entry).attempts) for entry in entries] == [1, 0, 1]


def test_one_that_arrives_between_two_attempts_stops_the_retry(store: Store) -> None:
    """The bounce of another message came in while this one waited."""
    entry = begin(store)
    store.record([put_off(entry)])
    number = stop(store)

    answer = answer_to(store, call_for(entry.notification), now=LATER)

    assert answer.claim is Claim.OWNED
    assert answer.suppressed == f"suppressed: bounce, see notify suppress show {number}"
    story = story_of(store, entry)
    assert story.status is Status.SUPPRESSED
    assert [each.outcome for each in story.attempts] == [Outcome.NOT_SENT]
    assert [each.status for each in story.events] == [Status.QUEUED, Status.SUPPRESSED]


def test_a_deferred_one_is_checked_when_it_is_claimed_for_a_call(store: Store) -> None:
    """The deferral makes no call, so the entry may still be lifted before it is due."""
    stop(store)
    waiting = asked()
    deferred = Entry(waiting, Status.QUEUED, reason="limits", due_at=NOW + MINUTE)
    assert answer_to(store, deferred).suppressed is None
    assert answer_to(store, call_for(waiting), now=LATER).suppressed is not None


def test_a_resend_of_an_unknown_outcome_is_stopped(store: Store) -> None:
    """The first call may have caused the bounce."""
    entry = begin(store)
    answer = answer_to(store, call_for(entry.notification), now=LATER)
    store.record([lost(entry, answer, status=Status.QUEUED, due_at=LATER)])
    stop(store)
    again = answer_to(store, call_for(entry.notification), now=LATER + MINUTE)
    assert again.suppressed is not None
    assert story_of(store, entry).status is Status.SUPPRESSED


def test_one_that_an_earlier_call_had_sent_is_sent(store: Store) -> None:
    """Its status says what happened, whatever the list says today."""
    entry = begin(store)
    store.record([accepted(entry, status=Status.QUEUED, due_at=LATER, provider_id="m-1")])
    stop(store)
    assert claim_one(store, call_for(entry.notification), now=LATER) is Claim.DUPLICATE
    assert story_of(store, entry).status is Status.SENT


def test_an_end_without_a_call_keeps_its_own_reason(store: Store) -> None:
    """An expired one was not stopped by the list."""
    stop(store)
    ended = Entry(asked(), Status.EXPIRED, reason="it expired")
    assert answer_to(store, ended).suppressed is None
    assert story_of(store, ended).status is Status.EXPIRED


def test_a_call_that_was_made_is_claimed_again_whatever_the_list_says(store: Store) -> None:
    """The record lost the claim, and the outcome has to be recorded."""
    stop(store)
    entry = replace(call_for(asked()), check=SuppressionCheck.NONE)
    assert answer_to(store, entry).suppressed is None
    assert store.record([accepted(entry)]) == set()


def test_an_entry_counts_from_its_writing_until_its_end(store: Store) -> None:
    """At the moment of its end it does not count any more."""
    stop(store, until=NOW + MINUTE)
    assert answer_to(store, call_for(asked())).suppressed is not None
    just_before = NOW + MINUTE - timedelta(microseconds=1)
    assert answer_to(store, call_for(asked()), now=just_before).suppressed is not None
    assert answer_to(store, call_for(asked()), now=NOW + MINUTE).suppressed is None


def test_a_lifted_entry_stops_nothing(store: Store) -> None:
    """The row stays, and does not count."""
    stop(store, reason=SuppressionReason.OPT_OUT)
    with store.writing() as connection:
        lift(
            connection,
            [Lift(channel=Channel.EMAIL, at=NOW, recipient="ann@example.com")],
            now=NOW,
        )
    assert answer_to(store, call_for(asked())).suppressed is None


def test_another_channel_is_not_affected(store: Store) -> None:
    """A token and an address may be the same text."""
    stop(store, channel=Channel.PUSH)
    assert answer_to(store, call_for(asked())).suppressed is None


def test_the_entry_that_binds_the_most_is_named(store: Store) -> None:
    """A lift of the bounce alone would not help."""
    stop(store)
    number = stop(store, reason=SuppressionReason.COMPLAINT)
    why = answer_to(store, call_for(asked())).suppressed
    assert why == f"suppressed: complaint, see notify suppress show {number}"


def test_a_message_under_a_new_row_id_is_checked_too(store: Store) -> None:
    """Another source used its id."""
    first = begin(store, source="bank", to="eve@example.com")
    number = stop(store)
    entry = call_for(asked(id=first.notification.id))
    answer = answer_to(store, entry)
    assert answer.suppressed == f"suppressed: bounce, see notify suppress show {number}"
    assert answer.id is not None
    story = store.get(answer.id)
    assert story is not None
    assert story.status is Status.SUPPRESSED


@pytest.mark.usefixtures("store")
def test_an_entry_of_before_the_keyring_still_counts(migrated_url: str) -> None:
    """Its hash has no key: the check looks for both."""
    plain = Store.open(migrated_url, keyring=CLEAR)
    stop(plain)
    plain.close()
    sealed = Store.open(migrated_url, keyring=KEYRING)
    assert answer_to(sealed, call_for(asked())).suppressed is not None
    sealed.close()


def test_failover_does_not_reach_a_sender_that_the_recipient_opted_out_of(store: Store) -> None:
    """The first provider failed for certain; the next one's number has a STOP on it."""
    stop(store, reason=SuppressionReason.OPT_OUT, scope=sender_scope("+15005550006"))
    entry = begin(store)
    other = replace(call_for(entry.notification), provider="other", sender="+15005550006")
    free = replace(other, sender="+15005550007")
    with store.writing() as connection:
        assert hand_over(connection, put_off(entry), other, until=LATER) is None
        assert hand_over(connection, put_off(entry), free, until=LATER) == 2


SCOPES = (
    ALL,
    source_scope("shop"),
    source_scope("bank"),
    category_scope("newsletter"),
    category_scope("security"),
    category_scope("newsletter", "shop"),
    sender_scope("+15005550006"),
    sender_scope("MG1"),
)


@given(
    listed=st.lists(st.tuples(st.sampled_from(SCOPES), st.booleans()), max_size=4, unique=True),
    source=st.sampled_from(["shop", "bank"]),
    category=st.sampled_from([None, "newsletter", "security"]),
    sender=st.sampled_from([None, "+15005550006", "MG1"]),
    check=st.sampled_from(SuppressionCheck),
)
@settings(
    max_examples=examples(150),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_scopes_apply_as_the_model_says(
    store: Store,
    listed: Sequence[tuple[str, bool]],
    source: str,
    category: str | None,
    sender: str | None,
    check: SuppressionCheck,
) -> None:
    """Over all combinations of entries and messages, new or on record."""
    with store.writing() as connection:
        connection.execute(delete(suppressions))
    waiting = asked(source=source, category=category)
    answer_to(store, Entry(waiting, Status.QUEUED, due_at=NOW))
    for scope, binding in listed:
        reason = SuppressionReason.COMPLAINT if binding else SuppressionReason.BOUNCE
        stop(store, scope=scope, reason=reason)
    applying = {ALL, source_scope(source)}
    applying |= {category_scope(category), category_scope(category, source)} if category else set()
    applying |= {sender_scope(sender)} if sender else set()
    expected = check is not SuppressionCheck.NONE and any(
        scope in applying and (binding or check is SuppressionCheck.ALL)
        for scope, binding in listed
    )
    for message in (asked(source=source, category=category), waiting):
        entry = replace(call_for(message), sender=sender, check=check)
        answer = answer_to(store, entry)
        assert answer.claim is Claim.OWNED
        assert (answer.suppressed is not None) is expected


@pytest.mark.parametrize("exempt", [False, True], ids=["", "exempt"])
@pytest.mark.parametrize("reason", [SuppressionReason.OPT_OUT, SuppressionReason.BOUNCE])
@pytest.mark.parametrize("scope", [each for each in SCOPES if not each.startswith("sender:")])
def test_the_plan_of_a_replay_agrees_with_the_claim(
    store: Store, scope: str, reason: SuppressionReason, exempt: bool
) -> None:
    """It does not promise a send to a recipient that unsubscribed with one click."""
    stop(store, scope=scope, reason=reason)
    message = asked(source="shop", category="newsletter")
    categories = ["newsletter"] if exempt else []
    with store.reading() as connection:
        stopped = stopped_messages(connection, [message], exempt=categories, now=NOW)
    check = SuppressionCheck.BINDING if exempt else SuppressionCheck.ALL
    answer = answer_to(store, replace(call_for(message), check=check))
    assert stopped.get(message.key) == answer.suppressed


@pytest.mark.parametrize("status", [Status.QUEUED, Status.SCHEDULED])
def test_the_category_is_on_record(store: Store, status: Status) -> None:
    """The claim writes it with the rest of the row."""
    entry = Entry(asked(category="newsletter"), status, due_at=NOW)
    answer_to(store, entry)
    with store.reading() as connection:
        found: str = connection.exec_driver_sql("SELECT category FROM notifications").scalar_one()
    assert found == "newsletter"
