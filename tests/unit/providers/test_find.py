"""Asking a vendor what it took: the contract of `find`, and Twilio's list behind it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

import pytest

from notify.errors import OutcomeUnknown, ProviderError, Throttled, TransientError, Unauthorized
from notify.gateway import ConfiguredProvider
from notify.message import Channel
from notify.provider import Provider
from notify.sandbox import Sandbox
from providers.fcm import Fcm
from providers.memory import Memory
from providers.sendgrid import SendGrid
from providers.twilio import Twilio
from providers.twilio.provider import LONGEST_LIST, PAGE
from tests.support.vendor import Vendor, hang, reset, say
from tests.unit.providers.calling import Hurry
from tests.unit.providers.dialects import FCM, MESSAGE, SENDGRID, TWILIO, json_reply

LOST = "+15005553400"
SMS = replace(MESSAGE, to=LOST, text="Grüße & 100 % 😀")
NOWHERE = "http://127.0.0.1:1"
ACCOUNT: dict[str, Any] = {"account_sid": "AC1", "auth_token": "k", "sender": "+15005550006"}
NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
SPAN = {"since": NOW - timedelta(seconds=10), "until": NOW + timedelta(seconds=10)}


@pytest.fixture(params=["twilio", "memory"])
def provider(request: pytest.FixtureRequest, sandbox: Sandbox) -> Iterator[ConfiguredProvider]:
    """Each provider that can be asked; its vendor takes what is for LOST and never says so."""
    if request.param == "memory":
        yield ConfiguredProvider("memory", Memory(channel="sms", script={LOST: ["unknown"]}))
        return
    line = ConfiguredProvider("twilio", TWILIO.make(base_url=sandbox.url))
    yield line
    line.provider.close()


def around(now: datetime) -> dict[str, datetime]:
    """The span in which a test's own messages were taken."""
    return {"since": now - timedelta(seconds=30), "until": now + timedelta(seconds=30)}


def test_a_message_whose_answer_was_lost_is_found(provider: ConfiguredProvider) -> None:
    """It is the one that the vendor took, letter for letter, and it has an id."""
    assert provider.can_find
    with pytest.raises(OutcomeUnknown):
        provider.send(SMS)
    (receipt,) = provider.find(SMS, **around(datetime.now(UTC)))
    assert receipt.provider_id


def test_what_is_not_like_it_is_not_found(provider: ConfiguredProvider) -> None:
    """Other words, another recipient, another time: none of them is evidence."""
    for sent in (replace(SMS, text="Other."), replace(SMS, to="+15005550100"), SMS):
        with suppress(OutcomeUnknown):
            provider.send(sent)
    now = datetime.now(UTC)
    later = {"since": now + timedelta(minutes=1), "until": now + timedelta(minutes=2)}
    assert len(provider.find(SMS, **around(now))) == 1
    assert provider.find(SMS, **later) == []
    assert provider.find(replace(SMS, text="Never sent."), **around(now)) == []


def test_each_message_of_the_same_words_is_told(provider: ConfiguredProvider) -> None:
    """Which of them is whose, the vendor does not know."""
    for _ in range(3):
        with pytest.raises(OutcomeUnknown):
            provider.send(replace(SMS, attempt_id=uuid4()))
    found = provider.find(SMS, **around(datetime.now(UTC)))
    assert len({receipt.provider_id for receipt in found}) == 3


@pytest.mark.parametrize("channel", list(Channel))
def test_memory_can_be_asked_as_the_real_vendors_can(channel: Channel) -> None:
    """Twilio has a list; SendGrid and FCM have none."""
    real = {Channel.EMAIL: SendGrid, Channel.SMS: Twilio, Channel.PUSH: Fcm}
    assert Memory(channel=channel).can_find == getattr(real[channel], "can_find", False)


@pytest.mark.parametrize("make", [SENDGRID.make, lambda: FCM.make(base_url=NOWHERE), Memory])
def test_who_cannot_be_asked_says_so(make: Callable[[], Provider]) -> None:
    """A look-up there is a slip in our own code, not an answer that nothing was sent."""
    line = ConfiguredProvider("it", make())
    assert not line.can_find
    with pytest.raises(NotImplementedError):
        line.find(MESSAGE, **SPAN)
    line.provider.close()


def listed(number: int = 1, **fields: Any) -> dict[str, Any]:
    """One message as Twilio lists it."""
    usual = {
        "sid": f"SM{number}",
        "to": LOST,
        "body": SMS.text,
        "direction": "outbound-api",
        "status": "delivered",
        "date_created": format_datetime(NOW),
        "date_sent": format_datetime(NOW),
        "error_code": None,
    }
    return {**usual, **fields}


def asked(
    vendor: Vendor, messages: list[dict[str, Any]], following: str | None = None
) -> list[str]:
    """The ids that are found where Twilio lists these messages."""
    page = {"messages": messages, "next_page_uri": following}
    vendor.then(json_reply(200, page)({}))
    with closing(Twilio(base_url=vendor.url, **ACCOUNT)) as provider:
        return [receipt.provider_id for receipt in provider.find(SMS, **SPAN)]


