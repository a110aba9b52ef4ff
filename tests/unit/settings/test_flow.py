"""Values that the options of flow control accept, refuse and never print."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from notify.errors import ConfigError
from notify.message import Channel
from notify.settings import BreakerSettings, Settings, load
from notify.settings.show import effective

CANARY = "hunter2canary"

Write = Callable[[str], Path]

TWO = """
[channels.email]
providers = ["a", "b"]
{channel}
[providers.a]
use = "m:A"
{a}
[providers.b]
use = "m:B"
{b}
"""


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Write a configuration file and return its path."""

    def _write(text: str) -> Path:
        file = tmp_path / "notify.toml"
        file.write_text(text, "utf-8")
        return file

    return _write


def told(path: Path, **environ: str) -> list[str]:
    """Return the mistakes that loading tells, a line each."""
    with pytest.raises(ConfigError) as caught:
        load(path, environ=environ)
    return [line.strip() for line in str(caught.value).splitlines()[1:]]


def two(*, channel: str = "", a: str = "", b: str = "") -> str:
    """Write a channel of two providers, with more options for each."""
    return TWO.format(channel=channel, a=a, b=b)


def sms(options: str) -> str:
    """Write an SMS channel with these options."""
    return f"[providers.a]\nuse = 'm:A'\n[channels.sms]\nproviders = ['a']\n{options}"


def test_nothing_said_limits_nothing() -> None:
    """No limit, no cap; lanes have their shares, and every provider its breaker."""
    settings = load(environ={})
    assert (settings.limits, settings.caps) == ({}, {})
    assert {name: lane.share for name, lane in settings.lanes.items()} == {
        "critical": 1.0,
        "normal": 0.8,
        "bulk": 0.6,
    }
    provider = Settings.model_validate({"providers": {"a": {"use": "m:A"}}}).providers["a"]
    assert (provider.rate, provider.burst, provider.limits) == (None, None, [])
    assert provider.breaker == BreakerSettings()


def test_a_lane_of_ones_own_has_a_share_between_normal_and_none(write: Write) -> None:
    """Its share is that of normal, as its deadline is."""
    assert load(write("[lanes.night]\n"), environ={}).lanes["night"].share == 0.8


def test_every_option_of_flow_control_is_read(write: Write) -> None:
    """Weights, rates, shared limits, breakers, limits for each source, countries, caps."""
    file = write(
        two(
            channel="weights = {a = 80, b = 0}\nfailover_share = 0.5",
            a="rate = 500\nburst = 50\nlimits = ['account']\nbreaker = {slow_call = 2}",
            b="rate = 10",
        )
        + "[limits.account]\nrate = 600\n"
        "[limits.each]\nrate = 5\nburst = 9\nper = 'source'\nchannel = 'email'\n"
        "exempt = ['critical']\n"
        "[caps.person]\nper = 'recipient'\nmost = 3\nperiod = 'day'\n"
        "[caps.quota]\nper = 'source'\nmost = 9\nperiod = 'hour'\n"
        "sources = {crm = 0}\n"
    )
    settings = load(file, environ={})
    email = settings.channels[Channel.EMAIL]
    assert (email.weights, email.failover_share) == ({"a": 80, "b": 0}, 0.5)
    a = settings.providers["a"]
    assert (a.rate, a.burst, a.limits, a.breaker.slow_call) == (500, 50, ["account"], 2)
    each = settings.limits["each"]
    assert (each.per, each.channel, each.exempt) == ("source", Channel.EMAIL, ["critical"])
    assert (settings.limits["account"].per, settings.limits["account"].burst) == (None, None)
    assert settings.caps["person"].exempt == ["critical"]
    assert (settings.caps["quota"].exempt, settings.caps["quota"].sources) == ([], {"crm": 0})


