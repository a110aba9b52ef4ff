"""SendGrid's own words: its request, and the refusals that only it has."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from notify.errors import (
    InvalidRecipient,
    PermanentError,
    ProviderError,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.message import MailSender
from providers.sendgrid import SendGrid
from tests.support.vendor import Vendor
from tests.unit.providers.dialects import MESSAGE, SENDGRID, json_reply


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    """A server that accepts."""
    with Vendor() as vendor:
        yield vendor


def refused(vendor: Vendor, status: int, text: str, field: str | None) -> ProviderError:
    """The error of a send that SendGrid refuses so."""
    provider = SENDGRID.build(vendor, "accepted")
    answer = {"errors": [{"message": text, "field": field}]}
    vendor.on(SENDGRID.path, json_reply(status, answer)({}))
    with pytest.raises(ProviderError) as caught:
        provider.send(MESSAGE)
    provider.close()
    return caught.value


def test_a_mail_is_written_as_sendgrid_reads_it(vendor: Vendor) -> None:
    """Text before HTML, our ids inside the personalization, the key in the header."""
    provider = SENDGRID.build(vendor, "accepted", sender_name="Jürgen")
    provider.send(MESSAGE)
    assert json.loads(vendor.seen[0].body) == {
        "from": {"email": "sender@example.com", "name": "Jürgen"},
        "subject": "canary-subject",
        "personalizations": [
            {
                "to": [{"email": MESSAGE.to}],
                "custom_args": {
                    "notify_id": str(MESSAGE.notification_id),
                    "attempt_id": str(MESSAGE.attempt_id),
                },
            }
        ],
        "content": [
            {"type": "text/plain", "value": "canary-body"},
            {"type": "text/html", "value": "<p>canary-body</p>"},
        ],
    }
    assert vendor.seen[0].headers["authorization"] == "Bearer canary-key"
    assert vendor.seen[0].headers["content-type"] == "application/json"
    provider.close()


@pytest.mark.parametrize(
    "to", ['"a,b" <x@y>@example.org', "Ann <ann@example.org>", "ü@example.org"]
)
def test_a_recipient_is_never_taken_apart(vendor: Vendor, to: str) -> None:
    """The address goes out as it came in: what it means was decided before."""
    provider = SENDGRID.build(vendor, "accepted")
    provider.send(replace(MESSAGE, to=to, html=""))
    sent = json.loads(vendor.seen[0].body)
    assert sent["personalizations"][0]["to"] == [{"email": to}]
    assert [content["type"] for content in sent["content"]] == ["text/plain"]
    provider.close()


@pytest.mark.parametrize(
    ("status", "text", "field", "kind"),
    [
        (400, "No valid address.", "personalizations.0.to.0.email", InvalidRecipient),
        (400, "Invalid", "personalizations.to.email", InvalidRecipient),
        (400, "The from email does not contain a valid address.", "from.email", Unauthorized),
        (400, "The from object must be provided.", "from", Unauthorized),
        (400, "The from name is too long.", "from.name", Unauthorized),
        (400, "Does not match a verified identity.", "personalizations.0.from.email", Unauthorized),
        (400, "No such header.", "headers.from_whom", PermanentError),
        (404, "Not found", None, TransientError),
        (405, "method not allowed", None, TransientError),
        (413, "payload too large", None, PermanentError),
        (415, "content-type is missing", None, TransientError),
        (400, "The subject is required.", "personalizations.0.subject", PermanentError),
        (401, "Maximum credits exceeded", None, Unauthorized),
        (403, "The from address does not match a verified Sender Identity.", "from", Unauthorized),
        (403, "access forbidden", None, Unauthorized),
        (403, "You are temporarily blocked from using the API.", None, Throttled),
    ],
)  # fmt: skip
def test_the_field_and_the_two_meanings_of_403_are_told_apart(
    vendor: Vendor, status: int, text: str, field: str | None, kind: type[ProviderError]
) -> None:
    """SendGrid has no codes: the field is one where it is there."""
    error = refused(vendor, status, text, field)
    assert type(error) is kind
    assert (error.status, error.code) == (status, field)


def test_our_sender_is_at_fault_wherever_it_stands_in_the_list(vendor: Vendor) -> None:
    """A message that is wrong too waits with the others, until the sender is corrected."""
    provider = SENDGRID.build(vendor, "accepted")
    fields = [None, "personalizations.0.to.0.email", "from.email"]
    errors = ["no object", *({"message": "canary", "field": field} for field in fields)]
    vendor.on(SENDGRID.path, json_reply(400, {"errors": errors})({}))
    with pytest.raises(Unauthorized) as caught:
        provider.send(MESSAGE)
    assert caught.value.code == "from.email"
    provider.close()


@pytest.mark.parametrize("field", ["ann@example.org", "+15005550001", "A b", "x" * 65, "a." * 99])
def test_a_field_that_is_no_path_is_not_repeated(vendor: Vendor, field: str) -> None:
    """A text that may be a personal value is omitted."""
    error = refused(vendor, 400, "no", field)
    assert (type(error), error.code) == (PermanentError, None)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Reset": "1800000007"}, 7.0),
        ({"X-RateLimit-Reset": "1800000007", "Retry-After": "3"}, 3.0),
        ({"X-RateLimit-Reset": "1700000000"}, 0.0),
        ({"X-RateLimit-Reset": "9999999999"}, 86_400.0),
        ({"X-RateLimit-Reset": "9" * 5000}, None),
        ({"X-RateLimit-Reset": "soon"}, None),
        ({}, None),
    ],
)
def test_a_rate_limit_tells_when_it_resets(
    vendor: Vendor, headers: dict[str, str], seconds: float | None
) -> None:
    """As a time since 1970, in a header of SendGrid's own."""
    provider = SENDGRID.build(vendor, "throttled", headers, clock=lambda: 1_800_000_000.0)
    with pytest.raises(Throttled) as caught:
        provider.send(MESSAGE)
    assert caught.value.retry_after == seconds
    provider.close()


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1800000007"}, 7.0),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "1700000000"}, 0.0),
        ({"X-RateLimit-Remaining": "1", "X-RateLimit-Reset": "1800000007"}, None),
        ({"X-RateLimit-Remaining": "0", "X-RateLimit-Reset": "soon"}, None),
        ({"X-RateLimit-Remaining": "0"}, None),
        ({"X-RateLimit-Reset": "1800000007"}, None),
    ],
)
def test_the_last_mail_that_it_takes_for_now_says_until_when(
    vendor: Vendor, headers: dict[str, str], seconds: float | None
) -> None:
    """SendGrid's answers have the remaining calls, so a refusal can be avoided."""
    provider = SENDGRID.build(vendor, "accepted", headers, clock=lambda: 1_800_000_000.0)
    assert provider.send(MESSAGE).exhausted_for == seconds
    provider.close()


