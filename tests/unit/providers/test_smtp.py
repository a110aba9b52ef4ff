"""The SMTP provider against aiosmtpd: what is certainly not sent, what is unknown, connections."""

from __future__ import annotations

import base64
import email
import socket
import ssl
import threading
import traceback
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from email import policy
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

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
from notify.message import Attachment, MailSender, Rendered
from providers.smtp import Smtp
from tests.support.authority import Authority
from tests.support.smtp_relay import PASSWORD, Action, SmtpRelay, garbage, hang, reset
from tests.support.tables import each_of
from tests.unit.providers.calling import Hurry
from tests.unit.providers.dialects import MESSAGE
from tests.unit.providers.dialects.smtp import BOUNCE_KEY, smtp

RETURN = {"return_path": "bounces@bounces.example.com", "bounce_key": BOUNCE_KEY}


@pytest.fixture
def relay() -> Iterator[SmtpRelay]:
    """A relay that accepts everything."""
    with SmtpRelay() as relay:
        yield relay


def message(**fields: Any) -> Rendered:
    """A message of its own call."""
    return replace(MESSAGE, attempt_id=uuid4(), **fields)


def failure(provider: Smtp, sent: Rendered = MESSAGE) -> ProviderError:
    """The error of one send, which has nothing private in it."""
    with pytest.raises(ProviderError) as caught:
        provider.send(sent)
    shown = [repr(caught.value), *traceback.format_exception(caught.value, limit=0)]
    assert "canary" not in "".join(shown)
    return caught.value


@pytest.mark.parametrize(
    ("command", "reply", "kind", "code"),
    [
        ("RCPT", "550 5.1.1 User unknown", RecipientGone, "5.1.1"),
        ("RCPT", "556 5.1.10 Null MX", RecipientGone, "5.1.10"),
        ("DATA", "550 5.1.1 User unknown", RecipientGone, "5.1.1"),
        ("RCPT", "550 5.2.1 Disabled", InvalidRecipient, "5.2.1"),
        ("RCPT", "552 5.2.2 Full", InvalidRecipient, "5.2.2"),
        ("RCPT", "550 No such mailbox", InvalidRecipient, "550"),
        ("RCPT", "550 5.7.1 Refused by policy", PermanentError, "5.7.1"),
        ("RCPT", "550 5.7.1 Relaying denied", Unauthorized, "5.7.1"),
        ("RCPT", "550 relay not permitted", Unauthorized, "550"),
        ("RCPT", "554 5.1.8 Bad sender", PermanentError, "5.1.8"),
        ("RCPT", "450 4.1.1 Greylisted, 5.1.1 is not its code", TransientError, "4.1.1"),
        ("RCPT", "550 4.1.1 Contradiction", InvalidRecipient, "550"),
        ("RCPT", "452 4.5.3 too many messages today", Throttled, "4.5.3"),
        ("MAIL", "454 Throttling failure: Maximum sending rate exceeded.", Throttled, "454"),
        ("MAIL", "451 4.3.2 Not now", TransientError, "4.3.2"),
        ("MAIL", "530 5.7.0 Authentication required", Unauthorized, "5.7.0"),
        ("MAIL", "550 5.1.8 Sender refused", Unauthorized, "5.1.8"),
        ("MAIL", "552 5.3.4 Too large", PermanentError, "5.3.4"),
        ("DATA", "554 5.7.1 Spam", PermanentError, "5.7.1"),
        ("DATA", "552 5.3.4 Too large", PermanentError, "5.3.4"),
        ("DATA", "451 4.7.1 Try later", TransientError, "4.7.1"),
        ("DATA", "421 4.3.2 Closing", TransientError, "4.3.2"),
        ("MAIL", "421 4.7.0 too many connections", Throttled, "4.7.0"),
    ],
)
def test_a_refusal_is_mapped_by_its_enhanced_code(
    relay: SmtpRelay, command: str, reply: str, kind: type[ProviderError], code: str
) -> None:
    """Each says whether the message, the recipient or the account is at fault; none is unknown."""
    relay.on(command, reply)
    provider = smtp(relay)
    error = failure(provider)
    assert (type(error), error.code) == (kind, code)
    # The connection is clean for the next message, whatever was refused.
    provider.send(message())
    assert [each.to for each in relay.received] == [[MESSAGE.to]]
    provider.close()


def test_the_sender_of_a_category_does_not_open_the_circuit(relay: SmtpRelay) -> None:
    """Only the provider's own From is the same for every message."""
    relay.on("MAIL", "550 5.1.8 Sender refused")
    provider = smtp(relay)
    error = failure(provider, message(sender=MailSender("news@example.com")))
    assert type(error) is PermanentError
    provider.close()


