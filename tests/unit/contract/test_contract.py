"""The contract: what is taken, what it becomes, what is refused and how the refusal reads."""

from __future__ import annotations

import dataclasses
import json
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid5

import pytest

from notify.contract import (
    DEFAULT_LIMITS,
    Incoming,
    Limits,
    decode,
    likely_channel,
    problems,
    schema,
)
from notify.contract.check import _WORDS
from notify.contract.problem import FIELDS
from notify.errors import DecodeError
from notify.message import Channel, Content, Notification
from tests.support.malformed import (
    DATA,
    FOREIGN_BUT_FINE,
    ID,
    MALFORMED,
    Foreign,
    Malformed,
    changed,
    incoming,
)
from tests.support.tables import each_of

TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


def read(body: bytes, key: str = "email.normal.shop", **properties: Any) -> list[Notification]:
    """Decode a body with the properties a correct producer sets."""
    properties = {"content_type": "application/json", **properties}
    return decode(Incoming(body, key, **properties), DEFAULT_LIMITS)


def reason(body: bytes, key: str = "email.normal.shop", **properties: Any) -> str:
    """Return the text of the refusal."""
    with pytest.raises(DecodeError) as caught:
        read(body, key, **properties)
    return str(caught.value)


@each_of("message", MALFORMED, ids=lambda message: message.name)
def test_a_malformed_message_is_refused_with_its_reason(message: Malformed) -> None:
    """Each row gives a DecodeError that names what is wrong, and no other error."""
    with pytest.raises(DecodeError) as caught:
        decode(incoming(message), DEFAULT_LIMITS)
    assert message.why in str(caught.value)


@each_of("message", FOREIGN_BUT_FINE, ids=lambda message: message.name)
def test_foreign_properties_do_not_matter(message: Foreign) -> None:
    """A body that keeps the contract is read, whatever headers stand around it."""
    (notification,) = decode(incoming(message), DEFAULT_LIMITS)
    assert notification.to == "ann@example.com"


def test_the_malformed_rows_have_names_of_their_own() -> None:
    """A failing row can be told from the others."""
    names = [message.name for message in MALFORMED]
    assert len(names) == len(set(names)) >= 42


def test_a_single_request_becomes_one_notification() -> None:
    """Every field arrives where the delivery looks for it; the body is kept byte for byte."""
    body = changed(
        locale="pt-BR",
        idempotency_key="order 17/#1",
        expires_at="2099-01-01T01:00:00.5+01:00",
        metadata={"order": "17"},
    )
    (notification,) = read(body, traceparent=TRACEPARENT)
    assert notification == Notification(
        id=UUID(ID),
        source="shop",
        channel=Channel.EMAIL,
        lane="normal",
        to="ann@example.com",
        idempotency_key="order 17/#1",
        digest=notification.digest,
        body=body,
        template="welcome",
        data=DATA,
        locale="pt-BR",
        expires_at=datetime(2099, 1, 1, microsecond=500_000, tzinfo=UTC),
        metadata={"order": "17"},
        traceparent=TRACEPARENT,
    )


def test_the_key_defaults_to_the_canonical_id() -> None:
    """An id in capitals is the same id."""
    (notification,) = read(changed(id=ID.upper()))
    assert notification.idempotency_key == ID


@pytest.mark.parametrize(
    ("key", "fields", "inline"),
    [
        ("email", {"subject": "Hi", "html": "<p>x</p>"}, Content("Hi", "x", "<p>x</p>")),
        ("email", {"subject": "Hi", "text": "a\nb"}, Content("Hi", "a\nb")),
        ("sms", {"to": "+4915112345678", "text": "123"}, Content(text="123")),
        ("push", {"to": "t0ken", "title": "Hi", "body": "x"}, Content("Hi", "x")),
    ],
)
def test_inline_content_takes_the_place_of_a_template(
    key: str, fields: dict[str, str], inline: Content
) -> None:
    """Each channel has its own words for its content, which the delivery knows as three."""
    (notification,) = read(changed(template=None, **fields), f"{key}.critical.shop")
    assert notification.inline == inline
    assert notification.template is None


