"""Web Push: what may be called, what a browser reads, and each refusal."""

from __future__ import annotations

import json
import socket
import ssl
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from hypothesis import given
from hypothesis import strategies as st

from notify.errors import (
    ConfigError,
    InvalidRecipient,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    RecipientGone,
    Throttled,
    TransientError,
    Unauthorized,
)
from notify.stack.process import DIE_WITH_PARENT
from notify.stack.rabbitmq import free_ports
from providers.webpush import WebPush
from providers.webpush.origins import DEFAULT_ORIGINS, AllowedOrigins, are_origins, is_public
from providers.webpush.subscription import read_subscription
from providers.webpush.vapid import MOST_ORIGINS, Vapid
from tests.support.authority import Authority
from tests.support.node import node_modules, node_program
from tests.support.tables import each_of
from tests.support.vendor import Reply, Vendor, say
from tests.unit.providers.dialects import MESSAGE, OPTIONS, WEBPUSH, json_reply, p256_pem
from tests.unit.providers.dialects.webpush import decrypted, make_webpush, subscription

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
MISMATCH = "VapidPkHashMismatch"
OURS: dict[str, Any] = {"private_key": p256_pem(), "subject": "mailto:ops@example.com"}


def refused(vendor: Vendor, reply: Reply) -> ProviderError:
    """Return the error of a send that the push service answers so."""
    with closing(WEBPUSH.build(vendor, "accepted")) as provider:
        vendor.on(WEBPUSH.path, reply)
        with pytest.raises(ProviderError) as caught:
            provider.send(MESSAGE)
    return caught.value


# --- against a push service that is not ours

_SERVER = """
const [modules, port] = process.argv.slice(1);
const Server = require(modules + '/web-push-testing/src/server.js');
const {PushApiModel} = require(modules + '/web-push-testing/src/PushApiModel.js');
new Server(new PushApiModel(), Number(port)).startServer();
"""


class PushService:
    """web-push-testing: it makes subscriptions, checks VAPID, and decrypts what it gets."""

    def __init__(self, port: int) -> None:
        self.origin = f"http://localhost:{port}"

    def ask(self, path: str, **form: str) -> Any:
        """Return its answer to a request of the test."""
        request = urllib.request.Request(  # noqa: S310 - this machine
            f"{self.origin}/{path}", urlencode(form).encode(), method="POST"
        )
        with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
            body = answer.read()
        return json.loads(body)["data"] if body.startswith(b"{") else None

    def subscribe(self, key: str) -> tuple[str, str]:
        """Return the address of a new browser, and the service's name of it."""
        made = self.ask("subscribe", userVisibleOnly="true", applicationServerKey=key)
        keys = made["keys"]
        return f"{made['endpoint']}#{urlencode(keys)}", made["clientHash"]

    def read(self, browser: str) -> list[Any]:
        """Return what a browser has received, decrypted."""
        found = self.ask("get-notifications", clientHash=browser)
        return [json.loads(each) for each in found["messages"]]


