"""The step after a call: a table of the rules, and properties for all inputs."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from notify.message import Channel, Notification, Status, Unknown
from notify.policies.retry import (
    History,
    NextStep,
    RetryPolicy,
    RetrySettings,
    UnknownRules,
    Verdict,
)
from tests.support.recording import NOW, asked
from tests.support.tables import each_of

SECOND = timedelta(seconds=1)
HOUR = timedelta(hours=1)
PATIENCE = RetrySettings(attempts=4, deadline=HOUR, first=2 * SECOND, most=60 * SECOND)
PARKING = dict.fromkeys(Channel, Unknown.PARK)
RESENDING = dict.fromkeys(Channel, Unknown.RESEND)


def policy(
    *,
    patience: RetrySettings = PATIENCE,
    channels: Mapping[Channel, Unknown] = RESENDING,
    lookups: Mapping[Channel, timedelta] | None = None,
    seed: int = 7,
    **rules: Any,
) -> RetryPolicy:
    """Rules for the lane `critical`."""
    return RetryPolicy(
        lanes={"critical": patience},
        unknown=UnknownRules(channels, **rules),
        lookups=lookups or {},
        rng=random.Random(seed),
    )


def after(
    verdict: Verdict, *, of: Notification | None = None, spent: int = 0, **changes: Any
) -> NextStep:
    """Return the step after the first call, or a later one, received just now."""
    rules: RetryPolicy = changes.pop("rules", None) or policy()
    history = History(changes.pop("received_at", NOW), spent)
    return rules.after(verdict, of or asked(), history, now=NOW, **changes)


@each_of(
    ("verdict", "spent", "status", "then"),
    [
        (Verdict.SENT, 0, Status.SENT, 1),
        (Verdict.SENT, 9, Status.SENT, 10),
        (Verdict.REJECTED, 0, Status.REJECTED, 1),
        (Verdict.RETRY, 0, Status.QUEUED, 1),
        (Verdict.RETRY, 2, Status.QUEUED, 3),
        (Verdict.RETRY, 3, Status.FAILED, 4),
        (Verdict.THROTTLED, 0, Status.QUEUED, 0),
        (Verdict.THROTTLED, 3, Status.QUEUED, 3),
        (Verdict.UNKNOWN, 0, Status.QUEUED, 1),
        (Verdict.UNKNOWN, 3, Status.UNKNOWN, 4),
    ],
)
def test_each_verdict_has_its_ending(
    verdict: Verdict, spent: int, status: Status, then: int
) -> None:
    """Four attempts; where the answer was lost, it is sent again."""
    following = after(verdict, spent=spent)
    assert (following.status, following.spent) == (status, then)
    assert (following.due_at is None) is (status is not Status.QUEUED)
    assert following.possible_duplicate is (verdict is Verdict.UNKNOWN and spent == 0)


def test_the_last_attempt_says_why_it_was_the_last() -> None:
    """An operator reads it in the dead letters."""
    assert after(Verdict.RETRY, spent=3).note == "given up after 4 attempts"
    soon = asked(expires_at=NOW)
    assert after(Verdict.RETRY, of=soon).note == "it would expire before the next attempt"
    late = after(Verdict.RETRY, received_at=NOW - HOUR)
    assert late.note == "the lane's deadline comes before the next attempt"


@each_of(
    ("spent", "age", "expires_in", "allowed"),
    [
        (0, HOUR - SECOND, None, True),
        (0, HOUR, None, False),
        (3, SECOND, None, True),
        (4, SECOND, None, False),
        (0, SECOND, SECOND, True),
        (0, SECOND, 0 * SECOND, False),
    ],
)
def test_another_provider_is_called_at_once_while_the_lane_has_patience(
    spent: int, age: timedelta, expires_in: timedelta | None, allowed: bool
) -> None:
    """However long the next wait would be."""
    expires_at = NOW + expires_in if expires_in is not None else None
    notification = replace(asked(), expires_at=expires_at)

    assert policy().allows_another(notification, History(NOW - age, spent), now=NOW) is allowed


def test_a_lost_answer_that_can_be_looked_up_is_looked_up_first() -> None:
    """Unknown until then, by whatever rule."""
    for channels in (PARKING, RESENDING):
        rules = policy(channels=channels, lookups={Channel.EMAIL: 30 * SECOND})
        following = after(Verdict.UNKNOWN, rules=rules)
        assert following == NextStep(Status.UNKNOWN, 1, due_at=NOW + 30 * SECOND)
    sms = asked(channel=Channel.SMS)
    assert after(Verdict.UNKNOWN, of=sms, rules=rules).status is Status.QUEUED


@pytest.mark.parametrize(
    ("lane", "template", "rule"),
    [
        ("bulk", "welcome", Unknown.RESEND),
        ("critical", "welcome", Unknown.PARK),
        ("critical", "invoice", Unknown.RESEND),
        ("critical", None, Unknown.PARK),
        ("gone", "other", Unknown.RESEND),
    ],
)
def test_the_template_decides_before_the_lane_before_the_channel(
    lane: str, template: str | None, rule: Unknown
) -> None:
    """The nearest rule is the one that was meant."""
    rules = UnknownRules(
        RESENDING,
        lanes={("critical", Channel.EMAIL): Unknown.PARK, ("bulk", Channel.SMS): Unknown.PARK},
        templates={"invoice": Unknown.RESEND},
    )
    assert rules.of(asked(lane=lane, template=template)) is rule


def test_a_lane_that_is_no_longer_configured_keeps_trying() -> None:
    """A notification that waited through a change of the configuration does not fail for it."""
    following = after(Verdict.RETRY, of=asked(lane="gone"), spent=5)
    assert following.status is Status.QUEUED


def test_patience_with_what_is_scheduled_begins_at_its_time() -> None:
    """A day in the record does not use up the hour in which it is tried."""
    scheduled = asked(send_at=NOW)
    following = after(Verdict.RETRY, of=scheduled, received_at=NOW - 24 * HOUR)
    assert following.status is Status.QUEUED
    long_ago = asked(send_at=NOW - 48 * HOUR)
    assert after(Verdict.RETRY, of=long_ago).status is Status.QUEUED


durations = st.timedeltas(timedelta(milliseconds=1), timedelta(days=30))
patiences = st.builds(
    RetrySettings, attempts=st.integers(1, 100), deadline=durations, first=durations, most=durations
)
wishes = st.none() | st.floats()
moments = st.timedeltas(-timedelta(days=400), timedelta(days=400)).map(lambda away: NOW + away)
notifications = st.builds(
    lambda expires_at, send_at: asked(expires_at=expires_at, send_at=send_at),
    expires_at=st.none() | moments,
    send_at=st.none() | moments,
)
situations: dict[str, Any] = {
    "verdict": st.sampled_from(Verdict),
    "notification": notifications,
    "history": st.builds(History, moments, st.integers(0, 99)),
    "patience": patiences,
    "channels": st.sampled_from([PARKING, RESENDING]),
    "lookups": st.sampled_from([{}, {Channel.EMAIL: 30 * SECOND}]),
    "retry_after": wishes,
    "seed": st.integers(),
}


def decide(case: Mapping[str, Any]) -> NextStep:
    """Decide on a situation."""
    names = ("patience", "channels", "lookups", "seed")
    rules = policy(**{name: case[name] for name in names})
    subject = case["verdict"], case["notification"], case["history"]
    return rules.after(*subject, now=NOW, retry_after=case["retry_after"])


@given(st.fixed_dictionaries(situations))
def test_whatever_comes_is_decided_within_the_rules(case: dict[str, Any]) -> None:
    """No input, a provider's strange wish included, leads outside."""
    following = decide(case)
    notification, history, patience = case["notification"], case["history"], case["patience"]
    if following.status is Status.QUEUED:
        assert following.due_at is not None
        assert following.due_at >= NOW
        begun = max(history.received_at, notification.send_at or history.received_at)
        assert following.due_at < begun + patience.deadline
        assert notification.expires_at is None or following.due_at < notification.expires_at
        assert following.spent < patience.attempts
    assert following.spent - history.spent == (case["verdict"] is not Verdict.THROTTLED)