def test_a_message_id_stands_for_a_missing_id() -> None:
    """A UUID is taken as it is; anything else gives the same UUID each time, per source."""
    body = changed(id=None)
    assert read(body, message_id=ID)[0].id == UUID(ID)
    made = read(body, message_id="order-17")[0]
    assert made.id == read(body, message_id="order-17")[0].id
    assert made.id != read(body, "email.normal.crm", message_id="order-17")[0].id
    assert made.id != read(body, message_id="order-18")[0].id
    # Published again by the service, under the id it was given.
    again = read(body, message_id=str(made.id))[0]
    assert (again.id, again.idempotency_key) == (made.id, made.idempotency_key)


def test_the_id_in_the_body_stands_above_the_message_id() -> None:
    """A client library that sets message_id by itself does not change the request."""
    assert read(changed(), message_id="something else")[0].id == UUID(ID)


def test_a_batch_becomes_a_notification_for_each_recipient() -> None:
    """Ids, positions and data are each recipient's own; the digest is that of the whole."""
    to = ["ann@example.com", {"to": "bo@EXAMPLE.com", "data": {"name": "Bo"}}]
    first, second = read(changed(to=to, idempotency_key="news"))
    assert [first.id, second.id] == [uuid5(UUID(ID), "0"), uuid5(UUID(ID), "1")]
    assert [first.position, second.position] == [0, 1]
    assert first.batch_id == second.batch_id == UUID(ID)
    assert [first.to, second.to] == ["ann@example.com", "bo@example.com"]
    assert [first.data, second.data] == [DATA, {**DATA, "name": "Bo"}]
    assert first.digest == second.digest
    assert {first.idempotency_key, second.idempotency_key} == {"news"}


def test_a_list_of_one_is_a_batch() -> None:
    """The ids follow from the form of the request, not from the number of recipients."""
    (only,) = read(changed(to=["ann@example.com"]))
    assert only.id == uuid5(UUID(ID), "0")
    assert only.batch_id == UUID(ID)


def test_a_member_of_a_batch_can_be_published_again() -> None:
    """Its own body gives the very same notification, so that it can never be sent twice."""
    for member in read(changed(to=["ann@example.com", "bo@example.com"])):
        assert read(member.body) == [member]


def test_a_copy_too_large_to_be_published_again_is_refused() -> None:
    """Otherwise a retry would be dead-lettered for what was fine the first time."""
    batch = changed(
        to=["ann@example.com"], data={"name": "x" * (DEFAULT_LIMITS.max_body_bytes - 150)}
    )
    assert len(batch) <= DEFAULT_LIMITS.max_body_bytes
    assert "larger than" in reason(batch)


@each_of(
    ("change", "same"),
    [
        ({"id": "5b0f6a7c-0a53-4b0e-8a43-7d0f1a0f2d11"}, True),
        ({"v": 1}, True),
        ({"data": {"name": "Bo"}}, False),
        ({"to": "bo@example.com"}, False),
        ({"to": ["ann@example.com"]}, False),
        ({"locale": "de"}, False),
        ({"expires_at": "2099-01-01T00:00:00Z"}, False),
        ({"send_at": "2026-01-01T00:00:00Z"}, False),
    ],
)
def test_the_digest_is_that_of_the_meaning(change: dict[str, Any], same: bool) -> None:
    """A new id is the same request under an explicit key; other words are a conflict."""
    before = read(changed(idempotency_key="k"))[0].digest
    after = read(changed(idempotency_key="k", **change))[0].digest
    assert (before == after) is same


