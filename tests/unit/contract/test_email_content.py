"""An email's own sender, Reply-To, headers and files: what is accepted, and what is refused."""

from __future__ import annotations

import json
from base64 import b64encode
from typing import Any

import jsonschema_rs
import pytest

from notify.contract import (
    DEFAULT_LIMITS,
    Incoming,
    Limits,
    RequestInvalid,
    SenderNames,
    decode,
    problems,
    schema,
    whole_body,
)
from notify.message import Attachment, Channel, Extras, Notification
from tests.support.malformed import changed
from tests.support.tables import each_of

PDF = {"name": "terms.pdf", "type": "application/pdf", "content": "JVBERi0="}
LOGO = {"name": "logo.gif", "type": "image/gif", "content": "R0lGOA==", "content_id": "logo"}
CANARY = "canary"


def read(
    limits: Limits = DEFAULT_LIMITS, key: str = "email.bulk.shop", **fields: Any
) -> list[Notification]:
    """Return the notifications of a request."""
    return decode(Incoming(changed(**fields), key, "application/json"), limits)


def refused(limits: Limits = DEFAULT_LIMITS, key: str = "email.bulk.shop", **fields: Any) -> str:
    """Return why a request is refused."""
    with pytest.raises(RequestInvalid) as caught:
        read(limits, key, **fields)
    return str(caught.value)


def test_a_request_has_its_own_choices() -> None:
    """All of them are on the notification, the files in their order."""
    (found,) = read(
        sender="support",
        reply_to="Billing@EXAMPLE.com",
        headers={"X-Order-Id": "1017", "References": "<a@example.com> <b@example.com>"},
        attachments=[PDF, LOGO],
    )
    assert found.extras == Extras(
        "support",
        "Billing@example.com",
        (("X-Order-Id", "1017"), ("References", "<a@example.com> <b@example.com>")),
        (
            Attachment("terms.pdf", "application/pdf", "JVBERi0="),
            Attachment("logo.gif", "image/gif", "R0lGOA==", "logo"),
        ),
    )
    assert found.extras.attachments[0].decoded == b"%PDF-"
    assert "JVBERi0=" not in repr(found.extras)


def test_a_request_without_choices_has_none() -> None:
    """An empty list or object is not a choice."""
    assert read()[0].extras is None
    assert read(headers={}, attachments=[], reply_to=None, sender=None)[0].extras is None


@pytest.mark.parametrize(
    "change",
    [
        {"reply_to": "b@example.com"},
        {"sender": "other"},
        {"headers": {"X-A": "c"}},
        {"attachments": [{**PDF, "content": "JVBERi1="}]},
    ],
)
def test_the_fingerprint_covers_them(change: dict[str, Any]) -> None:
    """The same key with another file is another request."""
    fields: dict[str, Any] = {
        "reply_to": "a@example.com",
        "sender": "support",
        "headers": {"X-A": "b"},
        "attachments": [PDF],
    }
    assert read(**fields)[0].digest == read(**fields)[0].digest
    assert read(**{**fields, **change})[0].digest != read(**fields)[0].digest


@each_of(
    ("change", "text"),
    [
        ({"name": "a/b.pdf"}, "attachments[0].name: not a file's name"),
        ({"name": "a\r\nX: b"}, "not a file's name"),
        ({"name": "invoice\u202efdp.exe"}, "not a file's name"),
        ({"name": ".."}, "begins or ends with a dot"),
        ({"name": "run.EXE"}, "mailbox providers refuse programs"),
        ({"name": "x" * 151}, "longer than 150"),
        ({"name": ""}, "must not be empty"),
        ({"type": "application/PDF"}, "attachments[0].type: not a media type"),
        ({"type": "text/plain\r\nX: b"}, "not a media type"),
        ({"type": "message/rfc822"}, "programs and messages cannot be attached"),
        ({"type": "multipart/mixed"}, "programs and messages cannot be attached"),
        ({"type": "application/x-msdownload"}, "programs and messages cannot be attached"),
        ({"content": "JVBERi0"}, "attachments[0].content: not base64"),
        ({"content": "JVBE\nRi0="}, "not base64"),
        ({"content": "-_-_"}, "not base64"),
        ({"content": ""}, "the file is empty"),
        ({"content": 7}, "must be a string"),
        ({"content_id": "logo"}, "attachments[0].content_id: only an image can be inline"),
        ({"content_id": "<logo>"}, "not a content id"),
        ({"url": CANARY}, "attachments[0].*: unknown field"),
    ],
)
def test_a_wrong_file_is_refused(change: dict[str, Any], text: str) -> None:
    """The text names the place, never a value."""
    why = refused(attachments=[{**PDF, **change}])
    assert text in why
    assert CANARY not in why


