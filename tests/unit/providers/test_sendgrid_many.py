"""SendGrid's request for many emails, and the answers that concern some of them or all."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sendgrid.helpers.mail import Substitution

from notify.errors import (
    GroupRefused,
    InvalidRecipient,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.message import Attachment, MailSender, Receipt, Rendered
from notify.provider import SendsMany
from notify.sandbox.exchange import HttpRequest
from notify.sandbox.inbox import Message
from notify.sandbox.sendgrid import SendGrid as SandboxSendGrid
from providers.sendgrid import SendGrid, group_request, mail
from providers.sendgrid.group_request import (
    MOST_OWN_BYTES,
    group_body,
    quoted,
    same_content,
)
from providers.sendgrid.request import RequestWriter
from tests.support.recording import NOW
from tests.support.vendor import Vendor, hang, reset, say
from tests.unit.providers.calling import Hurry
from tests.unit.providers.dialects import MESSAGE, SENDGRID, json_reply

OURS = MailSender("sender@example.com", "Sender")
TEXT = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    ["", "%", "%(to)s", '"', "\\", "\u2028", "\U0001f600", "-a-"]
)


FILE = Attachment("terms.pdf", "application/pdf", "JVBERi0=")


def _many(count: int, **changes: Any) -> list[Rendered]:
    return [
        replace(MESSAGE, to=f"to-{n}@example.com", notification_id=uuid4(), **changes)
        for n in range(count)
    ]


def _own(count: int) -> list[Rendered]:
    return [replace(each, html=f"<p>{n}</p>") for n, each in enumerate(_many(count))]


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A server that accepts."""
    with Vendor() as vendor:
        yield vendor


@pytest.fixture
def provider(vendor: Vendor) -> Iterator[SendGrid]:
    """Return the provider of that server."""
    provider = SENDGRID.build(vendor, "accepted")
    assert isinstance(provider, SendGrid)
    assert isinstance(provider, SendsMany)
    yield provider
    provider.close()


def _read(body: bytes) -> list[Message]:
    """Read a request as the sandbox does, by SendGrid's rules."""
    sandbox = SandboxSendGrid(lambda: NOW, lambda: "id", 1)
    headers = {"authorization": "Bearer key"}
    return sandbox.read(HttpRequest("POST", "/v3/mail/send", "", headers, body))


@pytest.mark.parametrize("messages", [_many(3), _own(3)], ids=["same", "own"])
def test_each_email_is_read_as_it_was_rendered(
    provider: SendGrid, vendor: Vendor, messages: list[Rendered]
) -> None:
    """Recipient, subject, text, HTML and our ids, in one request."""
    messages[1] = replace(messages[1], subject="another")

    receipts = provider.send_many(messages)

    assert receipts == [Receipt("id-1")] * 3
    (seen,) = vendor.seen
    read = [(m.to, m.subject, m.text, m.html, m.notify_id, m.attempt_id) for m in _read(seen.body)]
    assert read == [
        (m.to, m.subject, m.text, m.html, str(m.notification_id), str(m.attempt_id))
        for m in messages
    ]


def test_the_same_content_is_in_the_request_once(provider: SendGrid, vendor: Vendor) -> None:
    """Without substitutions, and each recipient costs as little as its address and ids."""
    provider.send_many(_many(1000, html="<p>canary</p>" * 1000))

    assert vendor.seen[0].body.count(b"canary") < 1100
    assert b"substitutions" not in vendor.seen[0].body
    assert len(_read(vendor.seen[0].body)) == 1000


def test_files_are_in_the_request_once(provider: SendGrid, vendor: Vendor) -> None:
    """However many recipients it has; another file is another request."""
    emails = _many(3, reply_to="answers@example.com", attachments=(FILE,))
    provider.send_many(emails)

    body = json.loads(vendor.seen[0].body)
    assert body["attachments"] == [
        {
            "content": "JVBERi0=",
            "type": "application/pdf",
            "filename": "terms.pdf",
            "disposition": "attachment",
        }
    ]
    assert body["reply_to"] == {"email": "answers@example.com"}
    other = replace(emails[0], attachments=(replace(FILE, content="JVBERi1="),))
    assert provider.shares(other) != provider.shares(emails[0])
    assert hash(provider.shares(emails[0])) == hash(provider.shares(emails[1]))