@pytest.mark.parametrize("reply", [hang, reset, garbage, "354 What"])
def test_a_lost_reply_to_the_content_is_unknown(
    relay: SmtpRelay, reply: Action, hurry: Hurry
) -> None:
    """The whole message has left; the connection is not used again."""
    relay.on("DATA", reply)
    provider = smtp(relay, timeout=20.0)
    if reply is hang:
        hurry(19.5)
    assert type(failure(provider)) is OutcomeUnknown
    provider.close()


@pytest.mark.parametrize("command", ["MAIL", "RCPT"])
@pytest.mark.parametrize("reply", [hang, reset, garbage])
def test_a_lost_reply_before_the_content_is_certain(
    relay: SmtpRelay, command: str, reply: Action
) -> None:
    """No content has left, so nothing can have been sent."""
    relay.on(command, reply)
    provider = smtp(relay, timeout=0.5)
    assert type(failure(provider)) is TransientError
    assert relay.received == []
    provider.close()


def test_a_relay_that_cannot_be_reached_got_nothing() -> None:
    """A refused connection is a certain failure."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        nowhere = SmtpRelay(port=free.getsockname()[1])
    assert type(failure(smtp(nowhere))) is TransientError


def test_a_relay_that_trickles_is_bounded() -> None:
    """A byte at a time keeps no call beyond its timeout."""
    stop = threading.Event()

    def trickle() -> None:
        connection, _ = listener.accept()
        with connection:
            while not stop.wait(0.02):
                try:
                    connection.sendall(b"2")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=trickle)
        thread.start()
        slow = SmtpRelay(port=listener.getsockname()[1])
        try:
            # The trickle never ends: without a bound, neither does the call.
            assert type(failure(smtp(slow, timeout=0.4))) is TransientError
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize("features", [("PIPELINING",), ()])
def test_a_thousand_messages_use_one_connection_at_a_time(
    relay: SmtpRelay, features: tuple[str, ...]
) -> None:
    """Each connection serves a hundred messages, and none is left open."""
    relay.features = features
    provider = smtp(relay)
    # The last connection is in use: one that has served a hundred is closed.
    count = 1010 if features else 50
    for _ in range(count):
        provider.send(MESSAGE)
    assert (len(relay.received), relay.live) == (count, 1)
    assert relay.connections == -(-count // 100)
    assert relay.commands.count("EHLO") == relay.connections
    assert "RSET" not in relay.commands
    provider.close()
    relay.hang_up()
    assert relay.live == 0


def test_sixteen_threads_share_the_connections(relay: SmtpRelay) -> None:
    """Every message gets its own reply."""
    provider = smtp(relay)
    with ThreadPoolExecutor(16) as threads:
        list(threads.map(lambda _: provider.send(message()), range(128)))
    assert len({each.content for each in relay.received}) == 128
    assert relay.connections <= 17
    provider.close()


def test_a_connection_that_the_relay_closed_costs_no_message(relay: SmtpRelay) -> None:
    """Neither one that is closed already, nor one that closes as the next message begins."""
    provider = smtp(relay)
    provider.send(message())
    relay.hang_up()
    provider.send(message())
    relay.on("MAIL", reset)
    provider.send(message())
    relay.on("MAIL", "421 4.4.2 Idle for too long")
    provider.send(message())
    assert (len(relay.received), relay.connections) == (4, 4)
    provider.close()


def test_a_refused_recipient_does_not_end_the_connection(relay: SmtpRelay) -> None:
    """The next message resets the transaction in the same write."""
    relay.on("RCPT", "550 5.1.1 Unknown")
    provider = smtp(relay)
    failure(provider)
    provider.send(message())
    assert relay.connections == 1
    assert relay.commands == ["EHLO", "MAIL", "RCPT", "RSET", "MAIL", "RCPT", "DATA"]
    provider.close()


def test_the_commands_are_one_write_if_the_relay_offers_it() -> None:
    """Two round trips a message instead of four; the content waits for the recipient's reply."""
    seen: list[bytes] = []

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"220 hello\r\n")
            connection.recv(4096)
            connection.sendall(b"250-hello\r\n250 PIPELINING\r\n")
            seen.append(connection.recv(4096))
            connection.sendall(b"250 ok\r\n550 5.1.1 no\r\n354 go on\r\n")
            seen.append(connection.recv(4096))
            connection.sendall(b"554 no recipients\r\n")

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        provider = smtp(SmtpRelay(port=listener.getsockname()[1]))
        assert type(failure(provider)) is RecipientGone
        provider.close()
        thread.join()
    # RFC 2920 section 3.1: a server that wants content for no recipient gets none.
    assert [each.split(b"\r\n")[0] for each in seen] == [
        b"MAIL FROM:<no-reply@example.com>",
        b".",
    ]
    assert seen[0].endswith(b"DATA\r\n")


