"""Wiring of the intake: which secrets it reads, and the address that vendors get."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from notify.errors import ConfigError
from notify.message import Channel
from notify.service.gateway import open_gateway
from notify.service.receipt_address import receipts_url
from notify.service.receipt_intake import open_readers
from notify.settings import Settings, load
from tests.support.signing import SendGridSigner, twilio_posted

KEY = SendGridSigner().public_key
TEXT = f"""
[receipts]
public_url = "https://notify.example.com/base/"
[channels.sms]
providers = ["texts"]
countries = ["*"]
[providers.mail]
use = "providers.sendgrid:SendGrid"
options = {{ sender = "a@example.com" }}
secrets = {{ api_key = "SEND_MAIL" }}
receipts = {{ use = "providers.sendgrid:SendGridReceipts", options = {{ keys = ["{KEY}"] }} }}
[providers.texts]
use = "providers.twilio:Twilio"
options = {{ account_sid = "AC1", sender = "+15005550006" }}
secrets = {{ auth_token = "SEND_TEXTS" }}
receipts = {{ use = "providers.twilio:TwilioReceipts", secrets = {{ signing_keys = "VERIFY" }} }}
"""


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Two providers with receipts."""
    return _settings(tmp_path)


def _settings(folder: Path, text: str = TEXT) -> Settings:
    file = folder / "notify.toml"
    file.write_text(text)
    return load(file, environ={})


def test_the_readers_need_no_secret_that_can_send(settings: Settings) -> None:
    """The web process starts without those of the providers."""
    readers = open_readers(settings, environ={"VERIFY": "k3y"})
    assert [type(each).__name__ for each in readers.values()] == [
        "SendGridReceipts",
        "TwilioReceipts",
    ]


def test_a_renamed_provider_has_a_reader_for_each_of_its_names(tmp_path: Path) -> None:
    """Twilio signs the address that a worker gave it, with the name of that time."""
    own = 'TwilioReceipts", '
    text = TEXT.replace(own, own + 'formerly = ["twilio", "sms"], ')
    readers = open_readers(_settings(tmp_path, text), environ={"VERIFY": "k3y"})
    assert sorted(readers) == ["mail", "sms", "texts", "twilio"]
    fields = {"MessageSid": "SM1", "MessageStatus": "delivered"}
    for name in ("texts", "twilio"):
        url = f"https://notify.example.com/base/receipts/{name}"
        readers[name].verify(twilio_posted(url, fields, "k3y", key="k"))


def test_a_former_name_belongs_to_one_provider(tmp_path: Path) -> None:
    """Else its receipts would be those of two."""
    own = 'TwilioReceipts", '
    with pytest.raises(ConfigError, match="'mail' is another provider's name"):
        _settings(tmp_path, TEXT.replace(own, own + 'formerly = "mail", '))


def test_a_missing_verification_key_is_named(settings: Settings) -> None:
    """And its value is not needed for that."""
    with pytest.raises(ConfigError, match="VERIFY"):
        open_readers(settings, environ={"SEND_TEXTS": "t", "SEND_MAIL": "m"})


@pytest.mark.parametrize(
    ("old", "new", "error"),
    [
        (":SendGridReceipts", ":Nope", "providers.mail.receipts.use: .* cannot be imported"),
        ("{ keys = [", "{ keyz = [", "providers.mail.receipts: .* does not accept these options"),
        (KEY, "c2VjcmV0", "sendgrid: keys must be verification keys"),
        ('public_url = "https://notify.example.com/base/"', "", "receipts.public_url is missing"),
    ],
)
def test_a_mistake_names_its_key(tmp_path: Path, old: str, new: str, error: str) -> None:
    """The process does not start."""
    settings = _settings(tmp_path, TEXT.replace(old, new))
    with pytest.raises(ConfigError, match=error):
        open_readers(settings, environ={"VERIFY": "k3y"})


def test_an_intake_without_readers_does_not_start(tmp_path: Path) -> None:
    """The text says what to add."""
    lines = [line for line in TEXT.splitlines() if not line.startswith("receipts =")]
    with pytest.raises(ConfigError, match="no provider has receipts"):
        open_readers(_settings(tmp_path, "\n".join(lines)), environ={})


def test_the_address_follows_from_the_public_one(settings: Settings, tmp_path: Path) -> None:
    """Each provider has its own, by its name in the configuration."""
    assert receipts_url(settings, "mail") == "https://notify.example.com/base/receipts/mail"
    lines = [line for line in TEXT.splitlines() if not line.startswith("public_url")]
    assert receipts_url(_settings(tmp_path, "\n".join(lines)), "mail") is None


def _callback(settings: Settings) -> Any:
    gateway = open_gateway(settings, Channel.SMS, environ={"SEND_TEXTS": "t"})
    (provider,) = gateway.providers
    callback = vars(provider.provider)["_callback"]
    gateway.close()
    return callback and callback._before + callback._after


def test_twilio_is_asked_to_report_to_us_unless_the_option_says_otherwise(
    settings: Settings, tmp_path: Path
) -> None:
    """With retries after any failure."""
    ours = "https://notify.example.com/base/receipts/texts?#rc=5&rp=all"
    assert _callback(settings) == ours
    option = 'status_callback = "https://x.example/t"'
    other = TEXT.replace("{ account_sid", f"{{ {option}, account_sid")
    assert _callback(_settings(tmp_path, other)) == "https://x.example/t?#rc=5&rp=all"
    lines = [line for line in TEXT.splitlines() if "TwilioReceipts" not in line]
    assert _callback(_settings(tmp_path, "\n".join(lines))) is None
