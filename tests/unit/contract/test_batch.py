"""The bodies of large batches: what recipients share is in them once."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notify.contract import Incoming, Limits, RequestInvalid, decode, whole_body
from notify.contract.batch import CANONICAL, _copies, _parts
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
    found = _decoded(html="x" * 50)
    assert found[0].shared is None
    assert json.loads(found[0].body)["html"] == "x" * 50


def test_copies_are_for_few_recipients_or_little_content() -> None:
    """A row for what they share pays from a quarter of a megabyte of copies on."""
    people = [f"a{n}@example.com" for n in range(1000)]
    for count, html, shared in ((1000, 300, True), (100, 300, False), (100, 3000, True)):
        found = _decoded(to=people[:count], html="x" * html)
        assert (found[0].shared is not None) is shared


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


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
own_data = st.none() | st.dictionaries(texts, texts | st.integers() | st.booleans(), max_size=3)
with_data = st.builds(lambda to, data: SimpleNamespace(to=to, data=data), texts, own_data)
recipients = st.lists(texts | with_data, min_size=1, max_size=4)
LABELS = {"order": "7", 'a "%s': "\u00e9"}
(WHOLE,) = decode(
    Incoming(
        json.dumps(
            {"id": ID, "to": "ann@example.com", "template": "news", "data": {"n": 1}}
        ).encode(),
        "email.bulk.shop",
        content_type="application/json",
    ),
    Limits(),
)
SHARED = {"template": "news", "metadata": LABELS, "idempotency_key": ID}


def _fields(position: int, item: Any, one: Notification) -> dict[str, Any]:
    """Check a recipient's notification, and return the fields of its own."""
    address, own = (item, None) if isinstance(item, str) else (item.to, item.data)
    data = {"n": 1} | (own or {})
    kept: dict[str, Any] = {"id": one.id, "body": one.body, "batch_id": WHOLE.id}
    assert one == replace(WHOLE, to=address, position=position, data=data, **kept)
    batch = {"id": ID, "position": position, "digest": WHOLE.digest.hex()}
    return {"id": str(one.id), "to": address, "batch": batch}


@settings(deadline=None)
@given(to=recipients)
def test_copies_are_those_of_the_general_encoder(to: list[Any]) -> None:
    """Byte for byte, whatever an address and its data contain."""
    for position, one in enumerate(_copies(WHOLE, to, SHARED, Limits())):
        fields = _fields(position, to[position], one)
        own = getattr(to[position], "data", None)
        shared = SHARED if own else {**SHARED, "data": one.data}
        rest = {**fields, "data": one.data} if own else fields
        text = CANONICAL.encode(shared)[:-1] + "," + CANONICAL.encode(rest)[1:]
        assert one.body == text.encode()


@settings(deadline=None)
@given(to=recipients)
def test_own_parts_are_those_of_the_general_encoder(to: list[Any]) -> None:
    """The same where what they share is apart, except for the labels."""
    for position, one in enumerate(_parts(WHOLE, to, SHARED, Limits(), attached=0)):
        fields = _fields(position, to[position], one)
        own = getattr(to[position], "data", None) or {}
        text = CANONICAL.encode({**fields, "metadata": LABELS, "data": own})
        assert one.body == text.encode()
        assert one.shared is not None
