"""`notify receipts mail`, as a mail server's pipe calls it."""

from __future__ import annotations

import io
import json
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from notify.store import Store
from notify.store.tables import receipt_inbox
from providers.smtp.return_path import BounceKey
from tests.support.commands import Notify

KEY = "k" * 40
ATTEMPT = UUID("0193a5c0-0000-7000-8000-000000000001")
TOKEN = BounceKey(KEY).token(ATTEMPT, "ann@example.org")
CONFIG = """
[receipts]
public_url = "https://notify.example.com"
[channels.email]
providers = ["relay"]
[providers.relay]
use = "providers.smtp:Smtp"
options = { host = "smtp.example.com", sender = "no-reply@example.com" }
[providers.relay.receipts]
use = "providers.smtp:SmtpReports"
secrets = { bounce_keys = "KEYS" }
[providers.texts]
use = "providers.memory:Memory"
options = { channel = "sms" }
receipts = { use = "providers.twilio:TwilioReceipts", secrets = { signing_keys = "ABSENT" } }
"""
BOUNCE = f"""\
To: bounces+{TOKEN}@bounces.example.com
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; relay.example.com

Final-Recipient: rfc822; ann@example.org
Action: failed
Status: 5.1.1

--b--
"""


@pytest.fixture
def notify(notify: Notify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Notify:
    """Call it while RabbitMQ is away, so that receipts go to the record's inbox."""
    config = tmp_path / "notify.toml"
    config.write_text(CONFIG)
    monkeypatch.setenv("NOTIFY_CONFIG", str(config))
    monkeypatch.setenv("NOTIFY_AMQP__URL", "pyamqp://guest:guest@127.0.0.1:1//")
    monkeypatch.setenv("KEYS", KEY)
    # A test's output is captured by itself, and the logs would keep the first one's.
    monkeypatch.setattr("notify.cli.receipts.logs.configure", lambda **_: None)
    return partial(notify, "receipts", "mail")


def read(monkeypatch: pytest.MonkeyPatch, message: str) -> None:
    """Put a message on the standard input."""
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(message.encode())))


def inbox(store: Store) -> list[dict[str, object]]:
    """The receipts that wait for RabbitMQ."""
    with store.reading() as connection:
        rows: list[Any] = list(connection.execute(select(receipt_inbox.c.body)).scalars())
        return [each for row in rows for each in json.loads(row)["receipts"]]


def test_a_bounce_is_stored(store: Store, notify: Notify, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the secrets of other vendors' readers."""
    read(monkeypatch, BOUNCE)
    assert notify("relay").code == 0
    (receipt,) = inbox(store)
    assert (receipt["attempt_id"], receipt["code"]) == (str(ATTEMPT), "5.1.1")


@pytest.mark.parametrize("message", ["", "To: bounces@example.com\n\nBuy!", BOUNCE[:60]])
def test_other_mail_is_dropped(
    store: Store, notify: Notify, monkeypatch: pytest.MonkeyPatch, message: str
) -> None:
    """The mail server must not answer it: its sender is often forged too."""
    read(monkeypatch, message)
    assert notify("relay").code == 0
    assert inbox(store) == []


@pytest.mark.usefixtures("url")
def test_the_mail_server_tries_again_while_nothing_can_store_it(
    notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The record has no tables, and RabbitMQ is away."""
    read(monkeypatch, BOUNCE)
    done = notify("relay")
    assert done.code == 75
    assert "post it again" in done.err


def test_the_mail_server_tries_again_until_the_configuration_is_right(
    store: Store, notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A report must not be lost by a wrong name or a missing key."""
    for name in ("nope", "texts"):
        read(monkeypatch, BOUNCE)
        assert notify(name).code == 75
    monkeypatch.delenv("KEYS")
    read(monkeypatch, BOUNCE)
    done = notify("relay")
    assert (done.code, "KEYS" in done.err) == (75, True)
    assert inbox(store) == []