def test_variables_reach_flow_control_too(write: Write) -> None:
    """Lists by commas, nested tables by their names; a country is written in any case."""
    file = write(sms("countries = ['de']\nprices = {DE = 0.07}\n"))
    environ = {
        "NOTIFY_CHANNELS__SMS__COUNTRIES": "DE, us",
        "NOTIFY_CHANNELS__SMS__PRICES__DE": "0.05",
        "NOTIFY_CHANNELS__SMS__PRICES__US": "0.01",
        "NOTIFY_CHANNELS__SMS__DAILY_SPEND": "500",
        "NOTIFY_PROVIDERS__A__BREAKER__PROBES": "7",
        "NOTIFY_LANES__BULK__SHARE": "0.5",
        "NOTIFY_LIMITS__ACCOUNT__RATE": "5",
    }
    settings = load(file, environ=environ)
    channel = settings.channels[Channel.SMS]
    assert channel.countries == ["DE", "US"]
    assert (channel.prices, channel.daily_spend) == ({"DE": 0.05, "US": 0.01}, 500)
    assert settings.providers["a"].breaker.probes == 7
    assert settings.lanes["bulk"].share == 0.5
    assert settings.limits["account"].rate == 5
    origins = {each.key: each.origin.kind for each in effective(file, environ=environ)}
    assert origins["channels.sms.prices.DE"] == "environment"


def test_a_limit_for_each_country_is_one_of_sms() -> None:
    """Only numbers belong to a country."""
    limit = {"rate": 1, "per": "country"}
    assert Settings.model_validate({"limits": {"x": limit}}).limits["x"].channel is Channel.SMS


def test_tables_are_removed_by_false(write: Write) -> None:
    """So a variable can lift what the file says."""
    file = write("[limits.x]\nrate = 1\n[caps.x]\nper = 'all'\nmost = 1\nperiod = 'day'\n")
    settings = load(file, environ={"NOTIFY_LIMITS__X": "false", "NOTIFY_CAPS__X": "false"})
    assert (settings.limits, settings.caps) == ({}, {})


LIMIT, CAP = "[limits.x]\nrate = 1\n", "[caps.x]\nper = 'all'\nmost = 1\nperiod = 'day'\n"