@pytest.fixture(scope="module")
def service() -> Iterator[PushService]:
    """The push service, for the tests of this module."""
    (port,) = free_ports(1)
    process = subprocess.Popen(
        [*DIE_WITH_PARENT, node_program(), "-e", _SERVER, str(node_modules()), str(port)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("localhost", port), 1).close()
                break
            except OSError:
                assert process.poll() is None
                assert time.monotonic() < deadline
                time.sleep(0.05)
        yield PushService(port)
    finally:
        process.kill()
        process.wait()


def test_a_browser_reads_what_we_send(service: PushService) -> None:
    """The service checks the VAPID token and key, and decrypts."""
    key = Vapid(p256_pem(), "mailto:ops@example.com", clock=time.time).public_key
    address, browser = service.subscribe(key)
    with closing(WebPush(**OURS, origins=[service.origin])) as provider:
        message = replace(MESSAGE, to=address, text="Grüße \N{SLIGHTLY SMILING FACE}")
        provider.send(replace(message, data={"order": "1017"}))
        provider.send(replace(message, text="x" * 3000))
    first, second = service.read(browser)
    assert first["notification"] == {
        "title": "canary-subject",
        "body": "Grüße \N{SLIGHTLY SMILING FACE}",
        "tag": str(MESSAGE.notification_id),
        "data": {
            "order": "1017",
            "notify_id": str(MESSAGE.notification_id),
            "attempt_id": str(MESSAGE.attempt_id),
        },
    }
    assert second["notification"]["body"] == "x" * 3000


def test_a_browser_that_unsubscribed_is_gone(service: PushService) -> None:
    """410: the subscription is suppressed. Another key is refused, as any service does."""
    key = Vapid(p256_pem(), "mailto:ops@example.com", clock=time.time).public_key
    address, browser = service.subscribe(key)
    service.ask(f"expire-subscription/{browser}")
    with closing(WebPush(**OURS, origins=[service.origin])) as provider:
        with pytest.raises(RecipientGone):
            provider.send(replace(MESSAGE, to=address))
        other = ec.generate_private_key(ec.SECP256R1()).private_numbers().private_value
        foreign = Vapid(raw(other), "mailto:ops@example.com", clock=time.time).public_key
        address, _ = service.subscribe(foreign)
        with pytest.raises(PermanentError):
            provider.send(replace(MESSAGE, to=address))


def raw(number: int) -> str:
    """Return a key in the form that web push libraries make."""
    return jwt.utils.base64url_encode(number.to_bytes(32, "big")).decode()


# --- the request


def headers(vendor: Vendor, message: Any = MESSAGE, **options: Any) -> dict[str, str]:
    """Return the headers that arrive for a message."""
    with closing(WEBPUSH.build(vendor, "accepted", **options)) as provider:
        provider.send(message)
    return dict(vendor.seen[-1].headers)


def test_the_headers_are_those_of_the_protocol(vendor: Vendor) -> None:
    """RFC 8030, RFC 8188 and RFC 8292."""
    seen = headers(vendor)
    assert seen["content-encoding"] == "aes128gcm"
    assert seen["content-type"] == "application/octet-stream"
    assert seen["ttl"] == "2419200"
    assert seen["topic"] == MESSAGE.notification_id.hex
    assert decrypted(vendor.seen[-1].body)["notification"]["body"] == "canary-body"


@pytest.mark.parametrize(
    ("left", "life"),
    [(timedelta(minutes=5), "300"), (timedelta(days=90), "2419200"), (timedelta(hours=-1), "0")],
)
def test_an_expiry_is_a_life(vendor: Vendor, left: timedelta, life: str) -> None:
    """In seconds, at most four weeks."""
    message = replace(MESSAGE, expires_at=NOW + left)
    assert headers(vendor, message, clock=NOW.timestamp)["ttl"] == life


def test_the_options_of_a_message_are_written_as_browsers_read_them(vendor: Vendor) -> None:
    """With a link it is a declarative message too."""
    seen = headers(vendor, replace(MESSAGE, push=OPTIONS))
    assert (seen["ttl"], seen["urgency"]) == ("3600", "normal")
    assert len(seen["topic"]) == 32
    ids = {"notify_id": str(MESSAGE.notification_id), "attempt_id": str(MESSAGE.attempt_id)}
    addresses = {"link": "https://example.com/1017", "image": "https://example.com/1017.png"}
    assert decrypted(vendor.seen[-1].body) == {
        "web_push": 8030,
        "app_badge": 0,
        "notification": {
            "title": "canary-subject",
            "body": "canary-body",
            "tag": "order 1017",
            "image": "https://example.com/1017.png",
            "navigate": "https://example.com/1017",
            "data": {"screen": "order", **addresses, **ids},
        },
    }
    key = replace(OPTIONS, collapse_key="order-1017")
    assert headers(vendor, replace(MESSAGE, push=key))["topic"] == "order-1017"


def test_a_token_is_made_for_each_push_service(vendor: Vendor) -> None:
    """A token for one is refused by another; it ends within 24 hours, and its key is beside it."""
    vapid = Vapid(p256_pem(), "mailto:ops@example.com", clock=NOW.timestamp)
    seen = headers(vendor, clock=NOW.timestamp)["authorization"]
    assert seen == vapid.authorization(vendor.url)
    for origin in (vendor.url, "https://web.push.apple.com"):
        scheme, _, fields = vapid.authorization(origin).partition(" ")
        token, key = (part.partition("=")[2] for part in fields.split(", "))
        claims = jwt.decode(token, options={"verify_signature": False})
        assert (scheme, claims["aud"], key) == ("vapid", origin, vapid.public_key)
        assert claims["sub"] == "mailto:ops@example.com"
        assert 0 < claims["exp"] - NOW.timestamp() <= 86_400


def test_the_tokens_of_any_number_of_push_services_do_not_grow_the_memory() -> None:
    """The subscription of a browser chooses the name before an allowed domain."""
    vapid = Vapid(p256_pem(), "mailto:ops@example.com", clock=NOW.timestamp)
    first = vapid.authorization("https://x.push.apple.com")
    assert vapid.authorization("https://x.push.apple.com") is first
    for number in range(MOST_ORIGINS):
        vapid.authorization(f"https://{number}.push.apple.com")
    assert vapid.authorization("https://x.push.apple.com") is not first


def test_two_messages_share_no_secret(vendor: Vendor) -> None:
    """Each has its own key and salt."""
    with closing(WEBPUSH.build(vendor, "accepted")) as provider:
        for _ in range(2):
            provider.send(MESSAGE)
    first, second = (each.body for each in vendor.seen[-2:])
    assert first[:86] != second[:86]
    assert decrypted(first) == decrypted(second)


# --- the answers


@pytest.mark.parametrize(
    ("reply", "kind", "code"),
    [
        (say(404, b"gone"), RecipientGone, None),
        (say(410, b""), RecipientGone, None),
        (json_reply(410, {"errno": 106})({}), RecipientGone, "106"),
        (json_reply(410, {"reason": "Unregistered"})({}), RecipientGone, "Unregistered"),
        (say(410, b"<!DOCTYPE html>"), TransientError, None),
        (say(404, b"x", {"Content-Type": "text/html"}), TransientError, None),
        (say(400, b"no"), PermanentError, None),
        (
            json_reply(400, {"reason": "VapidPkHashMismatch"})({}),
            TransientError,
            "VapidPkHashMismatch",
        ),
        (say(401, b"no"), Unauthorized, None),
        (json_reply(401, {"errno": 109})({}), TransientError, "109"),
        (json_reply(403, {"reason": "BadJwtToken"})({}), Unauthorized, "BadJwtToken"),
        (say(403, b"no"), TransientError, None),
        (say(413, b""), PermanentError, None),
        (say(429, b""), Throttled, None),
        (say(500, b""), OutcomeUnknown, None),
        (say(503, b""), TransientError, None),
        (say(302, b"", {"Location": "http://127.0.0.1:1/"}), OutcomeUnknown, None),
        (say(307, b"", {"Location": "http://127.0.0.1:1/"}), TransientError, None),
        (say(200, b""), OutcomeUnknown, None),
    ],
)
def test_each_refusal_has_its_class(
    vendor: Vendor, reply: Reply, kind: type[ProviderError], code: str | None
) -> None:
    """A gateway's page suppresses no browser, and a redirect is not followed."""
    error = refused(vendor, reply)
    assert (type(error), error.code) == (kind, code)
    assert len(vendor.seen) == 1
    if kind is Throttled:
        assert error.retry_after == 30.0


def test_a_created_message_may_have_no_address(vendor: Vendor) -> None:
    """Some services leave the header out; then the body must be empty."""
    with closing(WEBPUSH.build(vendor, "accepted")) as provider:
        vendor.on(WEBPUSH.path, say(201, b""))
        assert provider.send(MESSAGE).provider_id == ""
    assert type(refused(vendor, say(201, b"<html>"))) is OutcomeUnknown


# --- what may be called


@pytest.mark.parametrize(
    "origin",
    [
        "https://fcm.googleapis.com",
        "https://updates.push.services.mozilla.com",
        "https://web.push.apple.com",
        "https://wns2-par02p.notify.windows.com",
    ],
)
def test_the_known_push_services_are_allowed(origin: str) -> None:
    """Of all large browsers."""
    assert AllowedOrigins(DEFAULT_ORIGINS).allow(origin)
    with closing(WebPush(**OURS)) as provider:
        assert provider.takes(subscription(f"{origin}/x"))


@each_of(
    "endpoint",
    [
        "http://fcm.googleapis.com/x",
        "https://fcm.googleapis.com.evil.example/x",
        "https://evil.example/fcm.googleapis.com",
        "https://fcm.googleapis.com:8443/x",
        "https://fcm.googleapis.com@evil.example/x",
        "https://evil.example\\.fcm.googleapis.com/x",
        "https://notify.windows.com.evil.example/x",
        "https://evilnotify.windows.com/x",
        "https://127.0.0.1/x",
        "https://[::1]/x",
        "https://localhost/x",
        "https://169.254.169.254/latest",
        "ftp://fcm.googleapis.com/x",
        "https://fcm.googleapis.com",
        "https://fcm.googleapis.com/x y",
        "https://fcm.googleapis.com/x\r\nX-Evil: 1",
    ],
)
def test_no_other_address_is_called(endpoint: str) -> None:
    """The message is refused before a name is looked up."""

    def never(*_: object, **__: object) -> list[Any]:
        raise AssertionError

    with closing(WebPush(**OURS, resolve=never)) as provider:
        assert not provider.takes(subscription(endpoint))
        with pytest.raises(InvalidRecipient) as caught:
            provider.send(replace(MESSAGE, to=subscription(endpoint)))
    assert type(caught.value) is InvalidRecipient
    assert "nothing was sent" in str(caught.value)


@each_of(
    "addresses",
    [
        ["127.0.0.1"],
        ["10.0.0.1"],
        ["192.168.1.1"],
        ["172.16.0.1"],
        ["169.254.169.254"],
        ["100.64.0.1"],
        ["0.0.0.0"],  # noqa: S104 - it is refused
        ["224.0.0.1"],
        ["255.255.255.255"],
        ["::1"],
        ["fe80::1%eth0"],
        ["fd00::1"],
        ["::ffff:10.0.0.1"],
        ["64:ff9b::a00:1"],
        ["2002:a00:1::"],
        ["142.250.1.1", "10.0.0.1"],
        [],
    ],
)
def test_a_name_with_a_private_address_is_not_called(addresses: list[str]) -> None:
    """Also if another of its addresses is public: the next look-up might choose differently."""
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (each, 443)) for each in addresses]
    message = replace(MESSAGE, to=subscription("https://fcm.googleapis.com/x"))
    with (
        closing(WebPush(**OURS, resolve=lambda *_, **__: found)) as provider,
        pytest.raises(TransientError) as caught,
    ):
        provider.send(message)
    assert caught.value.code == "address"


