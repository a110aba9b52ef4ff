"""A new channel is one module, its line in the table, and its member of `Channel`."""

from __future__ import annotations

import ast
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from notify.channels import CHANNELS
from notify.message import Channel

ROOT = Path(__file__).parents[3]

VOICE = '''
from typing import Any

from pydantic import Field

from notify.channels.definition import ChannelDefinition, ContentPart
from notify.channels.phone import PhoneNumber
from notify.channels.request import TO, Request, Strict, To
from notify.channels.words import Text
from notify.message import Channel, Rendered, Unknown


class VoiceRecipient(Strict):
    to: PhoneNumber
    data: dict[str, Any] | None = None


class VoiceRequest(Request):
    """A call: `template` or `speech`."""

    to: To[PhoneNumber, VoiceRecipient] = Field(description=TO)
    speech: Text | None = None


class VoiceChannel(ChannelDefinition):
    channel = Channel.VOICE
    request = VoiceRequest
    parts = (ContentPart("speech", "text"),)
    complete = (("speech",),)
    by_country = True
    unknown = Unknown.PARK
    examples = ({"to": "+4915112345678", "speech": "Hello."},)

    def looks_like_address(self, text: str) -> bool:
        return text.startswith("tel:")

    def is_address(self, text: str) -> bool:
        return text.startswith("tel:")

    def units(self, message: Rendered) -> int:
        return 1 + len(message.text) // 1000
'''

