"""The options and the addresses of push messages, from the request to what a provider gets."""

from __future__ import annotations

import json
from typing import Any

import pytest

from notify.channels import CHANNELS
from notify.contract import Incoming, Limits, decode
from notify.contract import problems as problems_of
from notify.errors import DecodeError
from notify.message import NO_OPTIONS, Channel, Notification, PushOptions, PushPriority
from tests.support.tables import each_of

PLAIN = {
    "id": "f4c1c7f0-7f0b-4a4e-8f64-0f9d8f8e3b13",
    "to": "dGhpcyBpcyBh",
    "title": "Your parcel",
    "body": "It arrives today.",
}
KEYS = f"p256dh={'B' * 87}&auth={'A' * 22}"
SUBSCRIPTION = f"https://fcm.googleapis.com/fcm/send/x#{KEYS}"
ALL = {
    "app_data": {"screen": "order"},
    "image": "https://example.com/parcel.png",
    "sound": "default",
    "badge": 0,
    "link": "https://example.com/orders/1017",
    "ttl": 3600,
    "priority": "high",
    "collapse_key": "order-1017",
    "topic": "com.example.app",
}


def decoded(**fields: Any) -> list[Notification]:
    """Return the notifications of a request with these fields."""
    body = json.dumps({**PLAIN, **fields}).encode()
    return decode(
        Incoming(routing_key="push.normal.shop", body=body, content_type="application/json"),
        Limits(),
    )


def wrong(**fields: Any) -> list[str]:
    """Return the places of the problems of a request with these fields."""
    body = json.dumps({**PLAIN, **fields}).encode()
    return [each.where for each in problems_of(body, channel=Channel.PUSH)]


def test_each_option_reaches_the_provider() -> None:
    """Under its own name, and for each recipient of a batch."""
    expected = PushOptions(
        data={"screen": "order"},
        image="https://example.com/parcel.png",
        sound="default",
        badge=0,
        link="https://example.com/orders/1017",
        ttl=3600,
        priority=PushPriority.HIGH,
        collapse_key="order-1017",
        topic="com.example.app",
    )
    for recipients in ("one", ["one", {"to": "two"}]):
        for each in decoded(**ALL, to=recipients):
            assert each.extras is not None
            assert each.extras.push == expected


@pytest.mark.parametrize("fields", [{}, dict.fromkeys(ALL), {"app_data": {}}])
def test_a_message_without_options_carries_none(fields: dict[str, Any]) -> None:
    """Null is absent, and nothing is made for it."""
    (each,) = decoded(**fields)
    assert each.extras is None
    assert PushOptions() == NO_OPTIONS


@each_of(
    "fields",
    [
        {"image": "http://example.com/x.png"},
        {"image": "https://example.com/a b"},
        {"link": "javascript://alert(1)"},
        {"link": "data://text"},
        {"link": "example.com"},
        {"link": "https://example.com/\n"},
        {"sound": "../x"},
        {"badge": -1},
        {"badge": True},
        {"badge": "1"},
        {"ttl": -1},
        {"ttl": 2_419_201},
        {"priority": "urgent"},
        {"priority": 1},
        {"collapse_key": "x" * 65},
        {"collapse_key": "schlüssel"},
        {"collapse_key": ""},
        {"topic": "com/example"},
        {"app_data": {"x": 1}},
        {"sender": "support"},
    ],
)
def test_a_wrong_value_is_named_by_its_field(fields: dict[str, Any]) -> None:
    """And refused, as in any other field."""
    (name,) = fields
    assert all(place.startswith(name) for place in wrong(**fields))
    assert wrong(**fields)
    with pytest.raises(DecodeError):
        decoded(**fields)


@each_of(
    ("fields", "place"),
    [
        ({"app_data": {"from": "x"}}, "app_data.*"),
        ({"app_data": {"google.x": "x"}}, "app_data.*"),
        ({"app_data": {"notify_id": "x"}}, "app_data.*"),
        ({"app_data": {"aps": "x"}}, "app_data.*"),
        ({"metadata": {"aps": "x"}}, "metadata.*"),
        ({"app_data": {"order": "x"}, "metadata": {"order": "y"}}, "app_data.*"),
        ({"app_data": {"link": "x"}, "link": "https://example.com"}, "app_data.link"),
        ({"metadata": {"image": "x"}, "image": "https://example.com"}, "metadata.image"),
        ({"app_data": {"x": "y" * 4000}}, "body"),
    ],
)
def test_data_that_an_app_could_not_read_is_refused(fields: dict[str, Any], place: str) -> None:
    """A name that is reserved, or there twice; and a message that is too large."""
    assert wrong(**fields) == [place]


def test_a_name_is_free_while_its_field_is_not_used() -> None:
    """Producers may have used them before."""
    assert wrong(metadata={"link": "x", "image": "y"}) == []


@pytest.mark.parametrize("to", ["c:APA91b", "0a" * 32, "fid:dGhp", SUBSCRIPTION])
def test_each_kind_of_address_is_accepted(to: str) -> None:
    """Tokens of FCM and Apple, installation ids, and browsers' subscriptions."""
    (each,) = decoded(to=to)
    assert each.to == to
    assert CHANNELS[Channel.PUSH].is_address(to)


@each_of(
    "to",
    [
        "https://push.example.com/x",
        f"https://push.example.com/x#{KEYS}&x=1",
        f"https://push.example.com/x#p256dh=B&auth={'A' * 22}",
        SUBSCRIPTION.replace("auth=AAA", "auth=A+A"),
        "fid:",
        "a b",
        "",
    ],
)
def test_a_malformed_address_is_refused(to: str) -> None:
    """Before a message is made of it."""
    assert wrong(to=to) == ["to"]
    assert not CHANNELS[Channel.PUSH].is_address(to)
