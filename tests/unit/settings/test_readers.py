"""The check of receipts' readers: every mistake that would refuse a vendor's request."""

from __future__ import annotations

from pathlib import Path

import pytest

from notify.settings.checks.report import ConfigReport, check
from tests.support.signing import SendGridSigner

KEY = SendGridSigner().public_key
GOOD = f"""
[receipts]
public_url = "https://notify.example.com"
[channels.email]
providers = ["sendgrid"]
[channels.sms]
providers = ["twilio"]
countries = ["DE"]
[providers.sendgrid]
use = "providers.sendgrid:SendGrid"
options = {{ sender = "a@example.com" }}
secrets = {{ api_key = "SENDGRID_KEY" }}
[providers.sendgrid.receipts]
use = "providers.sendgrid:SendGridReceipts"
options = {{ keys = ["{KEY}"] }}
secrets = {{ bearer = "SENDGRID_BEARER" }}
[providers.twilio]
use = "providers.twilio:Twilio"
options = {{ account_sid = "{"AC" + 32 * "0"}", sender = "+15005550006" }}
secrets = {{ auth_token = "TWILIO_SECRET" }}
[providers.twilio.receipts]
use = "providers.twilio:TwilioReceipts"
secrets = {{ auth_tokens = "TWILIO_TOKENS" }}
"""
NAMES = ("SENDGRID_KEY", "SENDGRID_BEARER", "TWILIO_SECRET", "TWILIO_TOKENS")
SECRETS = dict.fromkeys(NAMES, "s")


def _check(folder: Path, text: str, **environ: str) -> ConfigReport:
    file = folder / "notify.toml"
    file.write_text(text, "utf-8")
    return check(file, environ={**SECRETS, **environ})


def test_good_readers_have_no_findings(tmp_path: Path) -> None:
    """Neither a mistake nor a warning."""
    report = _check(tmp_path, GOOD)
    assert (report.mistakes, report.warnings) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (":SendGridReceipts", ":SendgridReceipts", "receipts.use: the module has no such class"),
        (":SendGridReceipts", ":SendGrid", "receipts.use: does not read receipts"),
        ("keys =", "keyz =", "receipts.options.keyz: unknown option; did you mean keys?"),
        ("keys =", "keyz =", "receipts.options.keys: is missing"),
        (KEY, "c2VjcmV0", "receipts.options.keys: must list verification keys"),
        ("{ keys", '{ public_url = "x", keys', "follows from receipts.public_url"),
        ("{ account", '{ receipts_url = "x", account', "follows from receipts.public_url"),
        ('public_url = "https://notify.example.com"', "", "receipts.public_url: is missing"),
        ("https://notify.example.com", "notify.example.com", "must be the address that vendors"),
        ("https://notify.example.com", "https://u:p@notify.example.com", "must be the address"),
        ("notify.example.com", "notify.example.com/?x=1", "nothing may follow the path"),
        ('auth_tokens = "TWILIO_TOKENS"', 'auth_tokens = "MISSING"', "no value for MISSING"),
        ("auth_tokens =", "auth_token =", "receipts.secrets.auth_token: unknown option"),
        ("keys = [", "signing_keys = [", "signing_keys: never in the file"),
    ],
)  # fmt: skip
def test_a_mistake_is_reported_with_its_key(tmp_path: Path, old: str, new: str, line: str) -> None:
    """And with what to do."""
    assert old in GOOD
    text = GOOD.replace(old, new, 1)
    lines = [str(mistake) for mistake in _check(tmp_path, text).mistakes]
    assert any(line in each for each in lines), lines


def test_an_address_without_tls_and_a_shared_secret_are_warnings(tmp_path: Path) -> None:
    """Receipts have recipients in clear; the web process must not be able to send."""
    text = GOOD.replace("https://", "http://").replace("TWILIO_TOKENS", "TWILIO_SECRET")
    report = _check(tmp_path, text)
    assert report.mistakes == []
    keys = [warning.key for warning in report.warnings]
    assert keys == ["receipts.public_url", "providers.twilio.receipts.secrets.auth_tokens"]


def test_no_finding_repeats_a_value(tmp_path: Path) -> None:
    """A key in the wrong place may be a secret."""
    text = GOOD.replace(KEY, "canarycanary").replace("https://n", "https://canary:canary@n")
    report = _check(tmp_path, text)
    assert report.mistakes
    assert "canary" not in "".join(map(str, report.mistakes))