PROGRAM = '''
import json, pathlib, random, sys, uuid

from notify import contract
from notify.gateway import ConfiguredProvider
from notify.message import Channel, Rendered
from notify.service.flow import caps, countries
from notify.service.retry import retry_policy
from notify.settings import load
from notify.templating import Templates

folder = pathlib.Path(sys.argv[1])
(folder / "alarm").mkdir()
(folder / "alarm" / "voice.speech.j2").write_text("Alarm in {{ place }}.")
(folder / "notify.toml").write_text("""
[providers.dial]
use = "providers.memory:Memory"
[channels.voice]
providers = ["dial"]
countries = ["DE"]
prices = {DE = 0.5}
daily_spend = 10
""")

def read(**fields):
    body = {"id": str(uuid.uuid4()), "to": "+4915112345678", **fields}
    incoming = contract.Incoming(json.dumps(body).encode(), "voice.normal.shop", "application/json")
    return contract.decode(incoming, contract.DEFAULT_LIMITS)[0]

def refusal(**fields):
    try:
        read(**fields)
    except contract.RequestInvalid as error:
        return str(error)

class Dial:
    channel = Channel.VOICE

settings = load(folder / "notify.toml")
message = Rendered(uuid.uuid4(), uuid.uuid4(), "+4915112345678", text="x" * 2500)
rendered = Templates(folder).render(
    "alarm", channel=Channel.VOICE, locale=None, data={"place": "Rome"}
)
print(json.dumps({
    "inline": read(speech="Hello.").inline.text,
    "incomplete": refusal(speech=None),
    "foreign": refusal(subject="Hello"),
    "schema": contract.schema(Channel.VOICE)["else"]["allOf"][0]["required"],
    "any": "VoiceRequest" in contract.schema()["$defs"],
    "guess": contract.likely_channel(b'{"speech": "Hello."}'),
    "rendered": rendered.text,
    "units": ConfiguredProvider("dial", Dial()).cost(message),
    "unknown": retry_policy(settings, [])._unknown.of(read(speech="Hello.")),
    "countries": sorted(countries(settings)[Channel.VOICE].allowed),
    "cap": [cap.name for cap in caps(settings)],
    "port": settings.metrics.port("voice", 1),
}))
'''


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy the service and add a channel to the copy."""
    shutil.copytree(ROOT / "notify", tmp_path / "notify")
    shutil.copytree(ROOT / "providers", tmp_path / "providers")
    shutil.copytree(ROOT / "templates", tmp_path / "templates")
    channels = tmp_path / "notify" / "channels"
    (channels / "voice.py").write_text(VOICE)
    _edit(
        tmp_path / "notify" / "message" / "words.py",
        'PUSH = "push"',
        'PUSH = "push"\n    VOICE = "voice"',
    )
    _edit(
        channels / "table.py",
        "from notify.message",
        "from notify.channels.voice import VoiceChannel\nfrom notify.message",
    )
    _edit(channels / "table.py", "PushChannel()", "PushChannel(), VoiceChannel()")
    return tmp_path


def _edit(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert text.count(old) == 1, (path, old)
    path.write_text(text.replace(old, new))


def test_every_channel_is_in_the_table() -> None:
    """In the order of `Channel`, since the guess by address asks them in turn."""
    assert list(CHANNELS) == list(Channel)


def test_a_fourth_channel_needs_no_other_change(tree: Path, tmp_path: Path) -> None:
    """Its requests, templates, cost, caps and rule for unknown outcomes work."""
    folder = tmp_path / "config"
    folder.mkdir()
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(folder)],
        env={**os.environ, "PYTHONPATH": str(tree), "PYTHONSAFEPATH": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert "name a template, or write `speech`" in found.pop("incomplete")
    assert "it belongs to email, not voice (write `speech`)" in found.pop("foreign")
    assert found == {
        "inline": "Hello.",
        "schema": ["speech"],
        "any": True,
        "guess": "voice",
        "rendered": "Alarm in Rome.",
        "units": 3,
        "unknown": "park",
        "countries": ["DE"],
        "cap": ["channels.voice.daily_spend"],
        "port": 9440,
    }


ALLOWED = {
    "notify/categories/category.py": "only emails have the headers of a list",
    "notify/service/senders.py": "a sender has an identity for each of two channels",
    "notify/settings/checks/senders.py": "the name of an option of senders",
    "notify/doctor/deliverability.py": "SPF, DKIM and DMARC are about email",
    "notify/sandbox/actions.py": "only emails are reported as spam",
    "notify/sandbox/posting/sendgrid_events.py": "plays a vendor of one channel",
    "notify/sandbox/sendgrid_checks.py": "plays a vendor of one channel",
    "notify/sandbox/sendgrid_lists.py": "plays a vendor of one channel",
    "notify/settings/checks/categories.py": "only emails have a sender and links to unsubscribe",
    "notify/suppression/csv_rows.py": "the name of a column in other services' exports",
    "notify/sandbox/behaviour.py": "the recipients that are reserved for tests",
    "notify/sandbox/fcm.py": "plays a vendor of one channel",
    "notify/sandbox/sendgrid.py": "plays a vendor of one channel",
    "notify/sandbox/twilio.py": "plays a vendor of one channel",
    "notify/sandbox/vonage.py": "plays a vendor of one channel",
    "notify/settings/console.py": "the name of a claim of OpenID Connect",
    "notify/web/console/oidc.py": "the name of a claim of OpenID Connect",
    "notify/telemetry/logs.py": "the name of a field that may contain an address",
}


def _names_a_channel(text: str) -> bool:
    """Whether code names a channel, as `Channel.SMS` or as its value in quotes."""
    names = {f"Channel.{channel.name}" for channel in Channel}
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and ast.unparse(node) in names:
            return True
        if isinstance(node, ast.Constant) and node.value in {channel.value for channel in Channel}:
            return True
    return False


def test_a_name_of_a_channel_is_found() -> None:
    """The search below finds both ways to write it, and nothing in prose."""
    assert _names_a_channel("if channel is Channel.PUSH: pass")
    assert _names_a_channel("POOLS = ('sms', 'dead')")
    assert not _names_a_channel("'The number of SMS.'; Channel(name); sms = channel.PUSH")


def test_no_other_module_names_a_channel() -> None:
    """All differences are in the channel's definition; the sandbox plays vendors."""
    found = {
        str(path.relative_to(ROOT))
        for path in (ROOT / "notify").rglob("*.py")
        if path.parent.name != "channels"
        and path.parent.name != "message"
        and _names_a_channel(path.read_text())
    }
    assert found == ALLOWED.keys()
