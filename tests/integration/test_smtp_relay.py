"""Through Exim, a real mail server: sent, refused, bounced; the bounce suppresses."""

from __future__ import annotations

import email
import os
import subprocess
import sys
from email import policy
from pathlib import Path

import pytest

from notify.message import Status
from tests.support.authority import Authority
from tests.support.exim import PASSWORD, Exim, exim
from tests.support.rig import Rig, surroundings, until
from tests.support.smtp_relay import SmtpRelay

KEY = "the-key-of-the-return-paths-of-this-test"
TEXT = "Grüße\n.\n..two"
SECRETS = {"RELAY_PASSWORD": PASSWORD, "BOUNCE_KEY": KEY, "BOUNCE_KEYS": KEY}
CONFIG = """
[receipts]
public_url = "https://notify.example.com"
[providers.relay]
use = "providers.smtp:Smtp"
secrets = {{ password = "RELAY_PASSWORD", bounce_key = "BOUNCE_KEY" }}
receipts = {{ use = "providers.smtp:SmtpReports", secrets = {{ bounce_keys = "BOUNCE_KEYS" }} }}
[providers.relay.options]
host = "127.0.0.1"
port = {port}
ca_file = "{ca_file}"
username = "notify"
sender = "no-reply@example.com"
return_path = "bounces@bounces.example.com"
"""


def configure(rig: Rig, relay: Exim) -> None:
    """Make the relay the only provider of email."""
    text = rig.config.read_text().replace('providers = ["sendgrid"]', 'providers = ["relay"]')
    rig.config.write_text(text + CONFIG.format(port=relay.port, ca_file=relay.ca_file))


def returned(rig: Rig, message: bytes) -> None:
    """Pass a message that came back to `notify receipts mail`, as a mail server's pipe does."""
    environ = {**os.environ, "NOTIFY_CONFIG": str(rig.config)}
    command = [sys.executable, "-m", "notify", "receipts", "mail", "relay"]
    subprocess.run(command, input=message, env=environ, check=True, timeout=90)


def test_a_bounce_comes_back_and_suppresses(
    tmp_path: Path, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The relay accepts the message; its report reaches the record by the return path."""
    for name, value in SECRETS.items():
        monkeypatch.setenv(name, value)
    url = f"sqlite:///{tmp_path}/notify.db"
    with (
        SmtpRelay() as receiver,
        exim(Authority(tmp_path), onward=receiver.port) as relay,
        surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig,
    ):
        configure(rig, relay)
        receiver.on("RCPT", "550 5.1.1 no such user")
        with rig.worker(), rig.worker("receipts-1", pool="receipts"):
            sent = rig.request(to="ann@example.org", text=TEXT, html="<p>Hallo</p>")
            refused = rig.request(to="refused@example.org")
            gone = rig.request(to="gone@example.net")
            until(lambda: rig.status(sent) is Status.SENT, found=relay.log)
            until(lambda: rig.status(refused) is Status.REJECTED, found=relay.log)
            until(lambda: len(relay.mails("returned")) == 1, found=relay.log)
            until(lambda: len(relay.mails("delivered")) == 1, found=relay.log)
            (bounce,) = relay.mails("returned")
            returned(rig, bounce)
            until(lambda: rig.status(gone) is Status.BOUNCED, found=relay.log)
            again = rig.request(to="gone@example.net")
            until(lambda: rig.status(again) is Status.SUPPRESSED, found=relay.log)
        assert "5.1.1" in rig.notify("show", refused).out
        (delivered,) = relay.mails("delivered")
    mail = email.message_from_bytes(delivered, policy=policy.default)
    text = mail.get_body(("plain",))
    assert text is not None
    assert text.get_content().splitlines() == TEXT.splitlines()