@given(st.fixed_dictionaries({**situations, "retry_after": st.floats(0, 86_400)}))
def test_a_vendors_wish_to_wait_is_obeyed_to_the_second(case: dict[str, Any]) -> None:
    """Never earlier; where it is longer than our own wait, not later either."""
    assume(case["verdict"] in (Verdict.RETRY, Verdict.THROTTLED))
    following = decide(case)
    if following.due_at is not None:
        wished = NOW + timedelta(seconds=case["retry_after"])
        assert wished <= following.due_at <= max(wished, NOW + case["patience"].most)


@given(st.fixed_dictionaries({**situations, "verdict": st.just(Verdict.UNKNOWN)}))
def test_what_may_have_arrived_is_never_called_failed(case: dict[str, Any]) -> None:
    """Parked it waits for a person; resent it is marked; `failed` would claim to know better."""
    following = decide(case)
    if case["channels"] is PARKING or case["lookups"]:
        assert following.status is Status.UNKNOWN
        assert not following.possible_duplicate
    else:
        assert following.status in (Status.UNKNOWN, Status.QUEUED)
        assert following.possible_duplicate is (following.status is Status.QUEUED)


@given(st.fixed_dictionaries({**situations, "verdict": st.just(Verdict.THROTTLED)}))
def test_being_throttled_alone_never_ends_the_attempts(case: dict[str, Any]) -> None:
    """Only time does: a provider that is busy for an hour costs a notification nothing."""
    case["history"] = replace(case["history"], spent=min(case["patience"].attempts - 1, 99))
    assert "given up" not in decide(case).note


@given(st.fixed_dictionaries(situations))
def test_only_an_answer_ends_it_as_sent_or_rejected(case: dict[str, Any]) -> None:
    """No rule makes up what the provider did not say."""
    ends = {Verdict.SENT: Status.SENT, Verdict.REJECTED: Status.REJECTED}
    expected = ends.get(case["verdict"])
    status = decide(case).status
    assert status is expected or (expected is None and status not in ends.values())


def test_a_wish_that_is_no_number_is_no_wish() -> None:
    """A provider's slip must not stop the record of its neighbours."""
    for wish in (math.nan, -math.inf, -5.0, 0.0, None):
        following = after(Verdict.RETRY, retry_after=wish)
        assert following.status is Status.QUEUED
    assert after(Verdict.RETRY, retry_after=math.inf).status is Status.FAILED
