"""The pure parts of the archive: what is read of a death, of odd values, and of no use."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import event

from notify.arrival import Again, Decision, Done
from notify.deadletters import Archive, Eligibility, ReplayPlan
from notify.deadletters.archive import LOOK_AGAIN
from notify.deadletters.death import death
from notify.deadletters.plain import LARGEST, bounded, clean, plain
from notify.message import Channel
from notify.status.letter_body import readable
from notify.store import Store
from notify.topology import DEAD
from tests.support.burying import LANES, LIMITS, arrival, body_of, buried, died
from tests.support.examples import examples
from tests.support.recording import NOW
from tests.support.tables import each_of

AMQP_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats()
    | st.text(st.characters())
    | st.binary()
    | st.decimals()
    | st.datetimes(),
    lambda inner: (
        st.lists(inner, max_size=6) | st.dictionaries(st.text(st.characters()), inner, max_size=6)
    ),
    max_leaves=20,
)


def texts(value: Any) -> Iterator[str]:
    """Return every text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from (key, *texts(inner))
    elif isinstance(value, list):
        for inner in value:
            yield from texts(inner)


@settings(max_examples=examples(50))
@given(st.dictionaries(st.text(st.characters()), AMQP_VALUES, max_size=6))
def test_any_headers_become_json_that_any_database_takes(headers: dict[str, Any]) -> None:
    """No NUL, no half characters, no numbers that are none."""
    kept = bounded({"application_headers": headers})
    assert len(json.dumps(kept, allow_nan=False)) <= LARGEST + 200
    for text in texts(kept):
        assert "\x00" not in text
        text.encode()


def test_headers_that_are_too_large_are_left_out_and_counted() -> None:
    """The small ones stay, the broker's among them."""
    kept = bounded({"message_id": "m", "application_headers": {"big": "x" * 90_000, **died()}})
    assert kept["message_id"] == "m"
    assert set(kept["application_headers"]) == set(died())
    assert kept["left_out"] == "1 headers, too large to keep"


def test_values_without_json_form_become_text() -> None:
    """Nothing is guessed, and nothing nests without end."""
    assert plain(Decimal("1.50")) == "1.50"
    assert plain(datetime(2025, 1, 2, 3, 4)) == "2025-01-02T03:04:00+00:00"  # noqa: DTZ001
    assert plain(float("nan")) == "nan"
    deep: Any = "x"
    for _ in range(900):
        deep = [deep]
    assert "nested too deep" in json.dumps(plain(deep))
    assert clean("a\x00\ud800", longest=6) == "a\\x00\\"


def test_a_death_is_read_as_the_broker_writes_it() -> None:
    """In UTC; where it had been published, and in which queue it died."""
    found = death(DEAD, {"application_headers": died("delivery_limit")})
    assert found is not None
    assert (found.reason, found.queue) == ("delivery_limit", "notify.email.critical")
    assert (found.exchange, found.at) == ("notify", NOW)


@pytest.mark.parametrize("headers", [None, {}, {"x-death": []}])
def test_a_message_that_matched_no_queue_has_no_death(headers: Any) -> None:
    """It came by the alternate exchange, under the name of the one it was published to."""
    assert death("notify", {"application_headers": headers}) is None


@pytest.mark.parametrize(
    "forged",
    ["soon", [], ["x"], [{"reason": 5, "time": "noon", "queue": None}], {"reason": "x"}],
)
def test_a_forged_death_is_passed_over(forged: Any) -> None:
    """Any producer may write such a header; the message is read as one that a worker rejected."""
    found = death(DEAD, {"application_headers": {"x-death": forged}})
    assert found is not None
    assert (found.reason, found.queue, found.at) == ("rejected", None, None)


def test_nothing_is_acknowledged_that_is_not_written(store: Store) -> None:
    """A record that is away: every message stays with the broker, and is looked at again."""
    store.close()
    away = Store.open("postgresql+psycopg://nobody@127.0.0.1:1/none")
    decisions: list[Decision] = []
    archive = Archive(away, limits=LIMITS, delivery_limits=LANES)
    assert not archive.deliver([arrival(b"a", settle=decisions.append)] * 3)
    assert decisions == [Again(LOOK_AGAIN)] * 3
    assert not archive.record_answers()
    archive.stop(timeout=1)


def test_a_letter_that_the_record_refuses_is_kept_bare(store: Store) -> None:
    """Its body is what counts, and its neighbours are whole."""

    def refuse(*arguments: Any) -> None:
        if "poison-key" in str(arguments[3]):
            raise UnicodeEncodeError("utf-8", "x", 0, 1, "refused")

    event.listen(store._engine, "before_cursor_execute", refuse)
    decisions: list[Decision] = []
    archive = Archive(store, limits=LIMITS, delivery_limits=LANES, clock=lambda: NOW)
    bad = arrival(b"\xff", key="poison-key", settle=decisions.append)
    assert archive.deliver([bad, arrival(body_of(uuid4()), settle=decisions.append)])
    assert decisions == [Done(), Done()]
    kept = buried(store)
    assert [(letter.routing_key, letter.cause) for letter in kept] == [
        ("", "other"),
        ("email.critical.shop", "other"),
    ]


def test_a_plan_takes_as_long_as_its_slowest_channel() -> None:
    """Each channel goes at the rate, after what earlier replays have lined up on it."""
    free = NOW + timedelta(seconds=3)
    plan = ReplayPlan(begins={Channel.SMS: free})
    assert plan.seconds(10.0, now=NOW) == 0.0
    plan.replayed.update({Channel.EMAIL: 40, Channel.SMS: 20})
    plan.eligibilities[Eligibility.NEVER_SENT] = 60
    assert plan.seconds(10.0, now=NOW) == 5.0
    assert plan.seconds(10.0, now=NOW.astimezone(UTC) + timedelta(seconds=9)) == 4.0


@each_of(
    ("body", "here", "absent"),
    [
        (b'{"to": "ann@example.com"}', '"a\xe2\x80\xa2'.encode("latin-1").decode(), "ann@"),
        (b'{"to": [{"to": "+4915112345678"}]}', '"+49', "15112345678"),
        (b'{"to": "ann@example.com",}', '"to": "a************', "ann@"),
        (b"call +49 151 1234 5678 now", "call +*", "1234"),
        (b"\xff\x00ann@example.com", "ff 00 61 2a", "ann@"),
        (b'{"to": 5, "x": "Gr\xc3\xbc\xc3\x9fe"}', "Grüße", "\\u00fc"),
    ],
)
def test_recipients_in_bodies_are_masked(body: bytes, here: str, absent: str) -> None:
    """Where it cannot be read too; the rest stands where it stood."""
    text = readable(body, show_recipients=False)
    assert here in text
    assert absent not in text


def test_a_body_is_shown_whole_on_request() -> None:
    """JSON laid out, broken text as it is, bytes in hexadecimal, and never without end."""
    assert (
        readable(b'{"to":"ann@example.com"}', show_recipients=True)
        == '{\n  "to": "ann@example.com"\n}'
    )
    assert readable(b"to,ann@example.com\n", show_recipients=True) == "to,ann@example.com\n"
    assert readable(b"\xff\x00A", show_recipients=True).split() == [
        "00000000",
        "ff",
        "00",
        "41",
        "..A",
    ]
    assert "characters more: --raw" in readable(b"x" * 30_000, show_recipients=True)