def test_the_digest_tells_channels_apart() -> None:
    """An SMS and a push message of the same words are not the same request."""
    body = changed(to="+4915112345678")
    sms = read(body, "sms.normal.shop")[0]
    push = read(body, "push.normal.shop")[0]
    assert sms.digest != push.digest
    assert read(body, "sms.bulk.shop")[0].digest == sms.digest


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("Ann.Smith+news@EXAMPLE.com", "Ann.Smith+news@example.com"),
        ("ann@sandbox.test", "ann@sandbox.test"),
        ("ann@bücher.example", "ann@xn--bcher-kva.example"),
        ("o'hara@example.com", "o'hara@example.com"),
    ],
)
def test_addresses_are_kept_in_one_form(written: str, kept: str) -> None:
    """The domain in lower-case ASCII, the part before it untouched."""
    assert read(changed(to=written))[0].to == kept


@each_of(
    "address",
    [
        "ann",
        "ann@",
        "@example.com",
        "ann@example",
        "ann@localhost",
        "ann@printer.local",
        ".ann@example.com",
        "a..b@example.com",
        "ann@-example.com",
        "ann@ex--ample.com",
        "ann@example.com ",
        "ann@example.com\n",
        "änn@example.com",
        f"{'a' * 65}@example.com",
        f"ann@{'a' * 250}.com",
    ],
)
def test_what_is_no_address_is_refused(address: str) -> None:
    """Neither the short way nor the library takes it."""
    assert reason(changed(to=address)).startswith("to: ")


@pytest.mark.parametrize(
    "number", ["+4915112345678", "+15005550006", "+447700900123", "+390612345"]
)
def test_possible_numbers_are_taken(number: str) -> None:
    """Among them the numbers reserved by vendors and for films, which are not assigned."""
    assert read(changed(to=number), "sms.normal.shop")[0].to == number


@pytest.mark.parametrize(
    "number",
    [
        "4915112345678",
        "+49 151 12345678",
        "+1555123456",
        "+4401632960001",
        "+49\u0661\u0665\u0661\u0661234567",
    ],
)
def test_what_is_no_phone_number_is_refused(number: str) -> None:
    """Digits of other alphabets, spaces, wrong lengths and the inland 0 are not E.164."""
    assert "phone number" in reason(changed(to=number), "sms.normal.shop")


@each_of("field", ["subject", "idempotency_key", "locale"])
@each_of("character", "\r\n\0\x1b\x85\u2028\u2029")
def test_no_line_break_reaches_a_header(field: str, character: str) -> None:
    """Whatever ends up in a header of some provider is one printable line."""
    fields = {"template": None, "subject": "Hi", "text": "x", field: f"a{character}b"}
    assert field in reason(changed(**fields))


@pytest.mark.parametrize("metadata", [{"a\nb": "x"}, {"a": "x\r\ny"}, {"": "x"}, {"a" * 65: "x"}])
def test_metadata_are_lines_too(metadata: dict[str, str]) -> None:
    """They travel in headers and custom arguments."""
    assert reason(changed(metadata=metadata)).startswith("metadata")


def test_text_may_have_many_lines() -> None:
    """Only header-bound fields are bound to one line."""
    body = changed(template=None, subject="Hi", text="a\r\nb\u2028c")
    assert read(body)[0].inline == Content("Hi", "a\r\nb\u2028c")


@each_of(
    "key",
    ["", "email", "fax.normal.shop", "email.Normal.shop", "email.1.shop", "email.normal.-shop",
     "email.normal.shop\n", f"email.normal.{'s' * 64}", f"email.{'l' * 32}.shop", "email..shop"],
)  # fmt: skip
def test_a_routing_key_of_another_form_is_refused(key: str) -> None:
    """Messages can be published straight into a queue, under any key."""
    assert "routing key" in reason(changed(), key)


def test_the_source_must_be_the_broker_user_where_that_is_demanded() -> None:
    """The broker has checked user_id, but not the routing key."""
    limits = Limits(require_user_id=True)
    message = Incoming(changed(), "email.normal.shop", "application/json", user_id="shop")
    assert decode(message, limits)
    for user in ("crm", None):
        with pytest.raises(DecodeError, match="user_id"):
            decode(dataclasses.replace(message, user_id=user), limits)


