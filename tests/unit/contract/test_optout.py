"""Producers' opt-outs: strict JSON, one recipient, and only for the source that the key names."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from notify.contract import (
    Incoming,
    Limits,
    ProducerOptOut,
    RequestInvalid,
    read_opt_out,
)
from notify.message import Channel
from tests.support.tables import each_of

ID = "0d9c2f0e-6f3b-4c59-9a55-0f4b7f2f6f10"
OPEN = Limits(require_user_id=False)
ANN = {"channel": "email", "to": "ann@example.com"}


def incoming(body: Any, key: str = "optout.shop", **properties: Any) -> Incoming:
    """A message as the broker delivers it."""
    return Incoming(
        json.dumps(body).encode(), key, **({"content_type": "application/json"} | properties)
    )


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (ANN, ProducerOptOut("shop", Channel.EMAIL, "ann@example.com", None, None, None)),
        ({"v": 1, "id": ID}, ProducerOptOut("shop", None, "", UUID(ID), None, None)),
        (
            {"channel": "sms", "to": "0049 151 12345678", "category": "news", "note": "phone"},
            ProducerOptOut("shop", Channel.SMS, "0049 151 12345678", None, "news", "phone"),
        ),
    ],
)
def test_a_recipient_is_named_by_address_or_by_notification(
    body: dict[str, Any], expected: ProducerOptOut
) -> None:
    """The producer may not keep the address."""
    assert read_opt_out(incoming(body), OPEN) == expected


@each_of(
    "body",
    [
        {},
        {"channel": "email"},
        {"to": "ann@example.com"},
        {**ANN, "id": ID},
        {"id": ID, "to": "ann@example.com"},
        {"channel": "fax", "to": "ann@example.com"},
        {"channel": "sms", "to": "ann@example.com"},
        {"channel": "email", "to": "+4915112345678"},
        {"channel": "email", "to": "Ann <ann@example.com>"},
        {"channel": "email", "to": "ann@example.com, bo@example.com"},
        {"channel": "email", "to": "@"},
        {"channel": "sms", "to": "0151 12345678"},
        {"channel": "push", "to": "a b"},
        {**ANN, "category": "A Category"},
        {**ANN, "note": "ann@example.com"},
        {**ANN, "v": 2},
        {**ANN, "phone": "+4915112345678"},
    ],
)
def test_a_mistake_is_refused_without_its_value(body: dict[str, Any]) -> None:
    """The text goes to logs and to the archive of dead letters."""
    with pytest.raises(RequestInvalid) as error:
        read_opt_out(incoming(body), OPEN)
    assert "ann@" not in str(error.value)
    assert "4915" not in str(error.value)


@pytest.mark.parametrize("key", ["optout", "optout.", "feedback.shop", "optout.Shop", "optout.a.b"])
def test_the_routing_key_names_the_source(key: str) -> None:
    """No other form of it is accepted."""
    with pytest.raises(RequestInvalid):
        read_opt_out(incoming(ANN, key), OPEN)


def test_a_source_cannot_speak_for_another() -> None:
    """The broker has verified the user."""
    limits = Limits(require_user_id=True)
    with pytest.raises(RequestInvalid):
        read_opt_out(incoming(ANN, user_id="bank"), limits)
    assert read_opt_out(incoming(ANN, user_id="shop"), limits).source == "shop"
