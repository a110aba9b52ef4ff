"""`notify web receipts` as a process: a 2xx only once the broker or the record has the receipts."""

from __future__ import annotations

import gzip
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
import urllib3

from notify.contract import ReceiptMessage
from notify.keyring import Keyring
from notify.receipt import Posted, ReceiptEvent
from notify.stack.rabbitmq import RabbitMQNode
from notify.store import Store
from notify.topology import RECEIPTS, Topology
from tests.support.least import logins
from tests.support.rig import Rig, surroundings, until
from tests.support.services import PostgreSQL, Users, broker_away
from tests.support.web_rig import WebRig, delivered


@pytest.fixture
def web(rig: Rig) -> WebRig:
    """The intake's surroundings, on each kind of database in turn."""
    return WebRig.of(rig)


@pytest.fixture
def web_on_sqlite(tmp_path: Path, broker_url: str) -> Iterator[WebRig]:
    """The intake's surroundings where the database does not matter."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        yield WebRig.of(rig)


def ids_of(message: ReceiptMessage) -> tuple[str, ...]:
    """Return the vendor's ids of a message's receipts, in order."""
    return tuple(receipt.event_id for receipt in message.receipts)


def test_receipts_of_both_vendors_are_stored_before_the_answer(web_on_sqlite: WebRig) -> None:
    """By event and provider; the process has no secret that can send."""
    web, attempt = web_on_sqlite, uuid4()
    with web.running() as process:
        posted = web.sendgrid(delivered(1), delivered(2, event="spamreport"), delivered(3))
        assert web.post(posted) == 204
        assert {(each.routing_key, ids_of(each)) for each in web.stored()} == {
            ("sendgrid.delivered", ("e1", "e3")),
            ("sendgrid.complained", ("e2",)),
        }
        posted = web.twilio(f"attempt_id={attempt}", MessageStatus="failed", ErrorCode="30005")
        assert web.post(posted, "twilio") == 204
        # A late copy of an earlier message may be before it.
        message = next(each for each in web.stored() if each.provider == "twilio")
        (receipt,) = message.delivery_receipts()
        assert receipt.event == ReceiptEvent.BOUNCED
        assert (receipt.attempt_id, receipt.recipient) == (attempt, "+15005550009")
        # Broker and record count as away until the first check.
        until(lambda: web.get("/readyz") == (200, "ok\n"))
        metrics = web.metrics()
    assert 'notify_receipts_total{event="complained",provider="sendgrid",verdict="stored"} 1.0' in (
        metrics
    )
    assert "canary" not in process.err() + metrics
    assert "5550009" not in process.err() + metrics


def test_forged_and_foreign_requests_are_refused_and_counted(web_on_sqlite: WebRig) -> None:
    """Nothing of them is stored; a replay is stored again, and applied once."""
    web = web_on_sqlite
    good, sms = web.sendgrid(delivered()), web.twilio(MessageStatus="sent")
    with web.running():
        assert web.post(replace(good, body=good.body[:-1])) == 403
        assert web.post(replace(good, headers={})) == 403
        assert web.post(good, "twilio") == 403
        assert web.post(sms) == 403
        assert web.post(replace(sms, query="attempt_id=x"), "twilio") == 403
        assert web.post(good, "nobody") == 404
        assert web.get("/receipts/twilio?MessageSid=SM1")[0] == 405
        assert web.published() == []
        assert [web.post(good), web.post(good)] == [204, 204]
        assert len(web.stored()) >= 2
        metrics = web.metrics()
    for provider, count in (("sendgrid", 3.0), ("twilio", 2.0)):
        line = f'{{event="none",provider="{provider}",verdict="forged"}} {count}'
        assert f"notify_receipts_total{line}" in metrics
    assert 'provider="nobody"' not in metrics


def test_one_poison_element_among_a_thousand(web_on_sqlite: WebRig) -> None:
    """It is counted, and the others are published in few messages."""
    web = web_on_sqlite
    events = [delivered(number, email=f"canary{number}@example.com") for number in range(999)]
    with web.running():
        assert web.post(web.sendgrid(*events[:500], {"event": {}}, *events[500:])) == 204
        messages = {ids_of(each) for each in web.stored()}
        metrics = web.metrics()
    ids = [event_id for message in messages for event_id in message]
    assert sorted(ids) == sorted(f"e{number}" for number in range(999))
    assert len(messages) == 4
    assert 'event="none",provider="sendgrid",verdict="unreadable"} 1.0' in metrics


def test_events_of_another_environment_are_stored(web_on_sqlite: WebRig) -> None:
    """Without our ids: a 4xx would make SendGrid post them for a day."""
    with web_on_sqlite.running():
        assert web_on_sqlite.post(web_on_sqlite.sendgrid(delivered(sg_message_id=None))) == 204
        assert web_on_sqlite.post(web_on_sqlite.sendgrid()) == 204


def test_while_the_broker_is_away_receipts_wait_in_the_record(
    web: WebRig, rabbitmq: RabbitMQNode
) -> None:
    """They are answered with 2xx, and published when it is back."""
    with web.running() as process:
        with broker_away(rabbitmq, web.rig.broker_url):
            for number in range(20):
                event = delivered(number, event="bounce" if number % 2 else "delivered")
                assert web.post(web.sendgrid(event)) == 204
            assert web.inbox() == 20
            until(lambda: web.probed("/readyz").startswith("ok\nbroker_away"))
        until(lambda: web.inbox() == 0)
        messages = web.published()
        until(lambda: "notify_receipts_inbox_waiting 0.0" in web.metrics())
    ids = [receipt.event_id for message in messages for receipt in message.receipts]
    assert set(ids) == {f"e{number}" for number in range(20)}
    assert "canary" not in process.err()


@pytest.mark.parametrize("store_url", ["sqlite"], indirect=True)
def test_the_inbox_is_sealed_with_the_keyring(web: WebRig, rabbitmq: RabbitMQNode) -> None:
    """No recipient is in the database in clear, and the relay opens what it publishes."""
    text = web.rig.notify("keyring", "new").out
    web = replace(web, environ={"NOTIFY_KEYRING": text})
    with web.running():
        with broker_away(rabbitmq, web.rig.broker_url):
            assert web.post(web.sendgrid(delivered())) == 204
            with web.rig.store.reading() as connection:
                row = connection.exec_driver_sql("SELECT key_id, body FROM receipt_inbox").one()
            assert row.key_id == Keyring.parse(text).current
            assert b"canary" not in bytes(row.body)
        until(lambda: web.inbox() == 0)
        messages = web.published()
    # On a slow machine the first publish, not confirmed in time, may have arrived as well.
    assert {each.receipts[0].recipient for each in messages} == {"canary@example.com"}


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_both_away_is_answered_with_503_and_nothing_else(
    web: WebRig, rabbitmq: RabbitMQNode, postgresql: PostgreSQL
) -> None:
    """It starts without both, and stores once one of them is back."""
    with broker_away(rabbitmq, web.rig.broker_url):
        postgresql.pause()
        try:
            process = web.start()
            assert web.post(web.sendgrid(delivered(1))) == 503
            assert web.get("/readyz")[0] == 503
            assert web.get("/livez")[0] == 200
        finally:
            postgresql.resume()
        web.rig.store.close()
        until(lambda: web.post(web.sendgrid(delivered(2))) == 204)
        assert web.inbox() == 1
    until(lambda: web.inbox() == 0)
    process.terminate()
    assert process.wait(40) == 0
    assert {ids_of(message) for message in web.published()} == {("e2",)}


def _exchange(port: int, *parts: bytes) -> bytes:
    """
    Send the parts of a request over a plain connection; return all of the answer.

    They are sent at once: the system discards an answer that has arrived when more is sent on a
    connection that the server has closed.
    """
    with socket.create_connection(("127.0.0.1", port), timeout=60) as client:
        client.sendall(b"".join(parts))
        answer = b""
        while chunk := client.recv(65_536):
            answer += chunk
        return answer


def _head(posted: Posted, *more: str) -> bytes:
    lines = [f"{name}: {value}" for name, value in posted.headers.items()]
    head = ["POST /receipts/sendgrid HTTP/1.1", "Host: x", "Connection: close", *lines, *more]
    return ("\r\n".join(head) + "\r\n\r\n").encode()


def test_hostile_bodies_are_refused_and_the_next_request_works(web_on_sqlite: WebRig) -> None:
    """A bomb, a lie about the length, and chunks without end; a chunked body itself is accepted."""
    web = web_on_sqlite
    bomb = gzip.compress(b"[" + b" " * 200_000_000 + b"]")
    good = web.sendgrid(delivered())
    chunked = b"%x\r\n%b\r\n0\r\n\r\n" % (len(good.body), good.body)
    megabyte = b"100000\r\n" + b" " * 0x100000 + b"\r\n"
    with web.running():
        head = _head(good, "Content-Encoding: gzip", f"Content-Length: {len(bomb)}")
        assert b" 413 " in _exchange(web.port, head, bomb)
        assert b" 413 " in _exchange(web.port, _head(good, "Content-Length: 99999999"), b"x")
        answer = _exchange(
            web.port, _head(good, "Transfer-Encoding: chunked"), *[megabyte] * 4, b"1\r\nx"
        )
        assert b" 413 " in answer
        assert b" 431 " in _exchange(web.port, _head(good, *(f"X-{n}: y" for n in range(80))))
        assert b" 400 " in _exchange(web.port, b"not HTTP\r\n\r\n")
        assert web.published() == []
        answer = _exchange(web.port, _head(good, "Transfer-Encoding: chunked"), chunked)
        assert b" 204 " in answer
        body = gzip.compress(good.body)
        head = _head(good, "Content-Encoding: gzip", f"Content-Length: {len(body)}")
        assert b" 204 " in _exchange(web.port, head, body)
        assert len(web.stored()) >= 2


def test_a_stop_answers_the_requests_in_flight(web_on_sqlite: WebRig) -> None:
    """SIGTERM comes in the middle of a body."""
    web = web_on_sqlite
    process = web.start()
    good = web.sendgrid(delivered())
    with socket.create_connection(("127.0.0.1", web.port), timeout=60) as client:
        client.sendall(_head(good, f"Content-Length: {len(good.body)}") + good.body[:10])
        # Connections are accepted in order: the server has read the head before it answers this.
        assert web.get("/livez")[0] == 200
        process.terminate()
        time.sleep(1)
        client.sendall(good.body[10:])
        assert b" 204 " in client.recv(65_536)
    assert process.wait(40) == 0
    assert len(web.published()) + web.inbox() >= 1


def test_a_killed_process_loses_nothing_that_it_answered(
    web: WebRig, rabbitmq: RabbitMQNode
) -> None:
    """Four vendors post at once, the broker goes away in between, and the process is killed."""
    answered: list[int] = []
    end = threading.Event()

    def fire(first: int) -> None:
        number = first
        while not end.wait(0.005):
            try:
                if web.post(web.sendgrid(delivered(number))) == 204:
                    answered.append(number)
            except urllib3.exceptions.HTTPError:
                time.sleep(0.05)
            number += 4

    process = web.start()
    threads = [threading.Thread(target=fire, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    until(lambda: len(answered) > 40)
    with broker_away(rabbitmq, web.rig.broker_url):
        before = len(answered)
        until(lambda: len(answered) > before + 40)
        process.send_signal(signal.SIGKILL)
        process.wait(10)
        assert web.inbox() > 0
        process = web.start()
        before = len(answered)
        until(lambda: len(answered) > before + 10)
    until(lambda: len(answered) > before + 40)
    process.send_signal(signal.SIGKILL)
    process.wait(10)
    end.set()
    for thread in threads:
        thread.join(60)
    found = web.published()
    _expire_leases(web.rig.store)
    with web.running():
        until(lambda: web.inbox() == 0)
    found += web.published()
    ids = {receipt.event_id for message in found for receipt in message.receipts}
    assert {f"e{number}" for number in answered} <= ids


def _expire_leases(store: Store) -> None:
    """Act as if the killed relay's lease had ended."""
    with store.writing() as connection:
        connection.exec_driver_sql("UPDATE receipt_inbox SET relay_until = NULL")


def test_the_exported_rights_are_enough_and_no_more(
    users: Users, vhost_url: str, topology: Topology, tmp_path: Path
) -> None:
    """The user notify-receipts publishes receipts, and can publish nothing else."""
    login = logins(users, vhost_url, topology)["notify-receipts"]
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=login.url, store_url=url) as rig:
        web = WebRig.of(rig)
        with web.running() as process:
            assert web.post(web.sendgrid(delivered())) == 204
            # More than one, if RabbitMQ confirms it too late.
            depth = re.compile(rf'^notify_queue_messages{{queue="{RECEIPTS}"}} [1-9]', re.M)
            until(lambda: depth.search(web.metrics()) is not None)
            until(lambda: web.inbox() == 0)
        assert '"level":"error"' not in process.err()
    import amqp

    for exchange, key in (("notify", "email.normal.shop"), ("notify.work", "email.normal.shop")):
        with pytest.raises(amqp.AccessRefused):
            login.publish(key, json.dumps({}).encode(), exchange=exchange)
