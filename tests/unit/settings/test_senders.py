"""The options of senders: what is refused, and the domains that the doctor looks up."""

from __future__ import annotations

from pathlib import Path

import pytest

from notify.doctor.deliverability import sender_domains
from notify.message import SmsSenderKind
from notify.settings import Settings, load, sms_sender
from notify.settings.checks.report import check

GOOD = """
[senders.support]
address = "support@example.com"
name = "Support"
sms = "+4915112345678"
sources = ["shop"]
default_for = ["shop"]
[senders.other]
address = "other@example.org"
sms_countries = { GB = "Example" }
[categories.news]
sender = "other"
"""


def _mistakes(tmp_path: Path, old: str, new: str) -> list[str]:
    assert old in GOOD
    file = tmp_path / "notify.toml"
    file.write_text(GOOD.replace(old, new, 1))
    return [str(each) for each in check(file, environ={}).mistakes]


def test_a_good_file_is_read(tmp_path: Path) -> None:
    """Each sender with its options; the country in capitals, as an environment may not have it."""
    assert _mistakes(tmp_path, "GB", "gb") == []
    settings = load(tmp_path / "notify.toml", environ={"NOTIFY_SENDERS__SUPPORT__NAME": "Help"})
    assert settings.senders["support"].name == "Help"
    assert settings.senders["other"].sms_countries == {"GB": "Example"}
    assert settings.categories["news"].names_sender


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (
            '"support@example.com"',
            '"Support <support@example.com>"',
            "senders.support.address: must be a bare address such as news@example.com (line 3)",
        ),
        (
            '"Support"',
            '"Support\\nBcc: x"',
            "senders.support.name: must be one plain line, without control characters or overrides"
            " (line 4)",
        ),
        (
            '"+4915112345678"',
            '"Twelve chars"',
            "senders.support.sms: must be a number (+4915112345678), a short code, up to 11 letters"
            " and digits with a letter, or a Twilio messaging service (MG...) (line 5)",
        ),
        (
            "GB =",
            "ZZ =",
            "senders.other.sms_countries.ZZ: is not an ISO 3166 country code, such as DE (line 10)",
        ),
        (
            'address = "support@example.com"\n',
            "",
            "senders.support: `name` and `reply_to` have no effect without `address`; add it"
            " (line 2)",
        ),
        (
            'default_for = ["shop"]',
            'default_for = ["crm"]',
            "senders.support.default_for: crm is not in `sources`; add it there (line 7)",
        ),
        (
            "sms_countries",
            'default_for = ["shop"]\nsms_countries',
            "senders.other.default_for: shop already has the default support; keep one of them"
            " (line 10)",
        ),
        (
            'sender = "other"',
            'sender = "othr"',
            "categories.news.sender: is not in [senders]; did you mean other? (line 12)",
        ),
        (
            'sender = "other"',
            'sender = "other"\nsender_name = "News"',
            "categories.news.sender_name: has no effect with a named sender; set `name` there, or"
            " remove this (line 13)",
        ),
    ],
)
def test_each_mistake_has_its_key_and_fix(tmp_path: Path, old: str, new: str, line: str) -> None:
    """One mistake, one line; a default for two channels is reported for each."""
    assert dict.fromkeys(_mistakes(tmp_path, old, new)) == {line: None}


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("+4915112345678", SmsSenderKind.NUMBER),
        ("72345", SmsSenderKind.NUMBER),
        ("Example", SmsSenderKind.ALPHANUMERIC),
        ("1 Shop", SmsSenderKind.ALPHANUMERIC),
        ("MG" + "0" * 32, SmsSenderKind.MESSAGING_SERVICE),
    ],
)
def test_the_form_of_an_sms_sender_is_its_kind(text: str, kind: SmsSenderKind) -> None:
    """A provider refuses or ignores a kind that its vendor does not have."""
    assert sms_sender(text).kind is kind


def test_the_doctor_looks_up_the_domains_of_senders() -> None:
    """Of those that categories name, and of all others."""
    values = {
        "channels": {"email": {"providers": ["p"]}},
        "providers": {"p": {"use": "a:B", "options": {"sender": "a@one.example"}}},
        "senders": {"s": {"address": "b@two.example"}, "t": {"address": "c@three.example"}},
        "categories": {"c": {"sender": "t", "subscription": True}},
    }
    assert sender_domains(Settings.model_validate(values)) == [
        "one.example",
        "three.example",
        "two.example",
    ]