def test_each_call_has_its_own_return_path(relay: SmtpRelay) -> None:
    """The relay is asked to report failures to it, with headers only and our id."""
    provider = smtp(relay, **RETURN)
    sent = message()
    receipt = provider.send(sent)
    assert receipt.provider_id == "4XyZ12abCD"
    (received,) = relay.received
    assert received.sender.startswith(f"bounces+{sent.attempt_id.hex}")
    assert received.sender.endswith("@bounces.example.com")
    assert len(received.sender.partition("@")[0]) <= 64
    assert f"RET=HDRS ENVID={sent.attempt_id}" in relay.parameters[0]
    asked = "NOTIFY=FAILURE,DELAY ORCPT=rfc822;canary-recipient@example.org"
    assert relay.parameters[1].endswith(asked)
    provider.close()


def test_the_content_arrives_as_it_was(relay: SmtpRelay) -> None:
    """Lines that begin with a dot, other alphabets, files and headers survive the transport."""
    provider = smtp(relay, sender_name="Müller,\u00a0Köln")
    text = ".\n..two\n.three äöü\n" + "long " * 400 + "\r\nbare\rreturn"
    image = Attachment("logo.png", "image/png", base64.b64encode(b"\x89PNG").decode(), "logo")
    pdf = Attachment("Übersicht 1.pdf", "application/pdf", base64.b64encode(b"%PDF" * 99).decode())
    provider.send(
        message(
            subject="Grüße 🎉 " * 12,
            text=text,
            html='<img src="cid:logo">\n.\n',
            headers=[("List-Id", "News <news.example.com>"), ("X-Long", "word " * 60)],
            reply_to="help@example.com",
            attachments=[image, pdf],
        )
    )
    raw = relay.received[0].content
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert raw.count(b"\n") == raw.count(b"\r\n") == raw.count(b"\r")
    mail = email.message_from_bytes(raw, policy=policy.default)
    assert not any(part.defects for part in mail.walk())
    assert mail["subject"] == ("Grüße 🎉 " * 12).strip() or mail["subject"] == "Grüße 🎉 " * 12
    assert mail["from"].addresses[0].display_name == "Müller,\u00a0Köln"
    assert (mail["list-id"], mail["reply-to"]) == ("News <news.example.com>", "help@example.com")
    plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert plain is not None
    assert html is not None
    wanted = text.replace("\r\n", "\n").replace("\r", "\n") + "\n"
    assert plain.get_content().replace("\r\n", "\n") == wanted
    assert html.get_content().replace("\r\n", "\n") == '<img src="cid:logo">\n.\n'
    types = [part.get_content_type() for part in mail.walk()]
    assert types == [
        *("multipart/mixed", "multipart/alternative", "text/plain", "multipart/related"),
        *("text/html", "image/png", "application/pdf"),
    ]
    (file,) = mail.iter_attachments()
    assert (file.get_filename(), file.get_content()) == ("Übersicht 1.pdf", b"%PDF" * 99)
    provider.close()


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"headers": [("X-A", "a\r\nBcc: eve@example.com")]}, "header"),
        ({"subject": "a\nBcc: eve@example.com"}, "header"),
        ({"headers": [("X-A", "a" * 1200)]}, "header"),
        ({"sender": MailSender("a@example.com", "a\nBcc: eve@example.com")}, "header"),
        ({"sender": MailSender("a b@@example.com\r\n")}, "header"),
        ({"reply_to": "a\nb@example.com"}, "header"),
        ({"reply_to": "no address"}, "header"),
        ({"attachments": [Attachment("a\nb", "text/plain", "")]}, "header"),
        ({"attachments": [Attachment("a", "text/plain\r\nX: y", "")]}, "header"),
        ({"html": "x", "attachments": [Attachment("a", "image/png", "", "a>\r\n")]}, "header"),
    ],
)
def test_no_header_can_begin_another(relay: SmtpRelay, fields: dict[str, Any], code: str) -> None:
    """Even if every check before it failed; nothing is sent."""
    provider = smtp(relay)
    error = failure(provider, message(**fields))
    assert (type(error), error.code) == (PermanentError, code)
    assert relay.commands == []
    provider.close()


