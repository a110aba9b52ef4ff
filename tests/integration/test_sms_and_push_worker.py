"""A worker with several providers of SMS and push, from the queue to the record."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from notify.message import Status
from notify.sandbox import Behaviour, Vendor
from notify.store import Story
from notify.store.suppression import SuppressionFilter, find_entries
from tests.support.http2 import http2_front
from tests.support.rig import Rig, surroundings, until
from tests.support.vendor import Vendor as Server
from tests.support.vendor import say
from tests.unit.providers.dialects import apns_error, p256_pem, service_account
from tests.unit.providers.dialects.webpush import decrypted, subscription

DEVICE = "0a" * 32
PROVIDERS = """
[pools.sms]
channel = "sms"
concurrency = 4
[pools.push]
channel = "push"
concurrency = 4
[channels.sms]
providers = ["twilio", "vonage"]
countries = ["*"]
[channels.push]
providers = ["fcm", "apns", "webpush"]
[senders.support]
sms = "Example"
sms_countries = {{ US = "+12025550199" }}
[providers.twilio]
use = "providers.twilio:Twilio"
options = {{ sender = "+15005550006", base_url = "{sandbox}" }}
secrets = {{ account_sid = "SID", auth_token = "KEY" }}
[providers.vonage]
use = "providers.vonage:Vonage"
options = {{ sender = "+15005550006", base_url = "{sandbox}" }}
secrets = {{ api_key = "SID", api_secret = "KEY" }}
[providers.fcm]
use = "providers.fcm:Fcm"
options = {{ project = "demo", base_url = "{sandbox}", token_uri = "{sandbox}/token" }}
secrets = {{ service_account = "ACCOUNT" }}
[providers.apns]
use = "providers.apns:Apns"
secrets = {{ key = "PEM" }}
[providers.apns.options]
team_id = "ABCDE12345"
key_id = "KEY1234567"
topic = "com.example.app"
base_url = "{apple}"
[providers.webpush]
use = "providers.webpush:WebPush"
options = {{ subject = "mailto:ops@example.com", origins = ["{browser}"] }}
secrets = {{ private_key = "PEM" }}
"""


@pytest.fixture
def apple() -> Iterator[Server]:
    """Apple's side, behind HTTP/2."""
    with Server(say(200, b"", {"apns-id": "apple-1"})) as server:
        yield server


@pytest.fixture
def browser() -> Iterator[Server]:
    """A browser's push service."""
    with Server(say(201, b"", {"Location": "push-1"})) as server:
        yield server


@pytest.fixture
def rig(
    tmp_path: Path,
    broker_url: str,
    apple: Server,
    browser: Server,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Rig]:
    """A worker's surroundings with all these providers."""
    secrets = {"SID": "AC" + "0" * 32, "PEM": p256_pem(), "ACCOUNT": service_account()}
    for name, value in secrets.items():
        monkeypatch.setitem(os.environ, name, value)
    store_url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=store_url) as rig:
        more = PROVIDERS.format(
            sandbox=rig.sandbox.url, apple=http2_front(apple), browser=browser.url
        )
        rig.config.write_text(rig.config.read_text() + more)
        yield rig


def publish(rig: Rig, channel: str, **fields: object) -> UUID:
    """Publish one request and return its id."""
    id_ = uuid4()
    body = json.dumps({"id": str(id_), **fields}).encode()
    rig.publish(body, f"{channel}.normal.shop")
    return id_


def ended(rig: Rig, id_: UUID) -> Story:
    """Return a notification's story, once it has ended."""
    until(lambda: (status := rig.status(id_)) is not None and status.final)
    story = rig.store.get(id_)
    assert story is not None
    return story


def suppressed(rig: Rig, to: str) -> bool:
    """Return whether there is a suppression of a recipient."""
    wanted = SuppressionFilter(recipient=to)
    with rig.store.reading() as connection:
        return bool(find_entries(connection, wanted, now=rig.store.clock(), limit=1))


def test_sms_go_to_the_second_vendor_and_push_to_the_vendor_of_each_address(
    rig: Rig, apple: Server, browser: Server
) -> None:
    """Each story names its provider; a device that is gone is suppressed."""
    rig.sandbox.switch.set([Vendor.TWILIO], behaviour=Behaviour.DOWN)
    with rig.worker("sms", pool="sms"):
        sms = ended(rig, publish(rig, "sms", to="+4915112345678", text="x" * 161, sender="support"))
        text = {"text": "Hi", "sender": "support"}
        abroad = ended(rig, publish(rig, "sms", to="+12025550123", **text))
    assert [(each.provider, each.reason) for each in sms.attempts][-1] == ("vonage", "2 segments")
    assert sms.status is abroad.status is Status.SENT
    senders = {each.to: each.sender for each in rig.sandbox.messages(channel="sms")}
    assert senders == {"+4915112345678": "Example", "+12025550123": "12025550199"}

    words = {"title": "Hello", "body": "Hi", "app_data": {"screen": "order"}}
    with rig.worker("push", pool="push"):
        for to, provider in [
            ("c:APA91b", "fcm"),
            (DEVICE, "apns"),
            (subscription(f"{browser.url}/push/1"), "webpush"),
        ]:
            story = ended(rig, publish(rig, "push", to=to, **words))
            assert [each.provider for each in story.attempts] == [provider]
            assert story.status is Status.SENT
        apple.on(f"/3/device/{DEVICE}", apns_error(410, "Unregistered", timestamp=1.7e12)({}))
        assert ended(rig, publish(rig, "push", to=DEVICE, **words)).status is Status.REJECTED
        # The worker writes it after the outcome.
        until(lambda: suppressed(rig, DEVICE))
        assert ended(rig, publish(rig, "push", to=DEVICE, **words)).status is Status.SUPPRESSED
    assert json.loads(apple.seen[0].body)["screen"] == "order"
    assert decrypted(browser.seen[0].body)["notification"]["data"]["screen"] == "order"
    assert {each.vendor for each in rig.sandbox.messages(channel="push")} == {Vendor.FCM}