def test_tags_are_new_for_each_request(provider: SendGrid, vendor: Vendor) -> None:
    """A recipient's data cannot contain one, even if it is copied from an earlier request."""
    for _ in range(2):
        provider.send_many(_own(2))

    content = [json.loads(seen.body)["content"][0]["value"] for seen in vendor.seen]
    assert len(set(content)) == 2
    assert all(len(each) > 32 for each in content)


@pytest.mark.parametrize("letter", ["x", "ü", "\U0001f600"])
def test_content_is_substituted_up_to_ten_thousand_bytes(letter: str) -> None:
    """One more byte, and only emails with the same content may be in the request."""
    most = MOST_OWN_BYTES - 2 * group_request._TAG_BYTES
    fits = replace(MESSAGE, text=letter * (most // len(letter.encode())), html="")
    over = replace(fits, text=fits.text + letter)
    writer = RequestWriter(OURS, subscription_tracking=False)

    assert group_request.shared_parts(fits).content is None
    assert group_request.shared_parts(over).content == (over.text, "")
    other = replace(fits, to="other@example.com", text=fits.text[1:])
    assert len(_read(group_body(writer, [fits, other], same=False))) == 2


@pytest.mark.parametrize(
    "change",
    [
        {"html": ""},
        {"subject": ""},
        {"sender": MailSender("news@example.com")},
        {"headers": [("List-Unsubscribe", "<https://example.com>")]},
        {"text": "x" * 10_000},
        {"reply_to": "answers@example.com"},
        {"attachments": (FILE,)},
    ],
)
def test_emails_that_differ_in_shape_are_not_in_one_request(
    provider: SendGrid, change: dict[str, Any]
) -> None:
    """The From, the Reply-To, the files and the options are the request's, not a recipient's."""
    assert provider.shares(replace(MESSAGE, **change)) != provider.shares(MESSAGE)
    assert hash(provider.shares(MESSAGE)) == hash(provider.shares(_many(2)[1]))


@given(st.lists(st.tuples(TEXT, TEXT, TEXT, TEXT), min_size=2, max_size=4), st.booleans())
def test_a_request_is_what_sendgrids_builder_builds(
    values: list[tuple[str, str, str, str]], tracking: bool
) -> None:
    """Its builder's request of the first email, with the builder's personalization of each."""
    header = ("List-Id", "a")
    messages = [
        replace(MESSAGE, to=to, subject=subject, text=f".{text}", html=f".{html}", headers=[header])
        for to, subject, text, html in values
    ]
    writer = RequestWriter(OURS, subscription_tracking=tracking)
    same = same_content(messages)

    body = json.loads(group_body(writer, messages, same=same))

    whole = json.loads(mail.built(messages[0], sender=OURS, subscription_tracking=tracking))
    tags = [part["value"] for part in body["content"]]
    built = [_built(each, [] if same else tags) for each in messages]
    if len({each.subject for each in messages}) == 1:
        for each in built:
            del each["subject"]
    assert body["personalizations"] == built
    if same:
        assert body == {**whole, "personalizations": built}
    else:
        content = [{**part, "value": tag} for part, tag in zip(whole["content"], tags, strict=True)]
        assert body == {**whole, "personalizations": built, "content": content}


def _built(message: Rendered, tags: Sequence[str]) -> dict[str, Any]:
    personalization = mail.personalization(message)
    for tag, text in zip(tags, (message.text, message.html), strict=False):
        personalization.add_substitution(Substitution(tag, text))
    built: dict[str, Any] = json.loads(json.dumps(personalization.get()))
    built["subject"] = message.subject
    return built


def _refused(provider: SendGrid, vendor: Vendor, status: int, *fields: str | None) -> list[Any]:
    errors = [{"message": "canary", "field": field, "help": None} for field in fields]
    vendor.on(SENDGRID.path, json_reply(status, {"errors": errors})({}))
    try:
        return [type(each) for each in provider.send_many(_many(3))]
    except ProviderError as error:
        return [type(error)] * 3


PLACE = "personalizations.{}.to.0.email"


@pytest.mark.parametrize(
    ("status", "fields", "kinds"),
    [
        (400, [PLACE.format(1)], [GroupRefused, InvalidRecipient, GroupRefused]),
        (
            400,
            [PLACE.format(0), PLACE.format(2)],
            [InvalidRecipient, GroupRefused, InvalidRecipient],
        ),
        (400, ["personalizations.2.subject"], [GroupRefused, GroupRefused, PermanentError]),
        (400, ["personalizations.3.to"], [GroupRefused] * 3),
        (400, ["personalizations"], [GroupRefused] * 3),
        (400, ["personalizations.to.email"], [GroupRefused] * 3),
        (400, [None], [GroupRefused] * 3),
        (400, [""], [GroupRefused] * 3),
        (400, ["content.0.value"], [PermanentError] * 3),
        (400, [PLACE.format(1), "from.email"], [Unauthorized] * 3),
        (413, [None], [GroupRefused] * 3),
        (401, [None], [Unauthorized] * 3),
        (429, [None], [Throttled] * 3),
        (503, [None], [TransientError] * 3),
        (500, [None], [OutcomeUnknown] * 3),
    ],
)
def test_a_refusal_concerns_the_emails_that_it_names(
    provider: SendGrid,
    vendor: Vendor,
    status: int,
    fields: list[str | None],
    kinds: list[type[ProviderError]],
) -> None:
    """The others of a request that names one were not sent, and may be without it."""
    assert _refused(provider, vendor, status, *fields) == kinds


def test_a_refusal_of_content_that_differs_may_concern_any(
    provider: SendGrid, vendor: Vendor
) -> None:
    """Fewer at once find the email that it is about."""
    vendor.on(SENDGRID.path, SENDGRID.words["permanent"]({}))
    assert [type(each) for each in provider.send_many(_own(2))] == [GroupRefused] * 2


@pytest.mark.parametrize("body", [b"<html>canary", b"{}", b'{"errors": []}'])
def test_a_refusal_that_is_not_sendgrids_rejects_no_email(
    provider: SendGrid, vendor: Vendor, body: bytes
) -> None:
    """It was not sent, and may be later."""
    vendor.on(SENDGRID.path, say(400, body))
    assert [type(each) for each in provider.send_many(_many(2))] == [TransientError] * 2


@pytest.mark.parametrize("lost", [reset, say(202, b"<html>"), say(502, b"<html>")])
def test_a_lost_answer_concerns_all(provider: SendGrid, vendor: Vendor, lost: Any) -> None:
    """All of them may have been sent."""
    vendor.on(SENDGRID.path, lost)
    try:
        kinds = {type(each) for each in provider.send_many(_many(2))}
    except OutcomeUnknown:
        kinds = {OutcomeUnknown}
    assert kinds == {OutcomeUnknown}


def test_a_large_request_has_more_time(vendor: Vendor, hurry: Hurry) -> None:
    """A second for each megabyte."""
    provider = SENDGRID.build(vendor, "accepted", timeout=10.0)
    assert isinstance(provider, SendGrid)
    vendor.on(SENDGRID.path, hang)
    hurry(9.9)
    began = time.monotonic()
    with pytest.raises(OutcomeUnknown):
        provider.send_many(_many(2, text="x" * 400_000))
    assert time.monotonic() - began >= 0.5
    provider.close()


def test_a_request_above_the_limit_is_not_sent(
    provider: SendGrid, vendor: Vendor, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is sent as two, or as many as it takes."""
    monkeypatch.setattr("providers.sendgrid.provider.LARGEST_REQUEST", 1000)
    assert [type(each) for each in provider.send_many(_many(9))] == [GroupRefused] * 9
    assert vendor.seen == []


def test_an_email_that_begins_with_a_key_is_refused_alone(
    provider: SendGrid, vendor: Vendor
) -> None:
    """As by the SDK; the others may be sent without it."""
    messages = [MESSAGE, replace(MESSAGE, to="b@example.com", text="SG.abc.def")]
    assert [type(each) for each in provider.send_many(messages)] == [GroupRefused, PermanentError]
    assert vendor.seen == []


@given(
    st.text(
        st.characters(exclude_categories=()) | st.sampled_from('"\\\n\x00\x1f\x7f\ud800\u2028'),
        max_size=40,
    )
)
def test_a_text_is_quoted_as_json_does(text: str) -> None:
    """A long one too, whose escapes are not written by the library."""
    for each in (text, 300 * "a" + text):
        assert quoted(each) == json.dumps(each, ensure_ascii=False)
