"""Feedback of producers: strict JSON, and only from the source that the key names."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from notify.contract import (
    Feedback,
    FeedbackOutcome,
    Incoming,
    Limits,
    RequestInvalid,
    feedback_schema,
    read_feedback,
)
from tests.support.tables import each_of

ID = "0d9c2f0e-6f3b-4c59-9a55-0f4b7f2f6f10"
OPEN = Limits(require_user_id=False)


def incoming(body: Any, key: str = "feedback.shop", **properties: Any) -> Incoming:
    """A message as the broker delivers it."""
    text = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Incoming(text, key, **({"content_type": "application/json"} | properties))


def test_the_smallest_feedback() -> None:
    """An id and an outcome are enough."""
    read = read_feedback(incoming({"id": ID, "outcome": "confirmed"}), OPEN)
    assert read == Feedback("shop", UUID(ID), FeedbackOutcome.CONFIRMED, None, None)


def test_all_fields() -> None:
    """The time keeps its zone."""
    body = {"v": 1, "id": ID, "outcome": "failed", "at": "2026-11-25T10:00:00Z", "note": "no_code"}
    read = read_feedback(incoming(body), OPEN)
    assert read.at is not None
    assert (read.at.isoformat(), read.note) == ("2026-11-25T10:00:00+00:00", "no_code")


@each_of(
    ("change", "where"),
    [
        ({"id": "17"}, "id"),
        ({"id": None}, "id"),
        ({"outcome": "delivered"}, "outcome"),
        ({"outcome": 1}, "outcome"),
        ({"at": "2026-11-25 10:00"}, "at"),
        ({"v": 2}, "v"),
        ({"note": "ann@example.com"}, "note"),
        ({"note": "+4915112345678"}, "note"),
        ({"phone": "+4915112345678"}, "*"),
    ],
)
def test_a_mistake_is_named_without_its_value(change: dict[str, Any], where: str) -> None:
    """The text goes to logs and to the archive of dead letters."""
    body = {"id": ID, "outcome": "confirmed"} | change
    with pytest.raises(RequestInvalid) as caught:
        read_feedback(incoming(body), OPEN)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert problem.hint
    assert not [each for each in change.values() if each and str(each) in str(caught.value)[20:]]


@pytest.mark.parametrize("key", ["feedback", "feedback.", "feedback.Shop", "feedback.a.b"])
def test_a_key_without_a_source_is_refused(key: str) -> None:
    """The source is the last word of the key."""
    with pytest.raises(RequestInvalid, match="routing key"):
        read_feedback(incoming({"id": ID, "outcome": "failed"}, key), OPEN)


def test_only_the_source_itself_may_report() -> None:
    """The broker vouches for the AMQP user."""
    limits = Limits(require_user_id=True)
    body = {"id": ID, "outcome": "failed"}
    with pytest.raises(RequestInvalid, match="user_id"):
        read_feedback(incoming(body, user_id="other"), limits)
    assert read_feedback(incoming(body, user_id="shop"), limits).source == "shop"


@pytest.mark.parametrize("body", [b"[]", b'{"id": 1, "id": 2}', b"\xff", b""])
def test_a_body_that_is_not_one_object_is_refused(body: bytes) -> None:
    """As in a request."""
    with pytest.raises(RequestInvalid):
        read_feedback(incoming(body), OPEN)


def test_the_schema_describes_every_field() -> None:
    """And refuses others."""
    schema = feedback_schema()
    assert set(schema["properties"]) == {"v", "id", "outcome", "at", "note"}
    assert schema["additionalProperties"] is False
    assert set(schema["required"]) == {"id", "outcome"}