def test_inline_images_must_be_shown() -> None:
    """In the request's own HTML; a template's is not known yet."""
    html: dict[str, Any] = {"template": None, "data": None, "subject": "Hi"}
    assert read(**html, html='<img src="cid:logo">', attachments=[LOGO])
    assert "does not show this image" in refused(**html, html="<p>", attachments=[LOGO])
    assert "does not show this image" in refused(**html, text="Hi", attachments=[LOGO])
    assert "the same content id" in refused(attachments=[LOGO, LOGO])
    assert read(attachments=[LOGO])


def test_an_invitation_has_its_method() -> None:
    """Calendar programs read it from the type."""
    file = {**PDF, "type": "text/calendar; method=REQUEST"}
    assert read(attachments=[file])[0].extras is not None


def test_files_have_limits() -> None:
    """Their number, and their bytes together, beside the limit of the body."""
    limits = Limits(max_body_bytes=2000, max_attachment_bytes=6000)
    large = {**PDF, "content": b64encode(b"x" * 3000).decode()}
    assert read(limits, attachments=[large, large])
    assert "attachments: the files are larger than 6000 bytes together" in refused(
        limits, attachments=[large, {**PDF, "content": b64encode(b"x" * 3001).decode()}]
    )
    assert "the body is larger than 10000 bytes" in refused(limits, attachments=[large] * 3)
    assert "the body is larger than 2000 bytes" in refused(
        limits, attachments=[large], data={"x": "y" * 2000}
    )
    assert "more than 10 entries" in refused(attachments=[PDF] * 11)
    blank = Incoming(b" " * 2001, "email.bulk.shop", "application/json")
    with pytest.raises(RequestInvalid, match="the body is larger than 2000 bytes"):
        decode(blank, limits)
    none = Limits(max_attachment_bytes=0)
    assert "larger than 0 bytes" in refused(none, attachments=[PDF])


def test_the_body_of_another_channel_is_not_larger() -> None:
    """A channel without files has the limit of the body alone."""
    limits = Limits(max_body_bytes=2000)
    sms: dict[str, Any] = {"to": "+4915112345678", "data": {"x": "y" * 3000}}
    assert "the body is larger than 2000 bytes" in refused(limits, "sms.bulk.shop", **sms)
    why = refused(key="sms.bulk.shop", to="+4915112345678", attachments=[PDF])
    assert "unknown field" in why


def test_a_batch_has_its_files_once() -> None:
    """In the shared part; the complete body of one recipient is the same request."""
    people = [f"a{n}@example.com" for n in range(50)]
    members = read(to=people, attachments=[PDF], reply_to="a@example.com")
    assert len({id(each.shared) for each in members}) == 1
    for each in members:
        assert b"JVBERi0=" not in each.body
        assert each.shared is not None
        assert b"JVBERi0=" in each.shared.content
        assert each.extras is members[0].extras
    last = members[-1]
    assert last.shared is not None
    again = Incoming(
        whole_body(last.body, last.shared.content), "email.bulk.shop", "application/json"
    )
    (decoded,) = decode(again, DEFAULT_LIMITS)
    assert decoded == last.__class__(
        **{name: getattr(last, name) for name in last.__slots__} | {"body": decoded.body}
    )


