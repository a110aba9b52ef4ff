"""The additions of a category to a message: sender, List-Id, RFC 8058 headers, the link."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest

from notify.categories import (
    Categories,
    Category,
    SenderIdentity,
    UnsubscribeLinks,
    UnsubscribeTokens,
)
from notify.delivery import rendered
from notify.errors import ConfigError, TemplateError
from notify.keyring import HASH, NAME, new_key
from notify.message import Channel, MailSender, Notification
from notify.service.categories import exempt_categories, open_categories
from notify.service.unsubscribe import open_unsubscriber
from notify.settings import Settings
from notify.templating import Templates
from tests.support.sealing import KEYRING

URL = "https://notify.example.com"
NEWS = MailSender("news@example.com", "The News")
CATEGORIES = Categories(
    {
        "newsletter": Category(
            "newsletter", SenderIdentity(NEWS), "newsletter.example.com", subscription=True
        ),
        "receipt": Category("receipt", SenderIdentity(MailSender("receipts@example.com"))),
    },
    UnsubscribeLinks(KEYRING, URL),
)


def notification(category: str | None, channel: Channel = Channel.EMAIL) -> Notification:
    """Return a notification from a template that has a link."""
    return Notification(
        id=uuid4(),
        source="shop",
        channel=channel,
        lane="bulk",
        to="Ann@example.com",
        idempotency_key="k",
        digest=b"",
        body=b"",
        template="news",
        category=category,
    )


@pytest.fixture
def templates(tmp_path: Path) -> Templates:
    """A template whose text and HTML have the link."""
    folder = tmp_path / "news" / "en"
    folder.mkdir(parents=True)
    (folder / "email.subject.j2").write_text("News")
    (folder / "email.text.j2").write_text("Stop: {{ unsubscribe_url }}")
    (folder / "email.html.j2").write_text('<a href="{{ unsubscribe_url }}">Stop</a>')
    (folder / "sms.text.j2").write_text("Stop: {{ unsubscribe_url }}")
    return Templates(tmp_path)


def test_mail_of_a_subscription_has_the_headers_of_rfc_8058(templates: Templates) -> None:
    """One List-Unsubscribe with an https link, and the header that makes it one click."""
    message = rendered(
        notification("newsletter"), uuid4(), templates=templates, categories=CATEGORIES
    )
    headers = dict(message.headers)
    assert len(headers) == len(message.headers) == 3
    assert headers["List-Id"] == "<newsletter.example.com>"
    assert headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    found = re.fullmatch(rf"<({re.escape(URL)}/u/([\w-]+))>", headers["List-Unsubscribe"])
    assert found
    opt_out = UnsubscribeTokens(KEYRING).read(found[2])
    assert opt_out is not None
    assert (opt_out.source, opt_out.category) == ("shop", "newsletter")
    assert opt_out.recipient_hash == KEYRING.hashed("recipient", b"ann@example.com")[:16]
    assert message.sender == NEWS
    assert message.text == f"Stop: {found[1]}"
    assert message.html == f'<a href="{found[1]}">Stop</a>'


def test_other_mail_has_neither_header_nor_link(templates: Templates) -> None:
    """A code or an invoice is not a subscription; its template may not offer to unsubscribe."""
    for category, sender in ((None, None), ("receipt", MailSender("receipts@example.com"))):
        identity = CATEGORIES.identity(notification(category))
        assert (identity.sender, identity.headers, identity.unsubscribe_url) == (sender, (), None)
        with pytest.raises(TemplateError, match="only in a category that is a subscription"):
            rendered(notification(category), uuid4(), templates=templates, categories=CATEGORIES)


def test_an_sms_of_a_subscription_has_the_link_alone(templates: Templates) -> None:
    """Headers and a From address are an email's."""
    sms = replace(notification("newsletter", Channel.SMS), to="+4915112345678")
    message = rendered(sms, uuid4(), templates=templates, categories=CATEGORIES)
    assert (message.headers, message.sender) == ((), None)
    assert message.text.startswith(f"Stop: {URL}/u/")


def test_a_producer_cannot_replace_the_link(templates: Templates) -> None:
    """Its own value would lead anywhere."""
    asked = replace(notification("newsletter"), data={"unsubscribe_url": "https://evil.example"})
    message = rendered(asked, uuid4(), templates=templates, categories=CATEGORIES)
    assert "evil" not in message.text


KEYS = f"k1:{new_key()} {HASH}:{new_key()}"
SUBSCRIPTION = {"newsletter": {"subscription": True, "critical": True}, "code": {}}


def test_a_subscription_needs_a_public_url_and_a_keyring(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without them its links could not be made: no worker starts."""
    monkeypatch.delenv(NAME, raising=False)
    with pytest.raises(ConfigError, match="needs receipts"):
        open_categories(Settings.model_validate({"categories": SUBSCRIPTION}))
    full = Settings.model_validate({"categories": SUBSCRIPTION, "receipts": {"public_url": URL}})
    with pytest.raises(ConfigError, match="NOTIFY_KEYRING"):
        open_categories(full)
    with pytest.raises(ConfigError, match="NOTIFY_KEYRING"):
        open_unsubscriber(full, cast("Any", None), cast("Any", None))
    monkeypatch.setenv(NAME, KEYS)
    identity = open_categories(full).identity(notification("newsletter"))
    assert ("List-Id", "<newsletter.notify.example.com>") in identity.headers
    assert exempt_categories(full) == {"newsletter"}
