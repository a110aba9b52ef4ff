"""The sandbox over real HTTP: each behaviour of each vendor, and the vendors' own clients."""

from __future__ import annotations

import base64
import json
import socket
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode
from uuid import uuid4

import pytest
import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from google.auth.transport.urllib3 import Request as GoogleRequest
from google.oauth2.service_account import Credentials
from sendgrid import SendGridAPIClient
from sendgrid.helpers.mail import Mail
from twilio.base.exceptions import TwilioRestException
from twilio.rest import Client as TwilioClient

from notify.errors import ConfigError
from notify.message import Rendered
from notify.sandbox import Sandbox, Vendor
from notify.sandbox.switch import Setting
from providers.sendgrid import SendGrid
from tests.support.patience import PATIENCE
from tests.support.rig import until

BASIC = "Basic " + base64.b64encode(b"AC1:secret").decode()
Answer = urllib3.BaseHTTPResponse


@pytest.fixture(scope="module")
def shared() -> Iterator[Sandbox]:
    """One sandbox for the tests that need no fresh one; its slow answers take 0.3 s."""
    with Sandbox.start(slow=0.3) as running:
        yield running


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """An unused sandbox."""
    with Sandbox.start() as running:
        yield running


@pytest.fixture(scope="module")
def http() -> Iterator[urllib3.PoolManager]:
    """An HTTP client that never tries twice."""
    with urllib3.PoolManager(retries=False, timeout=PATIENCE) as pool:
        yield pool


def _mail(to: str, notify_id: str) -> tuple[str, dict[str, str], bytes]:
    body = {
        "personalizations": [{"to": [{"email": to}], "custom_args": {"notify_id": notify_id}}],
        "from": {"email": "shop@example.com"},
        "subject": "Hello <you>",
        "content": [
            {"type": "text/plain", "value": "Hi"},
            {"type": "text/html", "value": "<p title=\"x\">Hi</p><script>alert('x')</script>"},
        ],
    }
    return "/v3/mail/send", {"Authorization": "Bearer key"}, json.dumps(body).encode()


def _sms(to: str, notify_id: str) -> tuple[str, dict[str, str], bytes]:
    callback = f"https://notify.example.com/twilio?notify_id={notify_id}"
    form = {"To": to, "From": "+15005550006", "Body": "Hi", "StatusCallback": callback}
    path = "/2010-04-01/Accounts/AC1/Messages.json"
    return path, {"Authorization": BASIC}, urlencode(form).encode()


def _push(to: str, notify_id: str) -> tuple[str, dict[str, str], bytes]:
    message = {"token": to, "notification": {"title": "Hi"}, "data": {"notify_id": notify_id}}
    body = json.dumps({"message": message}).encode()
    return "/v1/projects/shop/messages:send", {"Authorization": "Bearer key"}, body


REQUESTS: dict[Vendor, Callable[[str, str], tuple[str, dict[str, str], bytes]]] = {
    Vendor.SENDGRID: _mail,
    Vendor.TWILIO: _sms,
    Vendor.FCM: _push,
}


def _send(
    sandbox: Sandbox, http: urllib3.PoolManager, vendor: Vendor, to: str, notify_id: str, **kw: Any
) -> Answer:
    path, headers, body = REQUESTS[vendor](to, notify_id)
    return http.request("POST", sandbox.url + path, body=body, headers=headers, **kw)