MISTAKES: list[tuple[str, str]] = [
    ("[lanes.bulk]\nshare = 0", "lanes.bulk.share: must be greater than 0"),
    ("[lanes.bulk]\nshare = 1.1", "lanes.bulk.share: must be less than or equal to 1"),
    ("[limits.x]\nburst = 3", "limits.x.rate: is missing; set it"),
    ("[limits.x]\nrate = 0", "limits.x.rate: must be greater than 0"),
    (f"{LIMIT}burst = 0.5", "limits.x.burst: must be greater than or equal to 1"),
    (f"{LIMIT}per = 'moon'", "limits.x.per: must be 'source', 'recipient' or 'country'"),
    (f"{LIMIT}channel = 'sms'", "limits.x.channel: has no effect without `per`; add it, or remove"),
    (f"{LIMIT}exempt = ['bulk']", "limits.x.exempt: has no effect without `per`; add it, or rem"),
    (f"{LIMIT}per = 'source'\nchannel = 'fax'", "limits.x.channel: must be 'email', 'sms' or 'pus"),
    (
        f"{LIMIT}per = 'source'\nexempt = ['critcal']",
        "limits.x.exempt: number 1 is not in [lanes]; did you mean critical?",
    ),
    (
        f"{LIMIT}per = 'country'\nchannel = 'push'",
        'limits.x.channel: push has no countries; write "sms", or another `per`',
    ),
    (
        "[limits.provider]\nrate = 1",
        "limits.provider: the service has limits of its own under this name: choose another",
    ),
    (
        "[limits.failover]\nrate = 1",
        "limits.failover: the service has limits of its own under th",
    ),
    (
        LIMIT + two(a="limits = ['x', 'x']"),
        "providers.a.limits: number 2 is a duplicate; remove it",
    ),
    (
        two().replace('"b"]', '"a"]'),
        "channels.email.providers: number 2 is a duplicate; remove it",
    ),
    (
        LIMIT.replace("x", "acct") + two(a="limits = ['acc']"),
        "providers.a.limits: number 1 is not in [limits]; did you mean acct?",
    ),
    (two(a="limits = ['x']"), "providers.a.limits: number 1 is not in [limits]; none is defined"),
    (
        LIMIT + "per = 'source'\n" + two(a="limits = ['x']"),
        "providers.a.limits: number 1 has `per` and is for its whole channel; remove it here",
    ),
    (two(a="burst = 3"), "providers.a.burst: has no effect without `rate`; add it, or remove this"),
    (two(a="rate = 3\nburst = 0"), "providers.a.burst: must be greater than or equal to 1"),
    (two(a="rate = inf"), "providers.a.rate: must be a finite number"),
    (two(a="breaker = 3"), "providers.a.breaker: must be a table of options"),
    (
        two(a="breaker = {widnow = 3}"),
        "providers.a.breaker.widnow: unknown option; did you mean wi",
    ),
    (two(a="breaker = {window = 0}"), "providers.a.breaker.window: must be greater than or equal"),
    (two(a="breaker = {failure_rate = 2}"), "providers.a.breaker.failure_rate: must be less than"),
    (two(a="breaker = {slow_rate = 0}"), "providers.a.breaker.slow_rate: must be greater than 0"),
    (two(a="breaker = {slow_call = -1}"), "providers.a.breaker.slow_call: must be greater than 0"),
    (two(a="breaker = {minimum_calls = 0}"), "providers.a.breaker.minimum_calls: must be greater"),
    (two(a="breaker = {unreachable = 0}"), "providers.a.breaker.unreachable: must be greater than"),
    (two(a="breaker = {probes = 0}"), "providers.a.breaker.probes: must be greater than or equal"),
    (
        two(a="breaker = {first_open = 150}"),
        "providers.a.breaker.longest_open: is shorter than first_open; raise it, or lower first_op",
    ),
    (
        two(channel="weights = {a = 1, b = 1, c = 1}"),
        "channels.email.weights.c: is not a provider of this channel; known are: a, b",
    ),
    (
        two(channel="weights = {a = 1}"),
        "channels.email.weights: has none for provider number 2; 0 reserves it for failover",
    ),
    (two(channel="weights = {a = 0, b = 0}"), "channels.email.weights: must contain one above 0"),
    (two(channel="weights = {a = -1, b = 1}"), "channels.email.weights.a: must be greater than or"),
    (two(channel="failover_share = 0"), "channels.email.failover_share: must be greater than 0"),
    (
        two(channel="failover_share = 0.5", a="rate = 3"),
        "channels.email.failover_share: is a share of providers.b.rate, which is not set; set that",
    ),
    (
        two(channel="failover_share = 0.5\nweights = {a = 1, b = 1}", b="rate = 3"),
        "channels.email.failover_share: is a share of providers.a.rate, which is not set; set that",
    ),
    (
        sms("countries = ['DE']\nfailover_share = 0.5"),
        "channels.sms.failover_share: has no effect with one provider; add another, or remove this",
    ),
    (
        two(channel="countries = ['DE']"),
        "channels.email.countries: belongs to channels.sms; remove",
    ),
    (two(channel="prices = {DE = 1}"), "channels.email.prices: belongs to channels.sms; remove it"),
    (two(channel="daily_spend = 1"), "channels.email.daily_spend: belongs to channels.sms; remove"),
    (
        sms(""),
        "channels.sms.countries: is missing: list the countries that may receive SMS, such as",
    ),
    (sms("countries = []"), "channels.sms.countries: must list at least one"),
    (
        sms("countries = ['DE', 'XX']"),
        "channels.sms.countries: number 2 is not an ISO 3166 country",
    ),
    (sms("countries = ['*', 'DE']"), 'channels.sms.countries: "*" allows every country; write it'),
    (
        sms("countries = ['DE']\nprices = {XX = 1}"),
        "channels.sms.prices.XX: is not an ISO 3166 country code, such as DE",
    ),
    (
        sms("countries = ['DE']\nprices = {'*' = -1}"),
        "channels.sms.prices.*: must be greater than or equal to 0",
    ),
    (
        sms("countries = ['DE']\nprices = {DE = 1, US = 1}"),
        "channels.sms.prices.US: is not in channels.sms.countries; add it there, or remove",
    ),
    (sms("countries = ['*']\ndaily_spend = 0"), "channels.sms.daily_spend: must be greater than 0"),
    (
        sms("countries = ['*']\ndaily_spend = 1"),
        "channels.sms.daily_spend: cannot be counted without channels.sms.prices; add them",
    ),
    (
        sms("countries = ['DE', 'US']\nprices = {US = 1}\ndaily_spend = 1"),
        "channels.sms.prices: has no price for DE, which daily_spend needs; add it, or one for",
    ),
    (
        sms("countries = ['*']\nprices = {US = 1}\ndaily_spend = 1"),
        "channels.sms.prices: has no price for *, which daily_spend needs; add it, or one for",
    ),
    (CAP.replace("'all'", "'person'"), "caps.x.per: must be 'source', 'recipient' or 'all'"),
    (CAP.replace("per = 'all'", ""), "caps.x.per: is missing; set it"),
    (CAP.replace("'day'", "'week'"), "caps.x.period: must be 'minute', 'hour' or 'day'"),
    (CAP.replace("most = 1", "most = 0"), "caps.x.most: must be greater than 0"),
    (f"{CAP}channel = 'fax'", "caps.x.channel: must be 'email', 'sms' or 'push'"),
    (f"{CAP}exempt = ['critcal']", "caps.x.exempt: number 1 is not in [lanes]; did you mean criti"),
    (f"{CAP}sources = {{crm = 1}}", 'caps.x.sources: has no effect here; write per = "source", or'),
    (
        f"{CAP.replace('all', 'source')}sources = {{Crm = 1}}",
        "caps.x.sources.Crm: a source's name is a-z, 0-9, - and _, at most 63 long",
    ),
]