def test_the_services_own_user_may_publish_for_any_source() -> None:
    """Relays publish again what producers asked for, with the worker's own login."""
    limits = Limits(require_user_id=True, trusted_users=frozenset({"notify"}))
    message = Incoming(changed(), "email.normal.shop", "application/json", user_id="notify")
    assert decode(message, limits)
    assert decode(dataclasses.replace(message, user_id="shop"), limits)
    for user in ("crm", "", None):
        with pytest.raises(DecodeError, match="user_id"):
            decode(dataclasses.replace(message, user_id=user), limits)


def test_no_user_is_trusted_where_none_is_named() -> None:
    """A message without user_id is not taken for the service's own."""
    limits = Limits(require_user_id=True, trusted_users=frozenset())
    message = Incoming(changed(), "email.normal.shop", "application/json")
    with pytest.raises(DecodeError, match="user_id"):
        decode(message, limits)


@each_of(
    "traceparent",
    [TRACEPARENT[:-1], TRACEPARENT.upper(), f"ff{TRACEPARENT[2:]}", "", None,
     f"00-{'0' * 32}-00f067aa0ba902b7-01", f"{TRACEPARENT}\n", b"bytes", [TRACEPARENT]],
)  # fmt: skip
def test_a_traceparent_of_another_form_is_dropped(traceparent: Any) -> None:
    """Tracing never decides whether a message is delivered."""
    assert read(changed(), traceparent=traceparent)[0].traceparent is None


def test_several_problems_are_told_at_once() -> None:
    """The first five by name, and how many there are."""
    fields = {"locale": 1, "template": 2, "data": 3, "metadata": 4, "idempotency_key": 5, "x": 6}
    text = reason(changed(**fields))
    assert text.count(";") == 5
    assert text.endswith("6 problems in total")


def test_numbers_are_kept_exactly() -> None:
    """Every 64-bit integer, signed or not, comes out as it went in."""
    numbers = [-(2**63), 2**64 - 1, 0.1, 1e308]
    assert read(changed(data={"n": numbers}))[0].data == {"n": numbers}
    assert "64 bits" in reason(changed(data={"n": -(2**63) - 1}))


def test_nesting_of_32_is_taken() -> None:
    """The limit is exact: the body itself is the first level."""
    body = changed(data="@@").replace(b'"@@"', b'{"a":' + b"[" * 30 + b"]" * 30 + b"}")
    assert read(body)


def test_a_copy_of_a_batch_names_one_recipient() -> None:
    """`batch` in a request of several recipients would give them all one position."""
    batch = {"id": ID, "position": 0, "digest": "0" * 64}
    assert "batch: must not be set" in reason(changed(to=["ann@example.com"], batch=batch))


def test_every_wording_can_be_written() -> None:
    """No text of ours fails on a brace of its own."""
    context = {"why": "", "hint": "", "max_length": 1, "ge": 0, "lt": 9}
    for texts in _WORDS.values():
        for text in texts:
            assert "{" not in text.format_map(context).replace('{"to"', "").replace("{ }", "")


NAME = "ann_smith"
NAMELESS = {
    "a field": changed()[:-1] + b', "ann_smith": 1}',
    "a field of a recipient": changed(to=[{"to": "a@example.com", NAME: 1}]),
    "a recipient's data": changed(to=[{"to": "a@example.com", "data": {NAME: "\0"}}]),
    "a label": changed(metadata={NAME: 1}),
    "data with NUL": changed(data={"x": {NAME: "\0"}}),
    "a key twice": changed()[:-1] + b', "data": {"ann_smith": 1, "ann_smith": 2}}',
    "a deep nest": changed(data={NAME: json.loads("[" * 40 + "]" * 40)}),
}