# Behaviour, phone, what SendGrid, Twilio and FCM answer, what is done, what happens later.
TABLE: list[tuple[str, str, tuple[int | str, int | str, int | str], str, str | None]] = [
    ("deliver", "+15005550006", (202, 201, 200), "accepted", "delivered"),
    ("bounce", "+15005551001", (202, 201, 200), "accepted", "bounced"),
    ("invalid", "+15005551101", (400, 400, 400), "refused", None),
    ("denied", "+15005551301", (401, 401, 401), "refused", None),
    ("throttled", "+15005552001", (429, 429, 429), "refused", None),
    ("down", "+15005552101", (503, 503, 503), "nothing", None),
    ("flaky", "+15005552201", (503, 503, 503), "nothing", None),
    ("error", "+15005552301", (500, 500, 500), "nothing", None),
    ("broken", "+15005552401", (502, 502, 502), "nothing", None),
    ("garbled", "+15005552501", (202, 201, 200), "nothing", None),
    ("slow", "+15005553001", (202, 201, 200), "accepted", "delivered"),
    ("hang", "+15005553101", ("hang", "hang", "hang"), "nothing", None),
    ("mute", "+15005553201", ("hang", "hang", "hang"), "accepted", "delivered"),
    ("reset", "+15005553301", ("reset", "reset", "reset"), "nothing", None),
    ("lost", "+15005553401", ("reset", "reset", "reset"), "accepted", "delivered"),
]


def _cases() -> Iterator[tuple[Vendor, str, int | str, str, str | None]]:
    for word, phone, answers, did, event in TABLE:
        recipients = (f"{word}+1@sandbox.test", phone, f"token-{word}-1")
        for vendor, to, answered in zip(REQUESTS, recipients, answers, strict=True):
            yield vendor, to, answered, did, event
    # Opted-out recipients differ: SendGrid accepts the message and drops it.
    yield Vendor.SENDGRID, "blocked@sandbox.test", 202, "accepted", "dropped"
    yield Vendor.TWILIO, "+15005551201", 400, "refused", None
    yield Vendor.FCM, "token-blocked-1", 404, "refused", None


@pytest.mark.parametrize(("vendor", "to", "answered", "did", "event"), list(_cases()))
def test_a_reserved_recipient_behaves_as_documented(
    shared: Sandbox,
    http: urllib3.PoolManager,
    vendor: Vendor,
    to: str,
    answered: int | str,
    did: str,
    event: str | None,
) -> None:
    """The client's answer, the inbox and the ledger agree with the table."""
    notify_id = str(uuid4())
    if answered == "hang":
        with pytest.raises(urllib3.exceptions.ReadTimeoutError):
            _send(shared, http, vendor, to, notify_id, timeout=0.3)
    elif answered == "reset":
        with pytest.raises(urllib3.exceptions.ProtocolError, match="Connection reset by peer"):
            _send(shared, http, vendor, to, notify_id)
    else:
        assert _send(shared, http, vendor, to, notify_id).status == answered

    # A client that gives up may do so before its request is read.
    until(lambda: bool(shared.ledger.entries(notify_id=notify_id)))
    [entry] = shared.ledger.entries(notify_id=notify_id)
    assert (entry.did, entry.answered, entry.event) == (did, answered, event)
    assert (entry.vendor, entry.recipient) == (vendor, to)
    messages = shared.messages(notify_id=notify_id)
    assert [message.event for message in messages] == ([event] if did == "accepted" else [])


ERRORS: list[tuple[Vendor, str, Callable[[Any], Any], Any]] = [
    (
        Vendor.SENDGRID,
        "invalid@sandbox.test",
        lambda body: body["errors"][0]["field"],
        "personalizations.0.to.0.email",
    ),
    (Vendor.SENDGRID, "down@sandbox.test", lambda body: set(body), {"errors"}),
    (Vendor.TWILIO, "+15005550001", lambda body: body["code"], 21211),
    (Vendor.TWILIO, "+15005550002", lambda body: body["code"], 21612),
    (Vendor.TWILIO, "+15005550003", lambda body: body["code"], 21408),
    (Vendor.TWILIO, "+15005550004", lambda body: body["code"], 21610),
    (Vendor.TWILIO, "+15005550009", lambda body: body["code"], 21614),
    (Vendor.TWILIO, "+15005551301", lambda body: body["code"], 20003),
    (Vendor.TWILIO, "+15005552001", lambda body: body["code"], 20429),
    (Vendor.TWILIO, "+15005552101", lambda body: body["code"], 20503),
    (Vendor.FCM, "token-blocked", lambda body: body["error"]["status"], "NOT_FOUND"),
    (
        Vendor.FCM,
        "token-throttled",
        lambda body: body["error"]["details"][0]["errorCode"],
        "QUOTA_EXCEEDED",
    ),
]


