"""The sender of a message: that of its request, its category, its source, or the provider."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from notify.categories import Categories
from notify.contract import DEFAULT_LIMITS, Incoming, decode
from notify.delivery import rendered
from notify.message import (
    Attachment,
    Channel,
    Content,
    Extras,
    MailSender,
    Notification,
    Rendered,
    SmsSender,
    SmsSenderKind,
)
from notify.service.categories import open_categories
from notify.service.contract import contract_limits
from notify.settings import Settings
from notify.templating import Templates
from tests.support.malformed import changed
from tests.support.tables import each_of

SETTINGS: dict[str, Any] = {
    "receipts": {"public_url": "https://notify.example.com"},
    "senders": {
        "support": {
            "address": "support@example.com",
            "name": "Support",
            "reply_to": "help@example.com",
            "sms": "+4915112345678",
            "sms_countries": {"us": "MG" + "0a" * 16, "FR": "Example"},
        },
        "codes": {"address": "codes@example.com", "default_for": ["shop"]},
        "texts": {"sms": "72345", "default_for": ["shop"]},
        "crm": {"address": "crm@example.com", "sources": ["crm"]},
    },
    "categories": {
        "named": {"sender": "support"},
        "bare": {
            "sender": "news@example.com",
            "sender_name": "News",
            "list_id": "news.example.com",
        },
        "plain": {},
    },
}
CATEGORIES = open_categories(Settings.model_validate(SETTINGS))
SUPPORT = MailSender("support@example.com", "Support")
CODES = MailSender("codes@example.com")


def _message(
    categories: Categories = CATEGORIES, *, to: str = "ann@example.com", **fields: Any
) -> Rendered:
    channel = Channel.EMAIL if "@" in to else Channel.SMS
    asked = Notification(
        id=uuid4(),
        source="shop",
        channel=channel,
        lane="normal",
        to=to,
        idempotency_key="k",
        digest=b"",
        body=b"",
        inline=Content("Hi", "Hi"),
    )
    return rendered(
        replace(asked, **fields), uuid4(), templates=Templates(None), categories=categories
    )


@each_of(
    ("fields", "sender", "reply_to"),
    [
        ({}, CODES, None),
        ({"source": "other"}, None, None),
        ({"category": "plain"}, CODES, None),
        ({"category": "bare"}, MailSender("news@example.com", "News"), None),
        ({"category": "named"}, SUPPORT, "help@example.com"),
        ({"extras": Extras(sender="support")}, SUPPORT, "help@example.com"),
        ({"extras": Extras(sender="codes"), "category": "named"}, CODES, None),
        ({"extras": Extras(reply_to="a@example.com")}, CODES, "a@example.com"),
        (
            {"extras": Extras(sender="support", reply_to="a@example.com")},
            SUPPORT,
            "a@example.com",
        ),
    ],
)
def test_an_email_has_the_first_sender_that_there_is(
    fields: dict[str, Any], sender: MailSender | None, reply_to: str | None
) -> None:
    """The request's, the category's, the source's; else the provider's own."""
    message = _message(**fields)
    assert (message.sender, message.reply_to) == (sender, reply_to)
    assert message.sms_sender is None


@pytest.mark.parametrize(
    ("to", "fields", "value", "kind"),
    [
        ("+4915112345678", {}, "72345", SmsSenderKind.NUMBER),
        (
            "+4915112345678",
            {"extras": Extras(sender="support")},
            "+4915112345678",
            SmsSenderKind.NUMBER,
        ),
        (
            "+33612345678",
            {"extras": Extras(sender="support")},
            "Example",
            SmsSenderKind.ALPHANUMERIC,
        ),
        (
            "+12025550123",
            {"category": "named"},
            "MG" + "0a" * 16,
            SmsSenderKind.MESSAGING_SERVICE,
        ),
    ],
)
def test_an_sms_has_the_sender_of_its_country(
    to: str, fields: dict[str, Any], value: str, kind: SmsSenderKind
) -> None:
    """A source may have one default for SMS and another for email."""
    message = _message(to=to, **fields)
    assert message.sms_sender == SmsSender(value, kind)
    assert (message.sender, message.reply_to) == (None, None)
    assert _message(to=to, source="other").sms_sender is None


def test_an_email_has_its_own_headers_and_files() -> None:
    """Its headers after those of the category, in their order."""
    file = Attachment("a.pdf", "application/pdf", "JVBERi0=")
    extras = Extras(headers=(("X-B", "1"), ("X-A", "2")), attachments=(file,))
    message = _message(category="bare", extras=extras)
    assert message.headers == (("List-Id", "<news.example.com>"), ("X-B", "1"), ("X-A", "2"))
    assert message.attachments == (file,)


def test_a_message_without_choices_costs_no_identity() -> None:
    """All such messages have the same one."""
    none = Categories()
    first, second = _message(none), _message(none)
    assert first.headers is second.headers
    assert (first.sender, first.attachments) == (None, ())


def test_a_worker_accepts_the_senders_of_its_settings() -> None:
    """The same names, sources and channels as those that render."""
    limits = contract_limits(Settings.model_validate(SETTINGS))
    assert limits.senders is not None
    problem = limits.senders.problem
    assert problem("crm", source="crm", channel=Channel.EMAIL) is None
    assert problem("crm", source="shop", channel=Channel.EMAIL) is not None
    assert problem("texts", source="shop", channel=Channel.SMS) is None
    assert problem("texts", source="shop", channel=Channel.EMAIL) is not None
    incoming = Incoming(changed(sender="codes"), "email.normal.shop", "application/json")
    assert decode(incoming, limits)
    assert DEFAULT_LIMITS.senders is None