@pytest.mark.parametrize(("text", "line"), MISTAKES)
def test_a_mistake_is_one_line_with_its_key_and_its_fix(write: Write, text: str, line: str) -> None:
    """Each mistake of the table is told alone, by its key."""
    lines = told(write(text))
    assert len(lines) == 1, lines
    assert lines[0].startswith(line)


def test_every_mistake_is_told_at_once(write: Write) -> None:
    """A mistake across sections is reported even if an option beside it has its own mistake."""
    text = two(channel="weights = {a = 1, b = 1, c = 1}", a="limits = ['x']\nrate = 0")
    assert len(told(write(f"{text}[lanes.bulk]\nshare = 3\n"))) == 4


@pytest.mark.parametrize(
    "text",
    [
        sms("countries = ['DE']\nprices = {'*' = 1}\ndaily_spend = 1"),
        sms("countries = ['*']\nprices = {US = 1, '*' = 1}\ndaily_spend = 1"),
        two(channel="failover_share = 0.5", b="rate = 3"),
        two(channel="failover_share = 1.0"),
    ],
)
def test_what_fits_together_is_taken(write: Write, text: str) -> None:
    """A price for all others counts; only the providers that follow need a rate."""
    load(write(text), environ={})


def test_no_value_is_ever_repeated(write: Write) -> None:
    """Whatever option holds a secret by mistake, the error does not show it."""
    wrong = f"'{CANARY}@/?#:{CANARY}'"
    rules = f"{{ {wrong} = {wrong} }}"
    text = f"""
        lanes = {{ bulk = {{ share = {wrong} }} }}
        [channels]
        email = {{ providers = [{wrong}], weights = {{ {wrong} = 1, a = 1 }}, prices = {rules} }}
        push = {{ providers = ['a', {wrong}], weights = {{ {wrong} = 1 }}, failover_share = 0.5 }}
        sms = {{ providers = ['a'], countries = [{wrong}], prices = {rules}, weights = {rules} }}
        [providers]
        a = {{ use = 'm:A', limits = [{wrong}] }}
        b = {{ use = 'm:B', rate = {wrong}, breaker = {{ window = {wrong}, {wrong} = 1 }} }}
        [limits]
        a = {{ rate = {wrong}, per = {wrong}, channel = {wrong}, exempt = [{wrong}] }}
        {wrong} = {wrong}
        [caps]
        a = {{ per = {wrong}, most = {wrong}, exempt = [{wrong}], sources = {rules} }}
    """
    lines = told(write(text))
    assert len(lines) > 20
    assert not [line for line in lines if CANARY in line]
