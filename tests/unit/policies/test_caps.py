"""Caps and countries: what counts together, in which span of time, and who is refused."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notify.channels import country_of
from notify.message import Channel, Notification
from notify.policies.caps import Cap, CapPer, Countries, Period, Unit, daily_spend
from tests.support.recording import asked
from tests.support.tables import each_of

LONGEST_COUNT = 255 - len("x" * 31)


def _sms(to: str = "+4915112345678", **changes: Any) -> Notification:
    return asked(channel=Channel.SMS, to=to, **changes)


def _cap(**changes: Any) -> Cap:
    values: dict[str, Any] = {"name": "one", "most": 5, "period": Period.HOUR}
    return Cap(**(values | changes))


@given(st.sampled_from(Period), st.floats(min_value=0, max_value=4e9))
def test_spans_of_time_are_fixed_and_leave_no_gap(period: Period, now: float) -> None:
    """Every moment lies in one span; the next begins where it ends."""
    starts, ends = period.around(now)
    assert starts <= now < ends
    assert ends - starts == period.seconds
    assert period.around(ends)[0] == ends


@pytest.mark.parametrize(
    ("period", "starts"),
    [
        (Period.MINUTE, datetime(2025, 3, 30, 1, 59, tzinfo=UTC)),
        (Period.HOUR, datetime(2025, 3, 30, 1, tzinfo=UTC)),
        (Period.DAY, datetime(2025, 3, 30, tzinfo=UTC)),
    ],
)
def test_spans_begin_with_the_clock_in_utc(period: Period, starts: datetime) -> None:
    """Also on the day on which a time zone changes its clocks."""
    now = datetime(2025, 3, 30, 1, 59, 59, 999_999, tzinfo=UTC)
    assert period.around(now.timestamp())[0] == starts.timestamp()


def test_a_cap_concerns_its_channel_and_all_lanes_that_are_not_exempt() -> None:
    """Without a channel it concerns them all."""
    cap = _cap(channel=Channel.SMS, exempt=["critical"])
    assert cap.applies_to(_sms(lane="bulk"))
    assert not cap.applies_to(_sms(lane="critical"))
    assert not cap.applies_to(asked(lane="bulk"))
    assert _cap().applies_to(asked(lane="critical"))


def test_a_count_belongs_to_a_recipient_a_source_or_all() -> None:
    """A recipient counts together for all sources, and a source for all recipients."""
    ann, bob = _sms(), _sms("+4915112345679", source="crm")
    ann_again = replace(ann, source="crm", lane="bulk", template="code")
    for per, same in [(CapPer.RECIPIENT, ann_again), (CapPer.SOURCE, replace(bob, source="shop"))]:
        cap = _cap(per=per)
        assert cap.counter(ann) == cap.counter(same)
        assert cap.counter(ann) != cap.counter(bob)
    assert _cap().counter(ann) == _cap().counter(bob) == "one"


def test_a_count_never_tells_the_recipient() -> None:
    """A hash stands for it, another one for each cap, short enough for its column."""
    one, two = (_cap(name=name, per=CapPer.RECIPIENT).counter(_sms()) for name in ("one", "two"))
    assert one.startswith("one:")
    assert "15112345678" not in one
    assert one.removeprefix("one:") != two.removeprefix("two:")
    longest = _cap(name="x" * 31, per=CapPer.RECIPIENT).counter(asked(to="a" * 4096))
    assert len(longest) <= LONGEST_COUNT


def test_one_mailbox_is_one_recipient_however_it_is_written() -> None:
    """Device tokens mean another device for every letter."""
    cap = _cap(per=CapPer.RECIPIENT)
    assert cap.counter(asked(to="Ann@example.com")) == cap.counter(asked(to="ann@example.com"))
    one, other = (asked(channel=Channel.PUSH, to=token) for token in ("aBc", "abc"))
    assert cap.counter(one) != cap.counter(other)


@pytest.mark.parametrize(
    ("cap", "words"),
    [
        (
            _cap(name="one-person", per=CapPer.RECIPIENT),
            "caps.one-person is used up: 5 notifications to one recipient an hour",
        ),
        (
            _cap(name="quota", per=CapPer.SOURCE, most=100_000, period=Period.DAY),
            "caps.quota is used up: 100,000 notifications from shop a day",
        ),
        (
            _cap(name="quota", per=CapPer.SOURCE, sources={"shop": 20}, period=Period.MINUTE),
            "caps.quota.sources.shop is used up: 20 notifications from shop a minute",
        ),
        (
            _cap(name="all", most=7, unit=Unit.SEGMENTS),
            "caps.all is used up: 7 segments an hour",
        ),
        (daily_spend(Channel.SMS, 1234.5), "channels.sms.daily_spend is used up: 1,234.5 a day"),
    ],
)
def test_a_refusal_names_the_option_to_change(cap: Cap, words: str) -> None:
    """And never the recipient."""
    assert cap.refusal(_sms()) == words


def test_a_source_may_have_its_own_limit() -> None:
    """The others have the cap's."""
    cap = _cap(per=CapPer.SOURCE, sources={"crm": 0})
    assert cap.limit(_sms(source="crm")) == 0
    assert cap.limit(_sms(source="shop")) == 5


def test_no_lane_spends_beyond_the_daily_spend() -> None:
    """Fraud asks for login codes, so critical is not exempt."""
    cap = daily_spend(Channel.SMS, 10)
    assert cap.applies_to(_sms(lane="critical"))
    assert not cap.applies_to(asked(lane="critical"))


@each_of(
    ("number", "country"),
    [
        ("+4915112345678", "DE"),
        ("+12025550123", "US"),
        ("+14165550123", "CA"),
        ("+18095551234", "DO"),
        ("+18765551234", "JM"),
        ("+79161234567", "RU"),
        ("+77011234567", "KZ"),
        ("+447400123456", "GB"),
        ("+447781123456", "GG"),
        ("+447797712345", "JE"),
        ("+390612345678", "IT"),
        ("+15005550006", "US"),
        ("+447700900123", None),
        ("+12005550123", None),
        ("+881612345678", None),
        ("+99912345678", None),
        ("x", None),
    ],
)
def test_a_number_is_of_the_country_that_its_digits_say(number: str, country: str | None) -> None:
    """Not of the largest one with its code; satellites and unused ranges are of none."""
    assert country_of(number) == country


def test_only_allowed_countries_are_sent_to() -> None:
    """A premium island does not pass as its neighbour, and nothing passes by default."""
    countries = Countries({"DE", "US"})
    assert countries.refusal(_sms()) is None
    assert countries.refusal(_sms("+12025550123")) is None
    refusal = countries.refusal(_sms("+18765551234"))
    assert refusal == "SMS to JM are not allowed; see channels.sms.countries"
    unknown = countries.refusal(_sms("+881612345678"))
    assert unknown == "the number's country is unknown, so not allowed; see channels.sms.countries"
    assert Countries(()).refusal(_sms()) is not None
    assert Countries(["*"]).refusal(_sms("+881612345678")) is None


def test_the_price_is_the_countrys_or_that_of_the_others() -> None:
    """Where none is known, the highest: a cap that is met early harms less than none."""
    prices = Countries(["*"], {"DE": 0.07, "JM": 0.3, "*": 0.1})
    numbers = ("+4915112345678", "+12025550123", "+881612345678")
    assert [prices.price(_sms(each)) for each in numbers] == [0.07, 0.1, 0.1]
    assert Countries(["*"], {"DE": 0.07, "JM": 0.3}).price(_sms("+881612345678")) == 0.3
    assert Countries(["*"]).price(_sms()) == 0