def test_the_checked_address_is_the_one_that_is_called(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name is looked up once: a second answer could be another."""
    called: list[tuple[str, int]] = []

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        called.append(address)
        raise OSError

    monkeypatch.setattr("urllib3.util.connection.create_connection", connect)
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("142.250.1.1", 443))]
    message = replace(MESSAGE, to=subscription("https://fcm.googleapis.com/x"))
    with (
        closing(WebPush(**OURS, resolve=lambda *_, **__: found)) as provider,
        pytest.raises(TransientError),
    ):
        provider.send(message)
    assert called == [("142.250.1.1", 443)]


@pytest.mark.parametrize("host", ["push.example.com", None])
def test_the_certificate_proves_the_name_and_not_the_address(
    host: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although the connection goes to the address that was checked."""
    authority = Authority(tmp_path)
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(*authority.issue("push", host=host))
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.file))
    monkeypatch.setattr("providers.webpush.origins.is_public", lambda _: True)
    with Vendor(say(201, b""), tls=tls) as vendor:
        port = vendor.url.rpartition(":")[2]
        found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", int(port)))]
        origin = f"https://push.example.com:{port}"
        message = replace(MESSAGE, to=subscription(f"{origin}/x"))
        options: dict[str, Any] = {"origins": [origin], "resolve": lambda *_, **__: found}
        with closing(WebPush(**OURS, **options)) as provider:
            if host is None:
                with pytest.raises(TransientError):
                    provider.send(message)
                assert vendor.seen == []
            else:
                provider.send(message)
                assert vendor.seen[0].headers["host"] == f"push.example.com:{port}"