def test_an_address_in_another_alphabet_needs_a_relay_that_knows_it(relay: SmtpRelay) -> None:
    """The contract refuses such addresses today; another producer of messages may not."""
    provider = smtp(relay)
    provider.send(message(to="jörg@example.org"))
    (received,) = relay.received
    assert received.to == ["jörg@example.org"]
    assert "SMTPUTF8" in received.mail_options
    assert "To: jörg@example.org".encode() in received.content
    provider.close()
    relay.utf8 = False
    provider = smtp(relay)
    error = failure(provider, message(to="jörg@example.org"))
    assert (type(error), error.code) == (InvalidRecipient, "smtputf8")
    provider.send(message())
    assert len(relay.received) == 2
    provider.close()


def test_a_message_that_is_too_large_is_not_begun(relay: SmtpRelay) -> None:
    """The relay says its limit in the greeting (RFC 1870)."""
    relay.largest = 1000
    provider = smtp(relay)
    error = failure(provider, message(text="x\n" * 1000))
    assert (type(error), error.code) == (PermanentError, "too_large")
    assert "MAIL" not in relay.commands
    provider.close()


@pytest.fixture
def certified(tmp_path: Path) -> tuple[str, ssl.SSLContext]:
    """An authority's file, and a certificate of it for the relay."""
    authority = Authority(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("relay"))
    return str(authority.file), context


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_the_connection_is_encrypted_and_the_password_sent(
    certified: tuple[str, ssl.SSLContext], tls: str
) -> None:
    """Once for all messages of a connection; a check has one of its own."""
    ca_file, context = certified
    with SmtpRelay(tls=context, implicit=tls == "implicit", login=True) as relay:
        provider = smtp(relay, tls=tls, ca_file=ca_file, username="notify", password=PASSWORD)
        for _ in range(5):
            provider.send(message())
        provider.check()
        assert (len(relay.received), relay.connections) == (5, 2)
        provider.close()
        wrong = smtp(relay, tls=tls, ca_file=ca_file, username="notify", password="canary")
        assert type(failure(wrong)) is Unauthorized
        with pytest.raises(Unauthorized):
            wrong.check()


@pytest.mark.parametrize("tls", ["starttls", "implicit"])
def test_a_relay_that_cannot_prove_its_name_gets_nothing(
    certified: tuple[str, ssl.SSLContext], tls: str
) -> None:
    """The system's authorities have not signed its certificate."""
    with SmtpRelay(tls=certified[1], implicit=tls == "implicit") as relay:
        error = failure(smtp(relay, tls=tls))
        assert type(error) is TransientError
        assert "SSL" in str(error)
        assert relay.received == []


def test_a_relay_without_starttls_gets_nothing(relay: SmtpRelay) -> None:
    """An attacker may have removed the offer: neither password nor message is sent in clear."""
    error = failure(smtp(relay, tls="starttls", username="notify", password=PASSWORD))
    assert type(error) is TransientError
    assert relay.commands == ["EHLO"]


def test_plain_text_behind_starttls_is_not_read_as_encrypted() -> None:
    """CVE-2021-38371 and its kind: replies that an attacker wrote before the encryption."""

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.sendall(b"220 hello\r\n")
            connection.recv(4096)
            connection.sendall(b"250-hello\r\n250 STARTTLS\r\n")
            connection.recv(4096)
            connection.sendall(b"220 go on\r\n250 injected\r\n")
            connection.recv(4096)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        error = failure(smtp(SmtpRelay(port=listener.getsockname()[1]), tls="starttls"))
        thread.join()
    assert "Malformed" in str(error)


@each_of(
    ("options", "wrong"),
    [
        ({"host": "smtp.example.com:25"}, "host"),
        ({"host": "a b"}, "host"),
        ({"tls": "maybe"}, "tls"),
        ({"port": 0}, "port"),
        ({"sender": "Example <a@example.com>"}, "sender"),
        ({"sender_name": "a\nb"}, "sender_name"),
        ({"username": "notify"}, "username"),
        ({"username": "u", "password": "p", "tls": "none"}, "tls"),
        ({"return_path": "b@example.com"}, "return_path"),
        ({"return_path": "a+b@example.com", "bounce_key": "k" * 32}, "return_path"),
        ({"bounce_key": "short"}, "bounce key"),
        ({"ca_file": "/nonexistent"}, "ca_file"),
    ],
)
def test_wrong_options_are_found_before_anything_is_sent(
    options: dict[str, Any], wrong: str
) -> None:
    """`notify config check` finds those that are not secrets, by the same rules."""
    with pytest.raises(ConfigError, match=wrong):
        Smtp(**{"host": "smtp.example.com", "sender": "no-reply@example.com", **options})


def test_a_password_may_reach_a_relay_on_this_machine_in_clear() -> None:
    """It crosses no network."""
    Smtp(host="127.0.0.1", sender="a@example.com", tls="none", username="u", password="p").close()
