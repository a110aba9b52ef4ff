"""Holds: which messages, queues and providers a scope stops."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.message import Channel, Notification
from notify.policies.holds import Scope
from tests.support.recording import asked

LANES = ("critical", "bulk")
SOURCES = ("shop", "crm")
TEMPLATES = ("welcome", "code")
PARTS: dict[str, tuple[Any, ...]] = {
    "channel": tuple(Channel),
    "lane": LANES,
    "source": SOURCES,
    "template": TEMPLATES,
}

notifications = st.builds(
    asked,
    channel=st.sampled_from(Channel),
    lane=st.sampled_from(LANES),
    source=st.sampled_from(SOURCES),
    template=st.sampled_from([None, *TEMPLATES]),
)
scopes = st.builds(
    Scope,
    channel=st.none() | st.sampled_from(Channel),
    lane=st.none() | st.sampled_from(LANES),
    source=st.none() | st.sampled_from(SOURCES),
    template=st.none() | st.sampled_from(TEMPLATES),
)


@given(notifications, scopes, st.sampled_from(sorted(PARTS)), st.data())
def test_one_more_filter_stops_no_more(
    notification: Notification, scope: Scope, part: str, data: st.DataObject
) -> None:
    """Whatever a hold with one more filter stops, it stops without that filter too."""
    wide = replace(scope, **{part: None})
    narrow = replace(scope, **{part: data.draw(st.sampled_from(PARTS[part]))})
    assert wide.matches(notification) or not narrow.matches(notification)
    queue = notification.channel, notification.lane
    assert wide.stops_queue(*queue) or not narrow.stops_queue(*queue)
    assert wide.touches_queue(*queue) or not narrow.touches_queue(*queue)


@given(notifications, scopes)
def test_a_scope_stops_what_fits_all_its_parts(notification: Notification, scope: Scope) -> None:
    """Joined by and; the parts that are not given fit anything."""
    fits = all(str(getattr(notification, part)) == value for part, value in scope.given.items())
    assert scope.matches(notification) is fits


@given(notifications, scopes)
def test_a_stopped_queue_holds_only_what_is_stopped(
    notification: Notification, scope: Scope
) -> None:
    """A queue is left alone as long as one of its messages may be sent."""
    queue = notification.channel, notification.lane
    if scope.stops_queue(*queue):
        assert scope.matches(notification)
    if scope.matches(notification):
        assert scope.touches_queue(*queue)
    if scope.source or scope.template:
        assert not scope.stops_queue(*queue)


@given(notifications)
def test_a_providers_hold_stops_the_provider_and_no_message(notification: Notification) -> None:
    """Another provider may send it."""
    scope = Scope(provider="sendgrid")
    assert scope.stops_provider("sendgrid")
    assert not scope.stops_provider("twilio")
    assert not scope.matches(notification)
    assert not scope.stops_queue(notification.channel, notification.lane)
    assert not scope.touches_queue(notification.channel, notification.lane)


def test_a_scope_of_messages_stops_no_provider() -> None:
    """Not even the scope of everything: its messages wait already."""
    assert not Scope().stops_provider("sendgrid")
    assert not Scope(channel=Channel.EMAIL).stops_provider("sendgrid")


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        (Scope(), "everything"),
        (Scope(provider="sendgrid"), "provider sendgrid"),
        (
            Scope(template="code", source="shop", lane="bulk", channel=Channel.SMS),
            "channel sms, lane bulk, source shop, template code",
        ),
    ],
)
def test_a_scope_says_what_it_stops(scope: Scope, words: str) -> None:
    """In one order, so that two of the same read the same."""
    assert str(scope) == words
