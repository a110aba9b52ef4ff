"""Which settings come into force at a reload, and which are reported as waiting for a restart."""

from __future__ import annotations

from pathlib import Path

from notify.settings import Settings, load
from notify.settings.reloading import after_reload, changed_keys

_OLD = """
log = { level = "info", format = "json" }
[amqp]
url = "pyamqp://notify:old-secret@rabbit:5672/notify"
[pools.email]
channel = "email"
concurrency = 8
[channels.sms]
providers = ["twilio"]
countries = ["DE"]
[providers.twilio]
use = "providers.twilio:Twilio"
rate = 10.0
limits = ["account"]
options = { sender = "+15005550006" }
[limits.account]
rate = 100.0
[limits.one-source]
rate = 5.0
per = "source"
[caps.quota]
per = "source"
most = 10
period = "day"
"""
_NOW = {
    'level = "info"': 'level = "debug"',
    "rate = 100.0": "rate = 200.0\nburst = 50.0",
    "rate = 10.0": "rate = 20.0",
    "rate = 5.0": "rate = 6.0",
    'countries = ["DE"]': 'countries = ["DE", "FR"]\nprices = { "*" = 0.1 }\ndaily_spend = 9.0',
    "most = 10": "most = 20",
}
_LATER = {
    'format = "json"': 'format = "console"',
    "old-secret": "new-secret",
    "concurrency = 8": "concurrency = 9",
    "+15005550006": "+15005550007",
    'limits = ["account"]': 'limits = ["account", "more"]',
    "[limits.one-source]": "[limits.more]\nrate = 1.0\n[limits.one-source]",
    'per = "source"\n[caps': 'per = "recipient"\n[caps',
}


def _settings(folder: Path, *changes: dict[str, str]) -> Settings:
    text = _OLD
    for old, new in (pair for change in changes for pair in change.items()):
        assert text.count(old) == 1
        text = text.replace(old, new)
    file = folder / "notify.toml"
    file.write_text(text)
    return load(file, environ={})


def test_rates_caps_countries_and_the_log_level_come_into_force(tmp_path: Path) -> None:
    """The whole new file is in force, and no setting waits for a restart."""
    old, new = _settings(tmp_path), _settings(tmp_path, _NOW)
    assert after_reload(old, new) == new
    assert changed_keys(old, new) == [
        "caps.quota.most",
        "channels.sms.countries",
        "channels.sms.daily_spend",
        "channels.sms.prices",
        "channels.sms.prices.*",
        "limits.account.burst",
        "limits.account.rate",
        "limits.one-source.rate",
        "log.level",
        "providers.twilio.rate",
    ]


def test_the_rest_stays_as_it_was_and_is_named_without_its_values(tmp_path: Path) -> None:
    """The settings in force are a mixture of both files."""
    old = _settings(tmp_path)
    new = _settings(tmp_path, _NOW, _LATER)
    held = after_reload(old, new)
    assert held == _settings(tmp_path, _NOW)
    waiting = changed_keys(held, new)
    assert waiting == [
        "amqp.url",
        "limits.more.burst",
        "limits.more.channel",
        "limits.more.exempt",
        "limits.more.per",
        "limits.more.rate",
        "limits.one-source.per",
        "log.format",
        "pools.email.concurrency",
        "providers.twilio.limits",
        "providers.twilio.options.sender",
    ]
    assert changed_keys(new, new) == []
