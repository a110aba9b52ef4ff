"""When a notification is to be sent: instants, zones, changes of the clock, and limits."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.contract import Incoming, Limits, decode, problems
from notify.errors import DecodeError
from notify.message import Channel, Notification
from tests.support.malformed import changed

NOW = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)
YEAR = timedelta(days=366)
SECOND = timedelta(seconds=1)
BERLIN = ZoneInfo("Europe/Berlin")


def read(now: datetime = NOW, **fields: Any) -> list[Notification]:
    """Decode a request with these fields, as of a given time."""
    return decode(
        Incoming(changed(**fields), "email.normal.shop", "application/json"),
        Limits(max_recipients=10),
        now=now,
    )


def reason(**fields: Any) -> str:
    """Return the text of the refusal."""
    with pytest.raises(DecodeError) as caught:
        read(**fields)
    return str(caught.value)


@pytest.fixture(params=["UTC", "Europe/Berlin", "America/St_Johns"])
def _machine(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A machine whose local time is another."""
    monkeypatch.setenv("TZ", request.param)
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("_machine")
@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-03-29T01:59:59+01:00", "2026-03-29T00:59:59Z"),
        # 02:30 does not occur on this day in Berlin, yet with its offset it is an instant.
        ("2026-03-29T02:30:00+01:00", "2026-03-29T01:30:00Z"),
        ("2026-03-29T03:00:00+02:00", "2026-03-29T01:00:00Z"),
        # 02:30 occurs twice on this day, and the offset tells which is meant.
        ("2026-10-25T02:30:00+02:00", "2026-10-25T00:30:00Z"),
        ("2026-10-25T02:30:00+01:00", "2026-10-25T01:30:00Z"),
        ("2026-07-01T12:00:00-03:30", "2026-07-01T15:30:00Z"),
    ],
)
def test_a_time_with_its_offset_is_one_instant_everywhere(written: str, instant: str) -> None:
    """Neither the machine's zone nor a change of its clock moves it."""
    (notification,) = read(send_at=written, expires_at="2027-01-01T00:00:00Z")
    assert notification.send_at == datetime.fromisoformat(instant)
    assert notification.send_at.tzinfo is UTC


@given(st.integers(0, 300 * 86_400))
def test_any_local_time_that_a_producer_resolves_is_kept(seconds: int) -> None:
    """A time written with the offset of its day is the same instant."""
    instant = NOW + seconds * SECOND
    (notification,) = read(send_at=instant.astimezone(BERLIN).isoformat())
    assert notification.send_at == instant


def test_without_a_send_time_it_is_for_now() -> None:
    """Null is as good as nothing."""
    assert read()[0].send_at is None
    assert read(send_at=None)[0].send_at is None


def test_a_send_time_that_has_passed_is_taken() -> None:
    """A request that waited in a queue is late, not wrong."""
    assert read(send_at="2001-01-01T00:00:00Z")[0].send_at == datetime(2001, 1, 1, tzinfo=UTC)


def test_it_is_sent_before_it_expires_or_refused() -> None:
    """An expiry that comes first, or at the same instant in another zone, cannot be meant."""
    expiry = "2026-06-01T12:00:00Z"
    assert read(send_at="2026-06-01T11:59:59.999Z", expires_at=expiry)
    for written in ("2026-06-01T12:00:00Z", "2026-06-01T14:00:00+02:00", "2026-06-02T00:00:00Z"):
        assert reason(send_at=written, expires_at=expiry).startswith(
            "send_at: not before expires_at"
        )


def test_a_year_ahead_is_the_furthest() -> None:
    """A slip in the year is told and not kept for years."""
    assert read(send_at=(NOW + YEAR).isoformat())
    why = reason(send_at=(NOW + YEAR + SECOND).isoformat())
    assert why.startswith("send_at: more than 366 days ahead")


def test_both_mistakes_about_the_time_are_told_at_once() -> None:
    """One look at the refusal is enough."""
    why = reason(send_at="2099-01-01T00:00:00Z", expires_at="2026-06-01T00:00:00Z")
    assert "send_at: not before expires_at" in why
    assert "send_at: more than 366 days ahead" in why


def test_every_member_of_a_batch_keeps_the_send_time() -> None:
    """Also in its own copy, which the relay publishes."""
    members = read(to=["ann@example.com", "bo@example.com"], send_at="2026-06-01T09:00:00+02:00")
    assert [each.send_at for each in members] == [datetime(2026, 6, 1, 7, tzinfo=UTC)] * 2
    for member in members:
        message = Incoming(member.body, "email.normal.shop", "application/json")
        again = decode(message, Limits(max_recipients=1), now=NOW)
        assert again == [member]


def test_lint_judges_by_the_time_that_it_is_given() -> None:
    """The same file may be fine today and was too early last year."""
    body = changed(send_at="2026-06-01T00:00:00Z")
    assert problems(body, channel=Channel.EMAIL, now=NOW) == []
    (problem,) = problems(body, channel=Channel.EMAIL, now=NOW - YEAR)
    assert (problem.where, problem.why) == ("send_at", "more than 366 days ahead")
    assert problem.hint
