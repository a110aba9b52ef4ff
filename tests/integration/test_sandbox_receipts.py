"""The events that the sandbox posts, as a service receives them; the vendors' SDKs verify them."""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import urllib3
from sendgrid.helpers.eventwebhook import EventWebhook
from twilio.request_validator import RequestValidator

from notify.sandbox import ReceiptFault, ReceiptOptions, Sandbox, Vendor
from providers.sendgrid import SendGrid
from tests.support.rig import until

TOKEN = "secret"
BEARER = {"Authorization": "Bearer key"}
BASIC = {
    "Authorization": "Basic " + base64.b64encode(f"AC1:{TOKEN}".encode()).decode(),
    "Content-Type": "application/x-www-form-urlencoded",
}


@dataclass(frozen=True, slots=True)
class Arrival:
    """One request that the service received."""

    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def form(self) -> dict[str, str]:
        """The fields of a callback."""
        return dict(parse_qsl(self.body.decode(), keep_blank_values=True))


@dataclass
class Service:
    """Receives posts, and answers each with the next planned status, else with 204."""

    url: str = ""
    arrivals: list[Arrival] = field(default_factory=list)
    statuses: list[int] = field(default_factory=list)

    def wait(self, count: int) -> list[Arrival]:
        """Return the requests, once there are so many."""
        until(lambda: len(self.arrivals) >= count, found=lambda: self.arrivals)
        return self.arrivals

    def events(self, count: int) -> list[Any]:
        """Return the elements of SendGrid's posts, once there are so many."""

        def elements() -> list[Any]:
            return [e for each in list(self.arrivals) for e in json.loads(each.body)]

        until(lambda: len(elements()) >= count, found=elements)
        return elements()


@pytest.fixture
def service() -> Iterator[Service]:
    """A service on a free port."""
    service = Service()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            service.arrivals.append(Arrival(self.path, dict(self.headers), body))
            self.send_response(service.statuses.pop(0) if service.statuses else 204)
            self.end_headers()

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
            """Log nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield service
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sandbox(service: Service) -> Iterator[Sandbox]:
    """A sandbox that posts to the service."""
    with Sandbox.start(receipts=ReceiptOptions(f"{service.url}/receipts")) as running:
        yield running


def _mail(
    sandbox: Sandbox, *to: str, headers: dict[str, str] | None = None, account: str = ""
) -> str:
    """Send one mail, and return its id."""
    mail = {
        "personalizations": [
            {
                "to": [{"email": each}],
                "custom_args": {"notify_id": f"n-{each}", "attempt_id": f"a-{each}"},
                **({"headers": headers} if headers else {}),
            }
            for each in to
        ],
        "from": {"email": "shop@example.com"},
        "subject": "Hello",
        "content": [{"type": "text/plain", "value": "Hi"}],
    }
    answer = urllib3.request(
        "POST", f"{sandbox.url}{account}/v3/mail/send", json=mail, headers=BEARER, retries=False
    )
    assert answer.status == 202
    return answer.headers["X-Message-Id"]


def _sms(sandbox: Sandbox, service: Service, to: str, fragment: str = "") -> int:
    callback = f"{service.url}/receipts/twilio?notify_id=n1&attempt_id=a1{fragment}"
    fields = {"To": to, "From": "+15005550006", "Body": "Hi", "StatusCallback": callback}
    path = "/2010-04-01/Accounts/AC1/Messages.json"
    body = urlencode(fields).encode()
    return urllib3.request("POST", sandbox.url + path, body=body, headers=BASIC).status


def _verified(sandbox: Sandbox, arrival: Arrival) -> bool:
    return bool(
        EventWebhook(sandbox.public_key).verify_signature(
            arrival.body.decode(),
            arrival.headers["X-Twilio-Email-Event-Webhook-Signature"],
            arrival.headers["X-Twilio-Email-Event-Webhook-Timestamp"],
        )
    )


@pytest.mark.parametrize(
    ("word", "events"),
    [
        ("ada", ["processed", "delivered"]),
        ("bounce", ["processed", "bounce"]),
        ("block", ["processed", "bounce"]),
        ("blocked", ["dropped"]),
        ("dropped", ["dropped"]),
        ("deferred", ["processed", "deferred", "delivered"]),
        ("late-bounce", ["processed", "delivered", "bounce"]),
        ("complain", ["processed", "delivered", "spamreport"]),
        ("resubscribe", ["processed", "delivered", "group_resubscribe"]),
        ("suspended", ["processed", "account_status_change"]),
    ],
)
def test_sendgrid_posts_what_the_recipient_scripts(
    service: Service, sandbox: Sandbox, word: str, events: list[str]
) -> None:
    """Signed, in order, with our ids at the top level."""
    message_id = _mail(sandbox, f"{word}@sandbox.test")
    found = service.events(len(events))
    assert [each["event"] for each in found] == events
    assert all(_verified(sandbox, each) for each in service.arrivals)
    assert {each.path for each in service.arrivals} == {"/receipts/sendgrid"}
    known = [each for each in found if "sg_message_id" in each]
    assert {each["notify_id"] for each in known} == {f"n-{word}@sandbox.test"}
    assert all(each["sg_message_id"].startswith(f"{message_id}.") for each in known)
    if word == "late-bounce":
        assert known == found[:-1]
        assert "attempt_id" not in found[-1]
        assert found[-1]["email"] == "late-bounce@sandbox.test"
    elif word == "suspended":
        assert found[-1].keys() == {"timestamp", "event", "sg_event_id", "type"}
    else:
        assert known == found
    assert len({each["sg_event_id"] for each in found}) == len(found)


@pytest.mark.parametrize(
    ("to", "posts"),
    [
        ("+15005554001", [("sent", None), ("delivered", None)]),
        ("+15005551000", [("sent", None), ("undelivered", "30005")]),
        ("+15005551400", [("sent", None), ("undelivered", "30007")]),
        ("+15005551500", [("failed", "21610")]),
        ("+15005551600", [("sent", None), ("undelivered", "30003")]),
        ("+15005551700", [("sent", None), ("delivered", None), ("STOP", None)]),
        ("+15005551800", [("sent", None), ("delivered", None), ("START", None)]),
        ("+15005551900", [("undelivered", "30002")]),
    ],
)
def test_twilio_posts_what_the_number_scripts(
    service: Service, sandbox: Sandbox, to: str, posts: list[tuple[str, str | None]]
) -> None:
    """To the request's own callback without its fragment, signed with the token of the request."""
    assert _sms(sandbox, service, to, "#rc=5&rp=all") == 201
    found = service.wait(len(posts))
    forms = [each.form for each in found]
    assert [
        (form.get("OptOutType") or form.get("MessageStatus"), form.get("ErrorCode"))
        for form in forms
    ] == posts
    for each, form in zip(found, forms, strict=True):
        reply = "OptOutType" in form
        assert (each.path == "/receipts/twilio") is reply
        assert reply or each.path == "/receipts/twilio?notify_id=n1&attempt_id=a1"
        signature = each.headers["X-Twilio-Signature"]
        assert RequestValidator(TOKEN).validate(service.url + each.path, form, signature)