@pytest.mark.parametrize(("vendor", "to", "code_of", "code"), ERRORS)
def test_an_error_has_the_vendors_own_form(
    shared: Sandbox,
    http: urllib3.PoolManager,
    vendor: Vendor,
    to: str,
    code_of: Callable[[Any], Any],
    code: Any,
) -> None:
    """The codes that an adapter decides by."""
    answer = _send(shared, http, vendor, to, str(uuid4()))
    assert answer.headers["Content-Type"] == "application/json"
    assert code_of(answer.json()) == code


@pytest.mark.parametrize(
    ("vendor", "to"),
    [
        (Vendor.SENDGRID, "throttled@sandbox.test"),
        (Vendor.TWILIO, "+15005552000"),
        (Vendor.FCM, "token-throttled"),
    ],
)
def test_a_throttled_client_is_told_how_long_to_wait(
    shared: Sandbox, http: urllib3.PoolManager, vendor: Vendor, to: str
) -> None:
    """429 carries Retry-After, in seconds."""
    assert _send(shared, http, vendor, to, str(uuid4())).headers["Retry-After"] == "2"


def test_a_flaky_recipient_fails_twice_for_each_notification(
    sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    """The third request is accepted; another notification starts from zero."""
    for notify_id in ("n1", "n2"):
        answers = [
            _send(sandbox, http, Vendor.SENDGRID, "flaky@sandbox.test", notify_id).status
            for _ in range(4)
        ]
        assert answers == [503, 503, 202, 202]


def test_recipients_of_one_request_fare_each_for_itself(
    sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    """One bounces, its neighbour is delivered; one that is throttled decides for all."""

    def send(*recipients: str) -> int:
        path, headers, body = _mail("", "n1")
        mail = json.loads(body)
        mail["personalizations"] = [{"to": [{"email": to}]} for to in recipients]
        return http.request("POST", sandbox.url + path, json=mail, headers=headers).status

    assert send("bounce@sandbox.test", "ada@example.com") == 202
    assert [message.event for message in sandbox.messages()] == ["delivered", "bounced"]
    assert send("bounce@sandbox.test", "throttled@sandbox.test") == 429
    assert sandbox.ledger.counts()["sendgrid"]["refused"] == 2


def test_a_refused_request_stands_in_the_ledger(
    sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    """Even where it was not read: a bad key, a wrong form."""
    for key, status in (("bad-key", 401), ("key", 400)):
        headers = {"Authorization": f"Bearer {key}"}
        answer = http.request("POST", f"{sandbox.url}/v3/mail/send", body=b"{}", headers=headers)
        assert answer.status == status
    assert [(e.did, e.answered) for e in sandbox.ledger.entries()] == [
        ("refused", 400),
        ("refused", 401),
    ]


def test_the_real_sendgrid_client_is_served(sandbox: Sandbox) -> None:
    """The SDK of the vendor sends, and reads the id and an error."""
    mail = Mail("shop@example.com", "ada@example.com", "Hello", "Hi", "<b>Hi</b>")
    answer = SendGridAPIClient("key", host=sandbox.url).send(mail)
    [message] = sandbox.messages(to="ada@example.com")
    assert (answer.status_code, answer.body) == (202, b"")
    assert answer.headers["X-Message-Id"] == message.provider_id
    assert (message.subject, message.text, message.html) == ("Hello", "Hi", "<b>Hi</b>")


def test_the_real_twilio_client_is_served(sandbox: Sandbox) -> None:
    """The SDK of the vendor sends, looks up by recipient and day, pages, and reads an error."""
    client = TwilioClient("AC" + "0" * 32, "secret")
    client.api.base_url = sandbox.url
    sent = client.messages.create(to="+15005551000", from_="+15005550006", body="Hi")
    assert (sent.status, sent.to, sent.num_segments) == ("queued", "+15005551000", "1")
    for _ in range(3):
        client.messages.create(to="+4915123456789", from_="+15005550006", body="Hi")
    [found] = client.messages.list(to="+15005551000", date_sent=sent.date_created)
    assert (found.sid, found.status, found.error_code) == (sent.sid, "undelivered", 30005)
    assert len(client.messages.list(page_size=2)) == 4
    with pytest.raises(TwilioRestException) as caught:
        client.messages.create(to="+15005551200", from_="+15005550006", body="Hi")
    assert (caught.value.status, caught.value.code) == (400, 21610)
    client.http_client.session.close()


def test_the_real_google_client_is_granted_a_token(
    sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    """google-auth exchanges a service account's key, and the token opens FCM."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048).private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    account = {
        "client_email": "notify@shop.iam.gserviceaccount.com",
        "private_key": key.decode(),
        "token_uri": f"{sandbox.url}/token",
    }
    scopes = ["https://www.googleapis.com/auth/firebase.messaging"]
    credentials = Credentials.from_service_account_info(account, scopes=scopes)
    credentials.refresh(GoogleRequest(http))
    path, _, body = _push("device-1", "n1")
    headers = {"Authorization": f"Bearer {credentials.token}"}
    answer = http.request("POST", sandbox.url + path, body=body, headers=headers)
    [message] = sandbox.messages(channel="push")
    assert (answer.status, answer.json()) == (200, {"name": message.provider_id})


def test_a_connection_is_kept(sandbox: Sandbox) -> None:
    """Many requests, answers and errors alike, share one connection."""
    host, port = sandbox.url.removeprefix("http://").split(":")
    path, headers, body = _mail("ada@example.com", "n1")
    with urllib3.HTTPConnectionPool(host, int(port), maxsize=1, retries=False) as pool:
        for _ in range(20):
            assert pool.request("POST", path, body=body, headers=headers).status == 202
            assert pool.request("POST", path, body=b"{}", headers=headers).status == 400
            assert pool.request("GET", "/nowhere").status == 404
        assert pool.num_connections == 1


def test_200_clients_at_once_are_served_and_counted(sandbox: Sandbox) -> None:
    """Each has its own connection; none is refused, and the counts are exact."""
    together = threading.Barrier(200)

    def client(number: int) -> list[int]:
        together.wait(30)
        with urllib3.PoolManager(retries=False, timeout=30.0) as http:
            to = f"a{number}@example.com"
            return [_send(sandbox, http, Vendor.SENDGRID, to, "").status for _ in range(5)]

    with ThreadPoolExecutor(200) as threads:
        answers = [status for each in threads.map(client, range(200)) for status in each]
    assert answers == [202] * 1000
    assert sandbox.ledger.counts()["sendgrid"]["accepted"] == 1000
    assert len(sandbox.messages()) == 1000


def test_a_request_that_breaks_off_is_not_processed(sandbox: Sandbox) -> None:
    """Half a body is not a message."""
    host, port = sandbox.url.removeprefix("http://").split(":")
    _, _, body = _mail("ada@example.com", "n1")
    head = f"POST /v3/mail/send HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    with socket.create_connection((host, int(port))) as client:
        client.sendall(head.encode() + body[:-1])
        client.shutdown(socket.SHUT_WR)
        assert client.recv(1) == b""
    assert sandbox.ledger.entries() == []


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Transfer-Encoding": "chunked"}, 411),
        ({"Content-Length": "many"}, 411),
        ({"Content-Length": str(31 * 1024 * 1024)}, 413),
    ],
)
def test_a_body_without_end_is_not_awaited(
    shared: Sandbox, headers: dict[str, str], status: int
) -> None:
    """A size must be given, and be within bounds."""
    host, port = shared.url.removeprefix("http://").split(":")
    lines = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as client:
        client.sendall(f"POST /v3/mail/send HTTP/1.1\r\nHost: localhost\r\n{lines}\r\n".encode())
        assert client.recv(100).startswith(f"HTTP/1.1 {status} ".encode())


def test_an_outage_can_be_switched_while_it_runs(
    sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    """One vendor is down, its list too; the others are well; and back again."""
    url = f"{sandbox.url}/api/behaviour"
    http.request("PUT", url, json={"vendor": "twilio", "behaviour": "down"})
    assert _send(sandbox, http, Vendor.TWILIO, "+4915123456789", "n1").status == 503
    path, headers, _ = _sms("", "")
    assert http.request("GET", sandbox.url + path, headers=headers).status == 503
    assert _send(sandbox, http, Vendor.SENDGRID, "ada@example.com", "n2").status == 202
    settings = http.request("PUT", url, json={"behaviour": None}).json()
    assert settings["twilio"] == asdict(Setting())
    assert _send(sandbox, http, Vendor.TWILIO, "+4915123456789", "n1").status == 201
    assert http.request("GET", sandbox.url + path, headers=headers).status == 200


def _to(
    sandbox: Sandbox, http: urllib3.PoolManager, account: str, vendor: Vendor = Vendor.SENDGRID
) -> Answer:
    recipient = {Vendor.SENDGRID: "ada@example.com", Vendor.TWILIO: "+4915123456789"}
    path, headers, body = REQUESTS[vendor](recipient.get(vendor, "device-1"), str(uuid4()))
    return http.request("POST", f"{sandbox.url}/{account}{path}", body=body, headers=headers)


def test_a_switch_with_a_key_twice_is_refused(sandbox: Sandbox, http: urllib3.PoolManager) -> None:
    """It is ambiguous which of the two was meant."""
    body = b'{"vendor": "twilio", "behaviour": "down", "behaviour": null}'
    answer = http.request("PUT", f"{sandbox.url}/api/behaviour", body=body)
    assert answer.status == 400
    assert "occurs twice" in answer.json()["error"]


@pytest.mark.parametrize("vendor", list(REQUESTS))
def test_two_accounts_of_a_vendor_fare_each_for_itself(
    sandbox: Sandbox, http: urllib3.PoolManager, vendor: Vendor
) -> None:
    """The name before the vendor's path is the account; the ledger separates them."""
    url = f"{sandbox.url}/api/behaviour"
    http.request("PUT", url, json={"account": "second", "behaviour": "denied"})
    assert _to(sandbox, http, "second", vendor).status == 401
    assert _to(sandbox, http, "primary", vendor).status < 300
    http.request("PUT", url, json={"vendor": vendor, "behaviour": "down"})
    assert _to(sandbox, http, "second", vendor).status == 401
    assert _to(sandbox, http, "primary", vendor).status == 503
    http.request("PUT", url, json={"behaviour": None})
    assert _to(sandbox, http, "second", vendor).status < 300
    answered = [entry.answered for entry in sandbox.ledger.entries(account="second")]
    assert answered[1:] == [401, 401]
    counts = sandbox.ledger.counts()["accounts"]
    assert {name: count["accepted"] for name, count in counts.items()} == {
        "primary": 1,
        "second": 1,
    }
    listed = http.request("GET", f"{sandbox.url}/api/ledger?account=primary").json()
    assert {entry["account"] for entry in listed} == {"primary"}


def test_a_limit_is_kept_for_each_account(http: urllib3.PoolManager) -> None:
    """Never more in one second than it was told; the others are told to come back."""
    now = [datetime(2026, 11, 20, 12, 0, 0, 300_000, tzinfo=UTC)]
    noon = datetime(2026, 11, 20, 12, tzinfo=UTC).timestamp()
    with Sandbox.start(clock=lambda: now[0]) as sandbox, ThreadPoolExecutor(8) as pool:
        url = f"{sandbox.url}/api/behaviour"
        http.request("PUT", url, json={"account": "second", "rate": 20})
        answers = list(pool.map(lambda _: _to(sandbox, http, "second"), range(50)))
        assert Counter(answer.status for answer in answers) == {202: 20, 429: 30}
        # It counts down with each answer, and tells so before it refuses.
        left = [int(a.headers["X-RateLimit-Remaining"]) for a in answers if a.status == 202]
        assert sorted(left) == list(range(20))
        refused = next(answer for answer in answers if answer.status == 429)
        names = ("Retry-After", "X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset")
        assert [refused.headers[name] for name in names] == ["1", "20", "0", f"{noon + 1:.0f}"]
        assert _to(sandbox, http, "primary").status == 202
        now[0] += timedelta(seconds=1)
        assert _to(sandbox, http, "second").headers["X-RateLimit-Remaining"] == "19"
        http.request("PUT", url, json={"account": "second", "rate": None})
        assert "X-RateLimit-Remaining" not in _to(sandbox, http, "second").headers
        arrived = [entry.arrived for entry in sandbox.ledger.entries(account="second")]
        assert Counter(arrived) == {noon + 0.3: 50, noon + 1.3: 2}


@pytest.mark.parametrize("vendor", [Vendor.TWILIO, Vendor.FCM])
def test_vendors_without_such_headers_tell_only_when_to_come_back(
    sandbox: Sandbox, http: urllib3.PoolManager, vendor: Vendor
) -> None:
    """Twilio and FCM say how long to wait, and nothing of what is left."""
    sandbox.switch.set([vendor], rate=0)
    path, headers, body = REQUESTS[vendor]("+4915123456789", "n1")
    answer = http.request("POST", sandbox.url + path, body=body, headers=headers)
    assert (answer.status, answer.headers["Retry-After"]) == (429, "1")
    assert not [name for name in answer.headers if name.lower().startswith("x-ratelimit")]


def test_the_provider_learns_that_nothing_is_left(sandbox: Sandbox) -> None:
    """The last mail of a second says so in its receipt."""
    sandbox.switch.set(["second"], rate=1)
    provider = SendGrid(api_key="key", sender="a@example.com", base_url=f"{sandbox.url}/second")
    message = Rendered(uuid4(), uuid4(), "ada@example.com", subject="Hello", text="Hi")
    wait = provider.send(message).exhausted_for
    provider.close()
    assert wait is not None
    assert 0 <= wait <= 1


def test_latency_delays_the_answer_and_not_the_deed(
    sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    """A client that gives up early was served all the same."""
    http.request("PUT", f"{sandbox.url}/api/behaviour", json={"latency": "400ms"})
    with pytest.raises(urllib3.exceptions.ReadTimeoutError):
        _send(sandbox, http, Vendor.FCM, "device-1", "n1", timeout=0.1)
    until(lambda: len(sandbox.messages(notify_id="n1")) == 1)
    began = time.monotonic()
    assert _send(sandbox, http, Vendor.FCM, "device-1", "n2").status == 200
    assert time.monotonic() - began >= 0.4


def test_stopping_does_not_wait_for_who_hangs() -> None:
    """Connections that hang, idle or wait end at once, their threads too."""
    others = set(threading.enumerate())
    sandbox = Sandbox.start()
    host, port = sandbox.url.removeprefix("http://").split(":")
    _, _, body = _mail("hang@sandbox.test", "n1")
    head = (
        "POST /v3/mail/send HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer key\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    with (
        socket.create_connection((host, int(port))) as hanging,
        socket.create_connection((host, int(port))) as idle,
    ):
        hanging.sendall(head.encode() + body)
        idle.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert idle.recv(1000)
        until(lambda: bool(sandbox.ledger.entries()))
        threads = set(threading.enumerate()) - others
        assert len(threads) >= 3  # two connections and the listener
        sandbox.stop()
        assert [thread for thread in threads if thread.is_alive()] == []
        assert hanging.recv(1) == b""


def test_an_address_that_is_taken_is_named(shared: Sandbox) -> None:
    """The error says where, and what to do."""
    port = int(shared.url.rpartition(":")[2])
    with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}: Address already"):
        Sandbox.start(port=port)
