"""Properties of every message, whatever a producer writes."""

from __future__ import annotations

import json
import random
from typing import Any

import email_validator
from hypothesis import example, given, settings
from hypothesis import strategies as st

from notify.channels import email_address
from notify.contract import Incoming, Limits, decode
from notify.contract.schema import schema
from notify.errors import DecodeError
from notify.message import Channel, Notification
from tests.support.examples import examples
from tests.support.malformed import changed

CANARY = "canary.7f3a@private.example"
FIELDS = sorted({name for channel in Channel for name in schema(channel)["properties"]})

# A busy machine must not fail the test; slow decoding shows in the benchmarks.
unhurried = settings(deadline=None, max_examples=examples(200))

scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
)
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4)
    ),
    max_leaves=12,
)
clean_text = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=9)
clean = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | clean_text,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(clean_text, inner, max_size=4),
    max_leaves=12,
)
objects = st.dictionaries(clean_text, clean, max_size=5)
almost = st.dictionaries(st.sampled_from(FIELDS), values, max_size=8)
keys = st.sampled_from([f"{channel}.normal.shop" for channel in Channel])


def read(
    body: bytes, key: str = "email.normal.shop", message_id: str | None = None
) -> list[Notification]:
    """Decode a body as the worker does."""
    message = Incoming(body, key, content_type="application/json", message_id=message_id)
    return decode(message, Limits(max_body_bytes=100_000, max_recipients=20))


def refusal(body: bytes, key: str, message_id: str | None = None) -> str:
    """Return the text of the refusal, or nothing; any other error fails the test."""
    try:
        read(body, key, message_id)
    except DecodeError as error:
        return str(error)
    return ""


@unhurried
@given(st.binary(max_size=200), st.text(max_size=30))
def test_bytes_are_decoded_or_refused(body: bytes, key: str) -> None:
    """No byte string and no routing key raises anything but DecodeError."""
    refusal(body, key)
    refusal(body, "email.normal.shop")


@unhurried
@given(values | almost, keys, st.none() | st.text(max_size=20))
@example({"id": "\ud800"}, "email.normal.shop", "\ud800")
def test_json_is_decoded_or_refused(value: Any, key: str, message_id: str | None) -> None:
    """No JSON value and no message id raises anything but DecodeError."""
    refusal(json.dumps(value).encode(), key, message_id)


@unhurried
@given(almost, keys)
def test_changed_fields_are_decoded_or_refused(fields: dict[str, Any], key: str) -> None:
    """A good request with some fields replaced by anything raises nothing but DecodeError."""
    refusal(changed(**fields), key)


@unhurried
@given(objects, st.lists(st.none() | objects, min_size=1, max_size=5))
def test_a_members_body_gives_the_member(
    shared: dict[str, Any], own: list[dict[str, Any] | None]
) -> None:
    """Whatever the data, a recipient's own copy is read as the same notification."""
    to = [{"to": f"a{number}@example.com", "data": data} for number, data in enumerate(own)]
    members = read(changed(to=to, data=shared))
    for number, (member, data) in enumerate(zip(members, own, strict=True)):
        assert member.to == f"a{number}@example.com"
        assert member.data == {**shared, **(data or {})}
        assert read(member.body) == [member]


def shuffled(value: Any, rng: random.Random) -> Any:
    """Put the keys of every object into another order."""
    if isinstance(value, dict):
        pairs = [(key, shuffled(inner, rng)) for key, inner in value.items()]
        rng.shuffle(pairs)
        return dict(pairs)
    if isinstance(value, list):
        return [shuffled(inner, rng) for inner in value]
    return value


@unhurried
@given(objects, st.randoms(use_true_random=False), st.integers(0, 3), st.booleans())
def test_the_digest_does_not_see_how_json_is_written(
    data: dict[str, Any], rng: random.Random, indent: int, ascii_only: bool
) -> None:
    """Order of keys, white space and escapes are not part of the request."""
    body = changed(data=data)
    other = json.dumps(shuffled(json.loads(body), rng), indent=indent, ensure_ascii=ascii_only)
    assert read(other.encode())[0].digest == read(body)[0].digest


@unhurried
@given(objects, objects)
def test_the_digest_sees_every_change_of_the_data(
    one: dict[str, Any], other: dict[str, Any]
) -> None:
    """Two requests have one digest only if their data are equal."""
    same = json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)
    digests = {read(changed(data=data))[0].digest for data in (one, other)}
    assert (len(digests) == 1) == same


planted = st.recursive(
    st.just(CANARY) | st.just(5) | st.just(f"{CANARY}\r\n") | st.just(CANARY * 60),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from([CANARY, "to", "data", "id"]), inner, max_size=3)
    ),
    max_leaves=6,
)


@unhurried
@given(st.dictionaries(st.sampled_from([*FIELDS, CANARY]), planted, max_size=8), keys, st.data())
def test_no_refusal_tells_a_value(fields: dict[str, Any], key: str, data: st.DataObject) -> None:
    """Neither values nor keys that look like personal data stand in an error's text."""
    body = changed(**fields)
    cut = data.draw(st.integers(len(body) // 2, len(body)))
    for text in (
        refusal(body, key, CANARY + "\n"),
        refusal(body[:cut], key),
        refusal(body, CANARY),
    ):
        assert "canary" not in text.lower()


local_parts = st.text("abcXYZ019._%+-", min_size=1, max_size=70)
domains = st.lists(st.text("abXY01-", min_size=1, max_size=66), min_size=1, max_size=4).map(
    ".".join
)
top_levels = st.sampled_from(
    ["com", "de", "test", "example", "local", "invalid", "onion", "arpa", "localhost", "Local"]
) | st.text("abXY1-", min_size=1, max_size=5)


@unhurried
@given(local_parts, domains, top_levels)
@example("a", "xn--a", "com")
@example("a", "ab--cd", "com")
@example("a" * 64, "b" * 63, "com")
@example("a" * 65, "b", "com")
def test_the_short_way_takes_no_more_than_the_library(local: str, domain: str, top: str) -> None:
    """An address that we take is one that email-validator takes, in the same form."""
    address = f"{local}@{domain}.{top}"
    try:
        ours = email_address(address)
    except ValueError:
        return
    theirs = email_validator.validate_email(
        address,
        strict=True,
        allow_smtputf8=False,
        check_deliverability=False,
        test_environment=True,
    )
    assert ours == theirs.ascii_email