@given(st.ip_addresses(v=4))
def test_public_addresses_are_those_of_the_internet(address: Any) -> None:
    """By the registry of the standard library."""
    assert is_public(str(address)) <= address.is_global


@each_of(
    "to",
    [
        "",
        "https://fcm.googleapis.com/x",
        "https://fcm.googleapis.com/x#p256dh=AAAA&auth=BBBB",
        "https://fcm.googleapis.com/x#auth=" + "A" * 22,
        subscription("https://fcm.googleapis.com/x").replace("p256dh=B", "p256dh=A"),
        subscription("https://fcm.googleapis.com/x") + "AA",
        subscription("https://fcm.googleapis.com/x") + "&" * 20,
        "c:APA91b",
    ],
)
def test_what_is_no_subscription_is_refused(to: str) -> None:
    """A point that is not on the curve could leak our key of the message."""
    assert read_subscription(to) is None
    with closing(WebPush(**OURS)) as provider, pytest.raises(InvalidRecipient):
        provider.send(replace(MESSAGE, to=to))


def test_a_subscription_shows_nothing_of_itself() -> None:
    """Its path is all that is needed to send to it, with the keys."""
    found = read_subscription(subscription("https://fcm.googleapis.com/secret"))
    assert repr(found) == "WebSubscription(origin='https://fcm.googleapis.com')"