def test_files_times_recipients_have_a_limit() -> None:
    """Each recipient that is tried again has a message with all of them."""
    limits = Limits(max_body_bytes=10_000, max_attachment_bytes=30_000)
    large = {**PDF, "content": b64encode(b"x" * 24_000).decode()}
    most = 16 * 50_000 // 32_000
    people = [f"a{n}@example.com" for n in range(most + 1)]
    assert len(read(limits, to=people[:-1], attachments=[large])) == most
    assert "attachments: the files, times the recipients" in refused(
        limits, to=people, attachments=[large]
    )


@each_of(
    ("name", "value", "text"),
    [
        ("Subject", "x", "this header is not the request's to set"),
        ("Bcc", "x@example.com", "this header is not the request's to set"),
        ("Reply-To", "x@example.com", "this header is not the request's to set"),
        ("List-Unsubscribe", "<https://example.com>", "not the request's to set"),
        ("DKIM-Signature", "x", "not the request's to set"),
        ("X-SMTPAPI", '{"to": ["x@example.com"]}', "has a meaning for mail services"),
        ("x-ses-configuration-set", "x", "has a meaning for mail services"),
        ("X-PM-Message-Stream", "x", "has a meaning for mail services"),
        ("X-A\r\nBcc", "x", "not a header's name"),
        ("X A", "x", "not a header's name"),
        ("X-A:", "x", "not a header's name"),
        ("", "x", "not a header's name"),
        ("X-A", "x\r\nBcc: y@example.com", "not a header's value"),
        ("X-A", "x\ny", "not a header's value"),
        ("X-A", "x ", "not a header's value"),
        ("X-A", "für", "not a header's value"),
        ("X-A", "", "must not be empty"),
        ("X-A", "x" * 901, "longer than 900"),
    ],
)
def test_a_wrong_header_is_refused(name: str, value: str, text: str) -> None:
    """None of ours, no second one by a line break, and no order to a vendor."""
    why = refused(headers={name: value})
    assert text in why
    assert why.startswith("headers")


def test_a_header_is_set_once() -> None:
    """Its name is the same in other letters; there are at most twenty."""
    assert "in other letters" in refused(headers={"X-A": "1", "x-a": "2"})
    assert "more than 20" in refused(headers={f"X-{n}": "1" for n in range(21)})


@pytest.mark.parametrize("field", ["cc", "bcc"])
def test_copies_are_refused_with_the_reason(field: str) -> None:
    """Each recipient has a status and a right to unsubscribe."""
    fields: dict[str, Any] = {field: ["canary@example.com"]}
    why = refused(**fields)
    assert f"{field}: is not a field here" in why
    assert "list all of them in `to`" in why
    assert CANARY not in why


@pytest.mark.parametrize(
    "value", ["Ann <a@example.com>", "a@example.com\r\nBcc: b@example.com", ""]
)
def test_a_reply_to_is_a_bare_address(value: str) -> None:
    """As each recipient."""
    assert "reply_to: not an email address" in refused(reply_to=value)


NAMES = SenderNames(
    sources={"support": frozenset({"shop"}), "codes": frozenset(), "other": frozenset({"crm"})},
    channels={
        "support": frozenset({Channel.EMAIL}),
        "codes": frozenset(Channel),
        "other": frozenset(Channel),
    },
)
KNOWN = Limits(senders=NAMES)


def test_a_source_may_use_its_senders() -> None:
    """Those that are open to all, and its own."""
    for name in ("support", "codes"):
        found = read(KNOWN, sender=name)[0].extras
        assert found is not None
        assert found.sender == name
    assert read(sender="anything")[0].extras is not None


@pytest.mark.parametrize(
    ("name", "key", "text"),
    [
        ("suport", "email.bulk.shop", "no such sender, did you mean `support`?"),
        ("other", "email.bulk.shop", "no such sender (yours are: codes, support)"),
        ("support", "sms.bulk.shop", "this sender cannot send sms (yours are: codes)"),
        ("support", "email.bulk.crm", "no such sender"),
        ("Support Team", "email.bulk.shop", "not a sender's name"),
    ],
)
def test_a_wrong_sender_is_refused(name: str, key: str, text: str) -> None:
    """Another source's sender is as one that does not exist."""
    to = "+4915112345678" if key.startswith("sms") else "ann@example.com"
    assert f"sender: {text}" in refused(KNOWN, key, sender=name, to=to).replace(
        "your source has ", ""
    )


