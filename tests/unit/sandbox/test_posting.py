"""The parts that post events: scripts, rules of repetition, keys, waiting items."""

from __future__ import annotations

import json
import stat
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sendgrid.helpers.eventwebhook import EventWebhook
from twilio.request_validator import RequestValidator

from notify.errors import ConfigError
from notify.message import Channel
from notify.sandbox.behaviour import Behaviour, ReceiptFault, Vendor
from notify.sandbox.inbox import Message
from notify.sandbox.posting import Composer, EventKey, PostEntry, PostLedger, last_status
from notify.sandbox.posting.agenda import Agenda
from notify.sandbox.posting.post import CallbackRule, Never, PlannedEvent, UntilAccepted
from notify.sandbox.posting.script import StepKind, steps
from notify.sandbox.posting.signing import twilio_headers
from tests.support.tables import each_of

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
KEY = EventKey.new()
COMPOSER = Composer("http://127.0.0.1:1/receipts", KEY, lambda: NOON, lambda: "a" * 32)


def _mail(**headers: str) -> Message:
    return Message(
        id="m1",
        provider_id="m1",
        vendor=Vendor.SENDGRID,
        channel=Channel.EMAIL,
        at=NOON,
        to="ada@sandbox.test",
        account="sendgrid",
        details={"custom_args": {"notify_id": "n1"}, "headers": headers},
    )


@each_of("behaviour", list(Behaviour))
@each_of("vendor", list(Vendor))
def test_the_steps_of_a_script_follow_one_another(vendor: Vendor, behaviour: Behaviour) -> None:
    """FCM has none; the others have at least one event, each later than the one before."""
    script = steps(vendor, behaviour)
    assert bool(script) == (vendor is not Vendor.FCM)
    assert [each.after for each in script] == sorted(each.after for each in script)


def test_a_look_up_shows_the_last_status() -> None:
    """The reply of a recipient is not a status."""
    assert last_status(Behaviour.UNSUBSCRIBE).word == "delivered"
    assert last_status(Behaviour.BLOCK).fields == {"ErrorCode": "30007"}


@each_of(
    ("fragment", "answered", "tries", "wait"),
    [
        ("", "connect", 1, 1.0),
        ("", "connect", 2, None),
        ("", 503, 1, None),
        ("rc=5&rp=all", 503, 5, 16.0),
        ("rc=5&rp=all", 503, 6, None),
        ("rc=9&rp=all", 404, 6, None),
        ("rc=2&rp=5xx,rt", "timeout", 1, 1.0),
        ("rc=2&rp=5xx,rt", 404, 1, None),
        ("rc=2&rp=5xx,rt", 500, 2, 2.0),
        ("rc=2&rp=all", 204, 1, None),
        ("rc=-1&rp=all", "connect", 1, 1.0),
        ("rc=x", "connect", 1, 1.0),
    ],
)
def test_twilio_repeats_as_the_fragment_asks(
    fragment: str, answered: int | str, tries: int, wait: float | None
) -> None:
    """The count is at most five; the policies name the failures."""
    assert CallbackRule.of(fragment).wait(answered, tries) == wait


def test_sendgrid_repeats_for_a_day() -> None:
    """The waits double up to ten minutes, whatever the failure; 2xx ends it."""
    rule = UntilAccepted()
    waits = [rule.wait(404, tries) for tries in range(1, 400)]
    assert waits[:3] == [1.0, 2.0, 4.0]
    numbers = [wait for wait in waits if wait is not None]
    assert max(numbers) == 600.0
    assert 80_000 < sum(numbers) <= 86_400
    assert waits[-1] is None
    assert rule.wait(204, 1) is None
    assert rule.wait("connect", 1) == 1.0
    assert Never().wait(503, 1) is None


def test_a_batch_is_verified_by_the_vendors_own_code() -> None:
    """Over the time stamp and the exact bytes; a forged one is not."""
    events = [
        PlannedEvent(_mail(), step, at=1.0) for step in steps(Vendor.SENDGRID, Behaviour.LOST)
    ]
    forged = [PlannedEvent(_mail(), events[0].step, ReceiptFault.FORGED)]
    verifier = EventWebhook(KEY.public)
    for post, good in zip(COMPOSER.posts([*events, *forged]), (True, False), strict=True):
        signature = post.headers["X-Twilio-Email-Event-Webhook-Signature"]
        timestamp = post.headers["X-Twilio-Email-Event-Webhook-Timestamp"]
        assert verifier.verify_signature(post.body.decode(), signature, timestamp) is good
        assert not verifier.verify_signature(post.body.decode().strip(), signature, timestamp)