# --- options


@each_of(
    "options",
    [
        {"private_key": "canary"},
        {"private_key": ""},
        {"private_key": "A" * 43},
        {"subject": "ops@example.com"},
        {"subject": "mailto:canary"},
        {"origins": []},
        {"origins": ["http://push.example.com"]},
        {"origins": ["https://*"]},
        {"origins": ["https://push.example.com/path"]},
    ],
)
def test_a_configuration_that_cannot_work_is_refused(options: dict[str, Any]) -> None:
    """At once, and without the key in the text."""
    with pytest.raises(ConfigError, match="webpush") as caught:
        WebPush(**{**OURS, **options})
    assert "canary" not in str(caught.value)


def test_a_key_may_be_pem_or_raw() -> None:
    """Web push libraries make 32 bytes in base64."""
    key = ec.derive_private_key(7, ec.SECP256R1())
    assert key.private_numbers().private_value == 7
    make_webpush(base_url="http://127.0.0.1:1", private_key=raw(7)).close()


def test_wrong_options_are_found_before_it_is_built() -> None:
    """`notify config check` names each."""
    wrong = {"subject": "x", "origins": ["y"], "private_key": None}
    assert [name for name, _ in WebPush.wrong_options(wrong)] == ["subject", "origins"]
    assert list(WebPush.wrong_options({"subject": OURS["subject"]})) == []
    assert not are_origins("https://push.example.com")
