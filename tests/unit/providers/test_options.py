"""Each provider's check of its options before it is built, mainly of the sender's form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from notify.errors import ConfigError
from notify.provider import OptionChecker
from notify.settings.checks.report import check
from providers.fcm import Fcm
from providers.sendgrid import SendGrid
from providers.twilio import Twilio
from tests.support.tables import each_of

MAIL = {"sender": "no-reply@example.com"}
SMS = {"sender": "+15005550006"}
PUSH = {"project": "example-project"}
SERVICE = "MG" + "0a" * 16


def wrong(provider: type[OptionChecker], options: dict[str, Any]) -> list[str]:
    """The options that it finds fault with."""
    return [name for name, _ in provider.wrong_options(options)]


@each_of(
    ("provider", "options"),
    [
        (SendGrid, MAIL),
        (SendGrid, {"sender": "a.b+c@mail.xn--bcher-kva.example"}),
        (SendGrid, {"sender": None}),
        (SendGrid, {**MAIL, "base_url": "https://api.eu.sendgrid.com"}),
        (Twilio, SMS),
        (Twilio, {"sender": "12345"}),
        (Twilio, {"sender": "Parcel Post"}),
        (Twilio, {"sender": "4you"}),
        (Twilio, {"sender": None}),
        (Twilio, {"messaging_service_sid": SERVICE, "account_sid": "AC" + "0" * 32}),
        (Fcm, PUSH),
        (Fcm, {**PUSH, "token_uri": "https://oauth2.googleapis.com/token"}),
    ],
)
def test_what_can_work_is_let_pass(provider: type[OptionChecker], options: dict[str, Any]) -> None:
    """A check that cries wolf is switched off; a secret is not looked at."""
    assert wrong(provider, options) == []


@each_of(
    "sender",
    ["Example <no-reply@example.com>", "no-reply", "no-reply@localhost", "a@b@example.com", "",
     " no-reply@example.com", "no-reply@example.com\n", "no reply@example.com", "@example.com",
     "no-reply@exämple.com", "no-reply@.com", 5, ["no-reply@example.com"]],
)  # fmt: skip
def test_a_mails_sender_is_a_bare_address(sender: object) -> None:
    """SendGrid refuses every mail from anything else, and the first refusal stops the channel."""
    assert wrong(SendGrid, {"sender": sender}) == ["sender"]
    with pytest.raises(ConfigError, match="sendgrid: sender must be a bare address"):
        SendGrid(api_key="k", sender=sender)  # type: ignore[arg-type]


@each_of(
    "name", ["Shop\r\nBcc: x", "Shop\u202e", "\u2066Shop", "Sh\x00p", "Sh\ud800p", "", 5],
)  # fmt: skip
def test_a_mails_senders_name_is_one_plain_line(name: object) -> None:
    """It stands in a header, and recipients trust it."""
    assert wrong(SendGrid, {**MAIL, "sender_name": name}) == ["sender_name"]
    assert wrong(SendGrid, {**MAIL, "sender_name": "Käthe \u05e9\u05dc\u05d5\u05dd\u200f"}) == []
    with pytest.raises(ConfigError, match="sendgrid: sender_name must be one plain line"):
        SendGrid(api_key="k", **MAIL, sender_name=name)  # type: ignore[arg-type]


@each_of(
    "sender",
    ["", "+0123456789", "15005550006", "+1 500 555 0006", "+1500", "Far too long a name", "Gruß",
     "1234567890", " Post", "whatsapp:+15005550006", "no-reply@example.com", "Post!", 15005550006],
)  # fmt: skip
def test_an_sms_sender_is_a_number_a_short_code_or_a_name(sender: object) -> None:
    """Of each form that Twilio takes, and of no other."""
    assert wrong(Twilio, {"sender": sender}) == ["sender"]


@each_of(
    ("provider", "options", "name"),
    [
        (Twilio, {}, "sender"),
        (Twilio, {**SMS, "messaging_service_sid": SERVICE}, "sender"),
        (Twilio, {"messaging_service_sid": "MG1"}, "messaging_service_sid"),
        (Twilio, {"messaging_service_sid": "AC" + "0" * 32}, "messaging_service_sid"),
        (Twilio, {**SMS, "account_sid": "SK" + "0" * 32}, "account_sid"),
        (Twilio, {**SMS, "api_key_sid": "AC" + "0" * 32}, "api_key_sid"),
        (Twilio, {**SMS, "base_url": "api.twilio.com"}, "base_url"),
        (SendGrid, {**MAIL, "base_url": "ftp://api.sendgrid.com"}, "base_url"),
        (Fcm, {"project": "Example Project"}, "project"),
        (Fcm, {**PUSH, "token_uri": "oauth2.googleapis.com"}, "token_uri"),
    ],
)
def test_what_cannot_work_is_named(
    provider: type[OptionChecker], options: dict[str, Any], name: str
) -> None:
    """By the option, so that `notify config check` can name its place."""
    assert wrong(provider, options) == [name]


def test_config_check_asks_the_providers_and_builds_none(tmp_path: Path) -> None:
    """Beside all other mistakes, and without a value."""
    file = tmp_path / "notify.toml"
    file.write_text(
        '[channels.email]\nproviders = ["sendgrid"]\n[channels.sms]\nproviders = ["twilio"]\n'
        'countries = ["*"]\n'
        '[providers.sendgrid]\nuse = "providers.sendgrid:SendGrid"\n'
        'secrets = { api_key = "KEY" }\noptions = { sender = "Canary <canary@example.com>" }\n'
        '[providers.twilio]\nuse = "providers.twilio:Twilio"\n'
        'secrets = { account_sid = "SID", auth_token = "TOKEN", sender = "FROM" }\n'
        'options = { messaging_service_sid = "canary" }\n'
    )
    values = {"KEY": "k", "SID": "AC1", "TOKEN": "t", "FROM": "+15005550006"}
    told = [str(each) for each in check(file, environ=values).mistakes]
    assert [line.split(":")[0] for line in told] == [
        "providers.sendgrid.options.sender",
        "providers.twilio.options.sender",
        "providers.twilio.options.messaging_service_sid",
    ]
    assert "canary" not in str(told)


def test_the_tables_that_the_shipped_configuration_shows_are_right(tmp_path: Path) -> None:
    """Each provider in its comments can be copied as it stands."""
    shipped = (Path(__file__).parents[3] / "config" / "notify.toml").read_text()
    wanted = ("vonage", "apns", "webpush")
    lines = [line.removeprefix("# ") for line in shipped.splitlines() if line.startswith("# ")]
    tables, kept = [], False
    for line in lines:
        if line.startswith("["):
            kept = line in {f"[providers.{name}]" for name in wanted}
        if kept and re.match(r"\[|(?:use|options|secrets|receipts) = ", line):
            tables.append(line)
    assert sum(line.startswith("[") for line in tables) == len(wanted)
    file = tmp_path / "notify.toml"
    file.write_text(
        '[receipts]\npublic_url = "https://notify.example.com"\n'
        '[channels.sms]\nproviders = ["vonage"]\ncountries = ["*"]\n'
        '[channels.push]\nproviders = ["apns", "webpush"]\n' + "\n".join(tables)
    )
    names = set(re.findall(r'"([A-Z_]{5,})"', "".join(tables)))
    report = check(file, environ=dict.fromkeys(names, "x"))
    assert report.mistakes == []