@each_of("what", NAMELESS)
def test_a_name_that_is_the_producers_own_is_only_for_its_author(what: str) -> None:
    """A reason is logged and kept, and survives an erasure; a name can be a person's."""
    assert NAME not in reason(NAMELESS[what])
    (problem, *_) = problems(NAMELESS[what], channel=Channel.EMAIL)
    assert NAME not in f"{problem} {problem.hint}"
    assert NAME in problem.for_author


def test_the_names_that_a_problem_shows_are_the_contracts() -> None:
    """Shared fields, each channel's own and those of a batch; any other may be a person's name."""
    assert {"to", "data", "expires_at", "subject", "html", "title", "body", "position"} <= FIELDS
    assert not FIELDS & {"ann", "name", "email", "phone", "code"}


def test_a_title_changes_no_direction_and_marks_may_stand() -> None:
    """A push title is a line as a subject is; Arabic and Hebrew need their marks."""
    message = {"to": "token", "template": None, "data": None, "body": "x"}
    told = reason(changed(**message, title="\u202efdp"), "push.normal.shop")
    assert told.startswith("title: contains a bidirectional override")
    marked = "\u200f\u05e9\u05dc\u05d5\u05dd\u200e \u061c"
    assert read(changed(**message, title=marked), "push.normal.shop")


def test_unknown_fields_that_read_alike_are_told_once() -> None:
    """Their number would say no more."""
    assert reason(changed()[:-1] + b', "q": 1, "z": 2}').count("unknown field") == 1


def test_lint_tells_the_fix() -> None:
    """Each problem has its place, its reason and what to do."""
    found = {p.named: p for p in problems(changed(tempalte="x"), channel=None)}
    assert found["tempalte"].why == "unknown field, did you mean `template`?"
    found = {p.where: p for p in problems(changed(title="x"), channel=Channel.EMAIL)}
    assert "belongs to push" in found["title"].why
    assert "`subject`" in found["title"].hint
    (problem,) = problems(b'{\n  "to": }', channel=None)
    assert (problem.line, problem.column) == (2, 9)
    assert problems(changed(), channel=None) == []


@each_of("message", MALFORMED, ids=lambda message: message.name)
def test_every_hint_says_something(message: Malformed) -> None:
    """Every problem has a fix."""
    for problem in problems(message.body, channel=None):
        assert problem.hint


@each_of(
    ("body", "channel"),
    [
        (b'{"to":"ann@example.com"}', Channel.EMAIL),
        (b'{"to":[{"to":"+49151"}]}', Channel.SMS),
        (b'{"to":"0151 123"}', Channel.SMS),
        (b'{"to":"t0ken"}', Channel.PUSH),
        (b'{"to":"x","subject":"Hi"}', Channel.EMAIL),
        (b'{"to":"x","title":"Hi"}', Channel.PUSH),
        (b'{"to":5}', Channel.EMAIL),
        (b"5", None),
    ],
)
def test_lint_guesses_the_channel(body: bytes, channel: Channel | None) -> None:
    """From its content's words, else from the look of the recipient."""
    assert likely_channel(body) is channel


@pytest.mark.parametrize("channel", [*Channel, None])
def test_the_schema_describes_every_field(channel: Channel | None) -> None:
    """A reader in another language needs no other source."""
    document = schema(channel)
    assert document["$schema"].endswith("2020-12/schema")
    objects = [document, *document["$defs"].values()]
    fields = [field for each in objects for field in each.get("properties", {}).items()]
    assert {"to", "id", "template"} <= {name for name, _ in fields}
    assert [name for name, field in fields if not field.get("description")] == []
    text = json.dumps(document)
    for name in document["$defs"]:
        assert f"#/$defs/{name}" in text
    json.dumps(document, allow_nan=False)


@pytest.mark.parametrize("channel", Channel)
def test_the_examples_of_the_schema_keep_the_contract(channel: Channel) -> None:
    """Copied text works."""
    for example in schema(channel)["examples"]:
        assert problems(json.dumps(example).encode(), channel=channel) == []