def test_lint_finds_the_same() -> None:
    """Size, sender and fields, before publishing."""
    assert problems(changed(attachments=[PDF]), channel=Channel.EMAIL) == []
    limits = Limits(max_attachment_bytes=3, senders=NAMES)
    found = problems(
        changed(attachments=[PDF], sender="other", cc="x"),
        channel=Channel.EMAIL,
        limits=limits,
        source="shop",
    )
    assert [each.where for each in found] == ["cc", "attachments", "sender"]
    unknown = problems(changed(sender="other"), channel=None, limits=limits)
    assert unknown == []


def test_a_large_file_is_decoded() -> None:
    """Seven megabytes; its base64 is in the notification as it came."""
    content = b64encode(b"\0" * 7_000_000).decode()
    body = json.loads(changed())
    body |= {"attachments": [{**PDF, "content": content}]}
    incoming = Incoming(json.dumps(body).encode(), "email.bulk.shop", "application/json")
    (found,) = decode(incoming, DEFAULT_LIMITS)
    assert found.extras is not None
    assert found.extras.attachments[0].content == content


def test_files_of_one_recipient_are_apart_from_its_body() -> None:
    """Whatever reads bodies reads no files; published again, it is the same request."""
    cases: list[dict[str, Any]] = [{}, {"data": None, "metadata": {"order": "7"}}, {"data": {}}]
    for fields in cases:
        (found,) = read(attachments=[PDF], **fields)
        assert b"attachments" not in found.body
        assert found.shared is not None
        assert json.loads(found.shared.content) == {"attachments": [PDF]}
        body = whole_body(found.body, found.shared.content)
        (again,) = decode(Incoming(body, "email.bulk.shop", "application/json"), DEFAULT_LIMITS)
        assert again == found
        assert again.shared == found.shared


def test_a_copy_of_a_batch_has_the_files_of_its_batch() -> None:
    """Tried again, it names the part that is on record already."""
    _, second = read(to=["a@example.com", "b@example.com"], attachments=[PDF])
    assert second.shared is not None
    body = whole_body(second.body, second.shared.content)
    (again,) = decode(Incoming(body, "email.bulk.shop", "application/json"), DEFAULT_LIMITS)
    assert again.shared is not None
    assert again.shared.id == second.shared.id
    assert again.extras == second.extras
    assert (again.id, again.digest, again.batch_id) == (second.id, second.digest, second.batch_id)


SCHEMA = jsonschema_rs.validator_for(schema(Channel.EMAIL))


@each_of(
    "fields",
    [
        {"headers": {"X-A": "b", "references": "<a@example.com>"}},
        {"headers": {"Bcc": "b"}},
        {"headers": {"X-": "b"}},
        {"headers": {"X-A": "b\nc"}},
        {"headers": {f"X-{n}": "1" for n in range(21)}},
        {"attachments": [{**PDF, "type": "text/calendar; method=REQUEST"}]},
        {"attachments": [{**PDF, "type": "application/PDF"}]},
        {"attachments": [{**LOGO, "content_id": "<logo>"}]},
        {"attachments": [{**PDF, "url": "x"}]},
        {"attachments": [PDF] * 11},
        {"attachments": [{"name": "a"}]},
        {"reply_to": 7},
        {"sender": "Support"},
        {"cc": "a@example.com"},
    ],
)
def test_the_schema_agrees(fields: dict[str, Any]) -> None:
    """A validator in another language refuses what the contract refuses by its form."""
    body = changed(**fields)
    accepted = problems(body, channel=Channel.EMAIL) == []
    assert SCHEMA.is_valid(json.loads(body)) is accepted