def test_twilio_is_asked_for_the_recipient_alone(vendor: Vendor) -> None:
    """Not by DateSent, since a message that waits in a queue has none."""
    assert asked(vendor, []) == []
    (seen,) = vendor.seen
    assert (seen.method, urlsplit(seen.path).path) == ("GET", TWILIO.path)
    assert parse_qs(urlsplit(seen.path).query) == {"To": [LOST], "PageSize": [str(PAGE)]}
    assert seen.headers["authorization"].startswith("Basic ")
    assert seen.body == b""


@pytest.mark.parametrize(
    ("fields", "counts"),
    [
        ({"status": "queued", "date_sent": None}, True),
        ({"status": "failed", "error_code": 30005}, True),
        ({"status": "undelivered", "error_code": 30003}, True),
        ({"status": "canceled"}, True),
        ({"body": f"{SMS.text}\n"}, True),
        ({"date_created": "Fri, 20 Nov 2026 13:00:05 +0100"}, False),
        ({"date_created": "Fri, 20 Nov 2026 11:59:50 +0000"}, True),
        ({"date_created": "Fri, 20 Nov 2026 12:00:10 +0000"}, True),
        ({"date_created": "Fri, 20 Nov 2026 11:59:48 +0000"}, False),
        ({"date_created": "Fri, 20 Nov 2026 12:00:11 +0000"}, False),
        ({"date_created": None}, False),
        ({"date_created": "yesterday"}, False),
        ({"direction": "inbound"}, False),
        ({"body": ""}, False),
        ({"body": None}, False),
    ],
)
def test_what_counts_as_taken_by_twilio(
    vendor: Vendor, fields: dict[str, Any], counts: bool
) -> None:
    """Any outbound message of our words in our time, whatever became of it since."""
    assert asked(vendor, [listed(**fields)]) == (["SM1"] if counts else [])


def test_all_pages_are_read_oldest_first(vendor: Vendor) -> None:
    """Twilio lists the newest first, and tells where its list goes on."""
    older = listed(2, date_created=format_datetime(NOW - timedelta(seconds=5)))
    vendor.on("/2010-04-01/next?Page=1", json_reply(200, {"messages": [older]})({}))
    assert asked(vendor, [listed(1)], "/2010-04-01/next?Page=1") == ["SM2", "SM1"]


def test_a_list_without_an_end_tells_nothing(vendor: Vendor) -> None:
    """Where the span was not left behind, "not found" would be a guess."""
    messages = [listed(number) for number in range(PAGE)]
    vendor.on("/again", json_reply(200, {"messages": messages, "next_page_uri": "/again"})({}))
    with pytest.raises(OutcomeUnknown, match="too many"):
        asked(vendor, messages, "/again")
    assert len(vendor.seen) == LONGEST_LIST // PAGE


def test_a_long_list_that_leaves_the_span_behind_is_enough(vendor: Vendor) -> None:
    """An older message than the attempt cannot be its own."""
    old = format_datetime(NOW - timedelta(days=1))
    messages = [listed(number, date_created=old) for number in range(2, PAGE + 1)]
    page = {"messages": [*messages, listed(9, body="")], "next_page_uri": "/again"}
    vendor.on("/again", json_reply(200, page)({}))
    assert asked(vendor, [listed(), *messages], "/again") == ["SM1"]


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (say(200, b"<html>canary</html>"), OutcomeUnknown),
        (say(200, b'{"messages": 5}'), OutcomeUnknown),
        (say(200, b'{"messages": [5]}'), OutcomeUnknown),
        (say(200, b'{"messages": [], "next_page_uri": "http://canary"}'), OutcomeUnknown),
        (say(200, b'{"messages": [' + b" " * 3_000_000 + b"]}"), OutcomeUnknown),
        (json_reply(429, {"code": 20429, "message": "canary"})({"Retry-After": "9"}), Throttled),
        (json_reply(401, {"code": 20003, "message": "canary"})({}), Unauthorized),
        (json_reply(503, {"code": 20503, "message": "canary"})({}), TransientError),
        (reset, OutcomeUnknown),
        (hang, OutcomeUnknown),
    ],
)
def test_an_answer_that_is_no_list_is_no_finding(
    vendor: Vendor, reply: Any, kind: type[ProviderError], hurry: Hurry
) -> None:
    """A failed look-up must not count as "it was not sent"."""
    vendor.default = reply
    if reply is hang:
        hurry(9.7)
    with (
        closing(Twilio(base_url=vendor.url, timeout=10.0, **ACCOUNT)) as provider,
        pytest.raises(ProviderError) as caught,
    ):
        provider.find(SMS, **SPAN)
    assert type(caught.value) is kind
    assert "canary" not in str(caught.value)
