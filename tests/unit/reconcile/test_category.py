"""A message of a subscription is looked up by the text that was sent, with its link."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar, cast
from uuid import uuid4

from notify.categories import Categories, Category, UnsubscribeLinks
from notify.delivery import rendered
from notify.gateway import ConfiguredProvider, Gateway
from notify.message import Channel, Receipt, Rendered
from notify.reconcile.lookup import decode_again, look_up_call
from notify.store.reconcile import LostCall
from notify.store.relays import Due
from notify.templating import Templates
from tests.support.sealing import KEYRING

AT = datetime(2026, 3, 1, tzinfo=UTC)
CATEGORIES = Categories(
    {"alerts": Category("alerts", subscription=True)},
    UnsubscribeLinks(KEYRING, "https://notify.example.com"),
)


@dataclass
class Listing:
    """A provider that can list what it accepted."""

    channel: ClassVar[Channel] = Channel.SMS
    can_find: ClassVar[bool] = True
    asked: list[Rendered] = field(default_factory=list)

    def find(self, message: Rendered, /, *, since: datetime, until: datetime) -> Sequence[Receipt]:
        """Keep the message that is searched for."""
        del since, until
        self.asked.append(message)
        return []

    def send(self, message: Rendered, /) -> Receipt:
        """Refuse every message."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to close."""


def test_a_look_up_searches_for_the_text_with_the_same_link(tmp_path: Path) -> None:
    """The category is the row's, also where the request named none and its source has a default."""
    (tmp_path / "alert").mkdir()
    (tmp_path / "alert" / "sms.text.j2").write_text("Stop: {{ unsubscribe_url }}")
    templates, provider = Templates(tmp_path), Listing()
    id_ = uuid4()
    body = json.dumps({"id": str(id_), "to": "+4915112345678", "template": "alert"}).encode()
    row = Due(id_, "shop", Channel.SMS, "bulk", body, None, AT, id_, category="alerts")
    asked = decode_again(row)
    sent = rendered(asked, uuid4(), templates=templates, categories=CATEGORIES)
    lost = cast("LostCall", _Lost())
    gateway = Gateway(Channel.SMS, [ConfiguredProvider("twilio", cast("Any", provider))])
    look_up_call(asked, lost, gateway=gateway, templates=templates, categories=CATEGORIES)
    (searched,) = provider.asked
    assert searched.text == sent.text
    assert searched.text.startswith("Stop: https://notify.example.com/u/")


@dataclass
class _Lost:
    """The parts of a lost call that a look-up reads."""

    provider: str = "twilio"
    attempt_id: object = field(default_factory=uuid4)
    started_at: datetime = AT
    ended_at: datetime = AT + timedelta(seconds=10)