def test_an_account_has_its_own_address(service: Service, sandbox: Sandbox) -> None:
    """Two providers of one vendor are told apart by it."""
    _mail(sandbox, "ada@sandbox.test", account="/second")
    service.events(2)
    assert {each.path for each in service.arrivals} == {"/receipts/second"}


def test_events_are_gathered(service: Service, sandbox: Sandbox) -> None:
    """A thousand recipients are a few posts."""
    _mail(sandbox, *(f"u{number}@sandbox.test" for number in range(1000)))
    service.events(2000)
    assert len(service.arrivals) <= 10


def test_forged_events_are_refused_by_the_vendors_own_code(
    service: Service, sandbox: Sandbox
) -> None:
    """Nor is such a post repeated."""
    sandbox.switch.set(receipts=ReceiptFault.FORGED)
    service.statuses[:] = [403] * 4
    _mail(sandbox, "ada@sandbox.test")
    _sms(sandbox, service, "+15005554001", "#rc=5&rp=all")
    # Events that are due at once share a request of SendGrid's.
    service.wait(3)
    until(lambda: _waiting(sandbox) == 0)
    for each in service.arrivals:
        if "X-Twilio-Signature" in each.headers:
            signature = each.headers["X-Twilio-Signature"]
            url = service.url + each.path
            assert not RequestValidator(TOKEN).validate(url, each.form, signature)
        else:
            assert not _verified(sandbox, each)


def test_a_repeated_event_has_another_id_and_nothing_else(
    service: Service, sandbox: Sandbox
) -> None:
    """SendGrid's event ids cannot be a key."""
    sandbox.switch.set([Vendor.SENDGRID], receipts=ReceiptFault.REPEATED)
    _mail(sandbox, "ada@sandbox.test")
    found = service.events(4)
    ids = {each.pop("sg_event_id") for each in found}
    assert len(ids) == 4
    delivered = [each for each in found if each["event"] == "delivered"]
    assert len(delivered) == 2
    assert delivered[0] == delivered[1]


def test_reordered_events_are_posted_in_reverse(service: Service, sandbox: Sandbox) -> None:
    """The spam report comes first."""
    sandbox.switch.set(receipts=ReceiptFault.REORDERED)
    _mail(sandbox, "complain@sandbox.test")
    assert [each["event"] for each in service.events(3)] == ["spamreport", "delivered", "processed"]


