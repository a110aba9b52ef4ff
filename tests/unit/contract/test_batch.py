"""The bodies of large batches: what recipients share is in them once."""

from __future__ import annotations

import json
from typing import Any
from uuid import UUID

import pytest

from notify.contract import Incoming, Limits, RequestInvalid, decode, whole_body
from notify.message import Notification

ID = "0d9c2f0e-6f3b-4c59-9a55-0f4b7f2f6f10"


def _decoded(limits: Limits | None = None, **fields: Any) -> list[Notification]:
    people = [{"to": f"a{n}@example.com", "data": {"n": n}} for n in range(1000)]
    body = {"id": ID, "to": people, "subject": "News", "text": "Hi", **fields}
    body = {name: value for name, value in body.items() if value is not None}
    incoming = Incoming(
        json.dumps(body).encode(), "email.bulk.shop", content_type="application/json"
    )
    return decode(incoming, limits or Limits())


def test_a_thousand_recipients_may_share_what_one_message_may_have() -> None:
    """17 kB of HTML, and 900 kB: the recipients' own parts stay small."""
    for size in (17_000, 900_000):
        found = _decoded(html="x" * size)
        assert len(found) == 1000
        assert sum(len(each.body) for each in found) < 500_000
        assert len({id(each.shared) for each in found}) == 1
        assert found[-1].inline is not None
        assert len(found[-1].inline.html) == size


def test_small_copies_are_complete() -> None:
    """As earlier versions write and read them."""
    found = _decoded(html="x" * 1000)
    assert found[0].shared is None
    assert json.loads(found[0].body)["html"] == "x" * 1000


@pytest.mark.parametrize(
    "fields",
    [
        {"html": "x" * 20_000, "metadata": {"order": "7"}, "locale": "de"},
        {
            "subject": None,
            "text": None,
            "template": "news",
            "data": {"items": "x" * 20_000, "n": "shared"},
        },
    ],
    ids=["inline", "template"],
)
def test_own_and_shared_parts_are_the_same_request(fields: dict[str, Any]) -> None:
    """Decoded alone, the complete body is the same notification."""
    for each in (_decoded(**fields)[0], _decoded(**fields)[999]):
        assert each.shared is not None
        body = whole_body(each.body, each.shared.content)
        incoming = Incoming(body, "email.bulk.shop", content_type="application/json")
        (again,) = decode(incoming, Limits())
        assert again.shared is None
        names = set(Notification.__dataclass_fields__) - {"body", "shared"}
        assert [getattr(again, name) for name in names] == [getattr(each, name) for name in names]
        assert each.data["n"] == each.position


def test_the_shared_part_of_another_request_has_another_id() -> None:
    """A request in conflict must not change an earlier one's content."""
    ids: set[UUID] = set()
    for letter in "xy":
        shared = _decoded(html=letter * 20_000)[0].shared
        assert shared is not None
        ids.add(shared.id)
    assert len(ids) == 2


def test_own_parts_that_are_too_large_together_are_refused() -> None:
    """Each recipient has a copy of the labels, which its events repeat."""
    labels = {f"m{n}": "x" * 90 for n in range(20)}
    with pytest.raises(RequestInvalid, match="own parts"):
        _decoded(Limits(max_body_bytes=80_000), metadata=labels)