def test_a_callback_is_verified_by_the_vendors_own_code() -> None:
    """Over the URL with its query and the sorted fields."""
    url, form = "https://example.com/t?notify_id=1&x=%20", {"To": "+1500", "From": "Ä", "A": ""}
    validator = RequestValidator("token")
    for forged in (False, True):
        signature = twilio_headers(url, form, "token", forged=forged)["X-Twilio-Signature"]
        assert validator.validate(url, form, signature) is not forged


def test_thousands_of_events_are_posted_by_the_thousand() -> None:
    """No post has more elements than SendGrid's."""
    step = steps(Vendor.SENDGRID, Behaviour.DELIVER)[0]
    posts = list(COMPOSER.posts([PlannedEvent(_mail(), step)] * 2500))
    assert [len(json.loads(post.body)) for post in posts] == [1000, 1000, 500]


def test_a_key_is_kept_in_a_private_file(tmp_path: Path) -> None:
    """The second start signs with the same key."""
    path = tmp_path / "key.pem"
    assert EventKey.stored(path).public == EventKey.stored(path).public
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_has_no_key_is_named(tmp_path: Path) -> None:
    """The error says what to do."""
    path = tmp_path / "key.pem"
    path.write_text("nothing")
    with pytest.raises(ConfigError, match=r"key\.pem has no private key on the curve P-256; name"):
        EventKey.stored(path)
    with pytest.raises(ConfigError, match=r"cannot use the signing key .*: No such file"):
        EventKey.stored(tmp_path / "nowhere" / "key.pem")


@pytest.mark.parametrize(
    ("headers", "url"),
    [
        ({}, None),
        ({"List-Unsubscribe": "<http://127.0.0.1:1/u/t>"}, None),
        (
            {
                "List-Unsubscribe": "<mailto:a@b.de>, <http://127.0.0.1:1/u/t>",
                "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
            },
            "http://127.0.0.1:1/u/t",
        ),
        (
            {
                "list-unsubscribe": "<http://127.0.0.1:2/u/t>, <http://127.0.0.1:x/>",
                "list-unsubscribe-post": "List-Unsubscribe=One-Click",
            },
            None,
        ),
    ],
)
def test_one_click_needs_both_headers_and_the_services_own_address(
    headers: dict[str, str], url: str | None
) -> None:
    """No other host is posted to."""
    assert COMPOSER.unsubscribe_url(_mail(**headers)) == url


def test_an_agenda_is_bounded_and_returns_what_is_due() -> None:
    """In the order of the times; nothing after it is closed."""
    agenda: Agenda[str] = Agenda(most=3, batch=2)
    assert agenda.add("second", after=-1.0)
    assert agenda.add("first", after=-2.0)
    assert agenda.add("last", after=3600.0)
    assert not agenda.add("fourth", after=0.0)
    assert agenda.take() == ["first", "second"]
    assert agenda.add("soon", after=0.02)
    assert agenda.take() == ["soon"]
    assert len(agenda) == 4
    agenda.done(3)
    assert len(agenda) == 1
    threading.Timer(0.05, agenda.close).start()
    assert agenda.take() == []


def test_the_record_of_posts_counts_what_it_no_longer_lists(tmp_path: Path) -> None:
    """Memory is bounded; counts and file are exact."""
    path = tmp_path / "posts.jsonl"
    ledger = PostLedger(path, keep=1)
    entries = [
        PostEntry(NOON, Vendor.TWILIO, "twilio", "sent", answered, 1, "+1500", "n1", "a1", "SM1")
        for answered in (204, "connect")
    ]
    ledger.add(entries)
    assert [each.accepted for each in entries] == [True, False]
    assert ledger.entries() == entries[1:]
    assert ledger.entries(notify_id="n2") == []
    assert ledger.counts() == {"204": 1, "connect": 1}
    lines = path.read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["answered"] for line in lines] == [204, "connect"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    ledger.close()
    with pytest.raises(ConfigError, match=r"cannot write .*posts\.jsonl"):
        PostLedger(tmp_path / "nowhere" / "posts.jsonl")


def test_only_events_have_a_status() -> None:
    """A click and a reply are of the recipient, not of the vendor."""
    kinds = {step.word: step.kind for step in steps(Vendor.TWILIO, Behaviour.UNSUBSCRIBE)}
    assert kinds["STOP"] is StepKind.REPLY