def test_early_events_arrive_before_the_answer(service: Service, sandbox: Sandbox) -> None:
    """All of them: the sender does not know the message's id yet."""
    sandbox.switch.set(receipts=ReceiptFault.EARLY)
    _mail(sandbox, "complain@sandbox.test")
    assert [each["event"] for each in service.events(0)] == ["processed", "delivered", "spamreport"]


def test_a_poisoned_post_has_a_thousand_elements_and_its_events(
    service: Service, sandbox: Sandbox
) -> None:
    """Three elements are not events; opens of other mail fill it."""
    sandbox.switch.set(receipts=ReceiptFault.POISONED)
    _mail(sandbox, "ada@sandbox.test")
    service.wait(1)
    until(lambda: _waiting(sandbox) == 0)
    found = []
    for arrival in service.arrivals:
        elements = json.loads(arrival.body)
        found += [each for each in elements if isinstance(each, dict) and "notify_id" in each]
        assert len(elements) == 1000
        assert None in elements
        assert _verified(sandbox, arrival)
    assert len(found) == 2


def test_late_and_silent_events(service: Service, sandbox: Sandbox) -> None:
    """One vendor posts nothing, the other later."""
    sandbox.switch.set([Vendor.SENDGRID], receipts=ReceiptFault.SILENT)
    sandbox.switch.set([Vendor.TWILIO], receipt_delay=0.5)
    begin = time.monotonic()
    _mail(sandbox, "ada@sandbox.test")
    _sms(sandbox, service, "+15005554001")
    assert [each.form["MessageStatus"] for each in service.wait(2)] == ["sent", "delivered"]
    assert time.monotonic() - begin >= 0.5


def test_a_refused_batch_is_repeated_unchanged(service: Service, sandbox: Sandbox) -> None:
    """The same bytes with the same signature, until they are accepted."""
    service.statuses[:] = [503]
    _mail(sandbox, "dropped@sandbox.test")
    first, second = service.wait(2)
    assert (first.body, first.headers) == (second.body, second.headers)
    until(lambda: _waiting(sandbox) == 0)
    assert [each.answered for each in sandbox.poster.ledger.entries()] == [204, 503]  # type: ignore[union-attr]


@pytest.mark.parametrize(("fragment", "count"), [("", 1), ("#rc=1&rp=all", 2)])
def test_a_refused_callback_is_repeated_if_asked(
    service: Service, sandbox: Sandbox, fragment: str, count: int
) -> None:
    """By default Twilio repeats failed connections only."""
    service.statuses[:] = [503] * 3
    _sms(sandbox, service, "+15005551500", fragment)
    service.wait(count)
    until(lambda: _waiting(sandbox) == 0)
    assert len(service.arrivals) == count


def test_no_other_host_is_posted_to(service: Service) -> None:
    """A callback and a link to another port are ignored."""
    with Sandbox.start(receipts=ReceiptOptions("http://127.0.0.1:1/receipts")) as sandbox:
        _sms(sandbox, service, "+15005554001")
        link = {
            "List-Unsubscribe": f"<{service.url}/u/t>",
            "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
        }
        _mail(sandbox, "unsubscribe@sandbox.test", headers=link)
        assert sandbox.poster is not None
        ledger = sandbox.poster.ledger
        # Failed posts are repeated.
        until(lambda: ledger.counts().get("connect", 0) >= 2)
        assert ledger.counts().keys() == {"connect"}
        time.sleep(0.3)
    assert service.arrivals == []


def _waiting(sandbox: Sandbox) -> int:
    answer = urllib3.request("GET", f"{sandbox.url}/api/receipts/counts")
    return int(answer.json()["waiting"])