def test_a_mail_that_begins_with_a_key_is_not_sent(vendor: Vendor) -> None:
    """The vendor's own builder refuses it, and the key is not told."""
    provider = SENDGRID.build(vendor, "accepted")
    with pytest.raises(PermanentError, match="begins with a SendGrid API key") as caught:
        provider.send(replace(MESSAGE, text="SG.abc123.def456 is my key"))
    assert "abc123" not in str(caught.value)
    assert vendor.seen == []
    provider.close()


HEADERS = (
    ("List-Id", "<newsletter.example.com>"),
    ("List-Unsubscribe", "<https://notify.example.com/u/token>"),
    ("List-Unsubscribe-Post", "List-Unsubscribe=One-Click"),
)


@pytest.mark.parametrize("tracking", [False, True])
def test_exactly_one_party_adds_the_unsubscribe_header(vendor: Vendor, tracking: bool) -> None:
    """Ours is there once, and SendGrid's is switched off, whatever the account's setting is."""
    provider = SENDGRID.build(vendor, "accepted", subscription_tracking=tracking)
    provider.send(replace(MESSAGE, headers=HEADERS, sender=MailSender("news@example.com", "News")))
    provider.close()
    body = vendor.seen[0].body
    sent = json.loads(body)
    assert sent["personalizations"][0]["headers"] == dict(HEADERS)
    assert sent["tracking_settings"] == {"subscription_tracking": {"enable": False}}
    assert sent["from"] == {"email": "news@example.com", "name": "News"}
    assert body.lower().count(b'"list-unsubscribe"') == 1
    assert "asm" not in sent


def test_other_mail_has_sendgrids_links_only_if_it_is_told_so(vendor: Vendor) -> None:
    """Without the option, the account's own setting decides."""
    for tracking, expected in ((False, None), (True, {"subscription_tracking": {"enable": True}})):
        provider = SENDGRID.build(vendor, "accepted", subscription_tracking=tracking)
        provider.send(MESSAGE)
        provider.close()
        assert json.loads(vendor.seen[-1].body).get("tracking_settings") == expected
    assert list(SendGrid.own_unsubscribe({"subscription_tracking": True}))
    assert not list(SendGrid.own_unsubscribe({"subscription_tracking": False}))


def test_no_personal_data_is_where_sendgrid_keeps_it(vendor: Vendor) -> None:
    """Custom args, categories and the like count as not personal, and are shown to staff."""
    provider = SENDGRID.build(vendor, "accepted")
    provider.send(replace(MESSAGE, headers=HEADERS))
    provider.close()
    sent = json.loads(vendor.seen[0].body)
    (recipient,) = sent["personalizations"]
    ids = {str(MESSAGE.notification_id), str(MESSAGE.attempt_id)}
    assert set(recipient.pop("custom_args").values()) == ids
    assert not {"categories", "custom_args", "batch_id", "asm"} & sent.keys()
    assert MESSAGE.to not in json.dumps(recipient.pop("headers"))
    assert recipient == {"to": [{"email": MESSAGE.to}]}


def test_a_categorys_wrong_sender_does_not_stop_other_mail(vendor: Vendor) -> None:
    """Only the provider's own From is that of every message, and opens the circuit."""
    answer = {"errors": [{"message": "not a verified Sender Identity", "field": "from"}]}
    provider = SENDGRID.build(vendor, "accepted")
    vendor.on(SENDGRID.path, json_reply(403, answer)({}))
    with pytest.raises(PermanentError) as caught:
        provider.send(replace(MESSAGE, sender=MailSender("news@example.com")))
    assert caught.value.code == "from"
    with pytest.raises(Unauthorized):
        provider.send(MESSAGE)
    provider.close()