def test_a_recipient_unsubscribes_with_one_click(service: Service, sandbox: Sandbox) -> None:
    """The body and the type are those of RFC 8058; a mail without the headers has no click."""
    link = {
        "List-Unsubscribe": f"<{service.url}/u/t>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    _mail(sandbox, "unsubscribe@sandbox.test")
    # Events that are due at once share a request.
    service.events(2)
    _mail(sandbox, "unsubscribe@sandbox.test", headers=link)
    until(lambda: any(each.path == "/u/t" for each in list(service.arrivals)))
    (click,) = (each for each in service.arrivals if each.path != "/receipts/sendgrid")
    assert (click.path, click.body) == ("/u/t", b"List-Unsubscribe=One-Click")
    assert click.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert "Cookie" not in click.headers


def test_the_buttons_of_a_mail_play_its_recipient(service: Service, sandbox: Sandbox) -> None:
    """The page shows them, and the posts; a form of another site's page is refused."""
    link = {
        "List-Unsubscribe": f"<{service.url}/u/t>",
        "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
    }
    page = f"{sandbox.url}/messages/{_mail(sandbox, 'ada@sandbox.test', headers=link)}"
    service.events(2)
    shown = urllib3.request("GET", page).data.decode()
    assert re.findall('name="event" value="(.*)"', shown) == ["unsubscribe", "bounce", "complain"]
    for word in ("complain", "bounce", "unsubscribe"):
        answer = urllib3.request(
            "POST",
            f"{page}/events",
            body=f"event={word}".encode(),
            headers={"Origin": sandbox.url},
            redirect=False,
        )
        assert (answer.status, answer.headers["Location"]) == (303, page.removeprefix(sandbox.url))
    until(lambda: "one-click" in urllib3.request("GET", page).data.decode())
    until(lambda: any(each.path == "/u/t" for each in service.arrivals))
    until(lambda: "spamreport" in urllib3.request("GET", f"{sandbox.url}/ledger").data.decode())
    for origin in ("null", "http://evil.example"):
        answer = urllib3.request(
            "POST", f"{page}/events", body=b"event=bounce", headers={"Origin": origin}
        )
        assert answer.status == 403
    assert urllib3.request("POST", f"{page}/events", body=b"event=die").status == 400
    gone = f"{sandbox.url}/messages/none/events"
    assert urllib3.request("POST", gone, body=b"event=bounce").status == 404


def test_the_lists_of_an_account_follow_its_events(sandbox: Sandbox) -> None:
    """The product's own provider reads and corrects them; a block is on none."""
    provider = SendGrid(api_key="key", sender="a@example.com", base_url=sandbox.url)
    try:
        _mail(sandbox, "bounce@sandbox.test", "complain@sandbox.test", "block@sandbox.test")
        until(lambda: bool(provider.listed("spam_reports", offset=0)))
        until(lambda: bool(provider.listed("bounces", offset=0)))
        (bounced,) = provider.listed("bounces", offset=0)
        assert (bounced.recipient, bounced.code) == ("bounce@sandbox.test", "5.1.1")
        assert not provider.listed("bounces", offset=1)
        assert not provider.listed("groups", offset=0)
        provider.unlist("bounces", bounced)
        provider.unlist("bounces", bounced)
        assert not provider.listed("bounces", offset=0)
        assert [each.recipient for each in provider.listed("spam_reports", offset=0)] == [
            "complain@sandbox.test"
        ]
    finally:
        provider.close()


def test_a_mail_without_the_headers_has_no_button_to_unsubscribe(sandbox: Sandbox) -> None:
    """Nor is the event accepted."""
    page = f"{sandbox.url}/messages/{_mail(sandbox, 'ada@sandbox.test')}"
    assert 'value="unsubscribe"' not in urllib3.request("GET", page).data.decode()
    assert urllib3.request("POST", f"{page}/events", body=b"event=unsubscribe").status == 400


def test_the_api_lists_the_posts_and_the_key(sandbox: Sandbox) -> None:
    """With the answers of the service."""
    _mail(sandbox, "dropped@sandbox.test", "ada@sandbox.test")
    until(lambda: _waiting(sandbox) == 0)
    query = "notify_id=n-dropped@sandbox.test"
    [entry] = urllib3.request("GET", f"{sandbox.url}/api/receipts?{query}").json()
    assert (entry["event"], entry["answered"], entry["tries"]) == ("dropped", 204, 1)
    counts = urllib3.request("GET", f"{sandbox.url}/api/receipts/counts").json()
    assert counts["public_key"] == sandbox.public_key
    assert counts["answered"] == {"204": 3}
    assert counts["dropped"] == 0


def test_without_an_address_nothing_is_posted_or_stored(service: Service) -> None:
    """No thread, no list, no button."""
    threads = threading.active_count()
    with Sandbox.start() as sandbox:
        _sms(sandbox, service, "+15005554001")
        page = f"{sandbox.url}/messages/{_mail(sandbox, 'ada@sandbox.test')}"
        shown = urllib3.request("GET", page).data.decode()
        assert "Receipts posted" not in shown
        assert "<form" not in shown
        assert sandbox.poster is None
        assert sandbox.public_key == ""
        assert urllib3.request("GET", f"{sandbox.url}/api/receipts").status == 404
        assert urllib3.request("GET", f"{sandbox.url}/api/receipts/counts").status == 404
        assert urllib3.request("POST", f"{page}/events", body=b"event=bounce").status == 400
        assert threading.active_count() <= threads + 2
    assert service.arrivals == []


def test_a_token_is_in_no_answer(service: Service, sandbox: Sandbox) -> None:
    """The secret that signs is not shown."""
    _sms(sandbox, service, "+15005554001")
    service.wait(2)
    [message] = urllib3.request("GET", f"{sandbox.url}/api/messages").json()
    assert TOKEN not in json.dumps(message)
    assert TOKEN not in repr(sandbox.messages())
    assert (
        TOKEN not in urllib3.request("GET", f"{sandbox.url}/messages/{message['id']}").data.decode()
    )
