"""The sandbox's own side: its API, its page, its command."""

from __future__ import annotations

import html
import json
import os
import re
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import urllib3
from click.testing import CliRunner, Result

from notify.cli import notify
from notify.message import Channel
from notify.sandbox import Message, Sandbox, Vendor
from tests.support.forked import Forked
from tests.support.patience import PATIENCE

MESSAGE = Message(
    id="m1",
    provider_id="p1",
    at=datetime(2026, 3, 1, tzinfo=UTC),
    channel=Channel.EMAIL,
    vendor=Vendor.SENDGRID,
    to="ada@sandbox.test",
    text="491027",
)
HTML = "<p title=\"x\">Hi</p><script>alert('x')</script>"


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


def _mail(url: str, http: urllib3.PoolManager, to: str, notify_id: str) -> int:
    mail = {
        "personalizations": [{"to": [{"email": to}], "custom_args": {"notify_id": notify_id}}],
        "from": {"email": "shop@example.com"},
        "subject": "Hello <you>",
        "content": [{"type": "text/plain", "value": "Hi"}, {"type": "text/html", "value": HTML}],
    }
    headers = {"Authorization": "Bearer key"}
    return http.request("POST", f"{url}/v3/mail/send", json=mail, headers=headers).status


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example:8025", "192.0.2.1", ""])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/ledger"),
        ("GET", "/page.css"),
        ("GET", "/healthz"),
        ("GET", "/api/messages"),
        ("DELETE", "/api/messages"),
        ("PUT", "/api/behaviour"),
        ("POST", "/v3/mail/send"),
        ("POST", "/second/v3/mail/send"),
        ("GET", "/v3/scopes"),
        ("POST", "/token"),
        ("POST", "/v1/projects/shop/messages:send"),
        ("GET", "/2010-04-01/Accounts/AC1/Messages.json"),
        ("GET", "/nowhere"),
    ],
)
def test_a_host_that_is_not_the_sandboxs_gets_nothing(
    sandbox: Sandbox, http: urllib3.PoolManager, method: str, path: str, host: str
) -> None:
    """A page whose name was led to 127.0.0.1 would read mails, codes and keys (DNS rebinding)."""
    sandbox.inbox.add(MESSAGE)
    answer = http.request(method, sandbox.url + path, headers={"Host": host}, body=b"{}")
    assert answer.status == 421
    assert "--allow-host" in answer.json()["error"]
    assert not host or host not in answer.data.decode()
    assert len(sandbox.inbox) == 1


def test_a_second_host_or_a_whole_address_does_not_pass_either(sandbox: Sandbox) -> None:
    """Each name that a request bears must be one of the sandbox's."""
    port = sandbox.url.rpartition(":")[2]
    for head in (
        b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nHost: evil.example",
        b"GET http://evil.example/ HTTP/1.1\r\nHost: 127.0.0.1",
    ):
        with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection:
            connection.sendall(head + b"\r\n\r\n")
            assert connection.recv(1024).startswith(b"HTTP/1.1 421 ")


@pytest.mark.parametrize("target", [b"http://[", b"http://[::1/a"])
def test_a_target_that_is_no_url_is_refused(sandbox: Sandbox, target: bytes) -> None:
    """It is answered, and its thread does not end in a traceback."""
    port = sandbox.url.rpartition(":")[2]
    with socket.create_connection(("127.0.0.1", int(port)), timeout=10) as connection:
        connection.sendall(b"GET " + target + b" HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        assert connection.recv(1024).startswith(b"HTTP/1.1 400 ")


def test_the_sandboxs_own_names_are_answered(http: urllib3.PoolManager) -> None:
    """The loopback's, the machine's, and those that were named, with any port and in any case."""
    with Sandbox.start(names=["Sandbox.test"]) as running:
        for host in ("localhost:1", "LOCALHOST", "127.0.0.1", "[::1]:80", "127.8.8.8",
                     "sandbox.test", "sandbox.test.:8025", socket.gethostname()):  # fmt: skip
            answer = http.request("GET", f"{running.url}/healthz", headers={"Host": host})
            assert answer.status == 200, host


def _push(url: str, http: urllib3.PoolManager, to: str, notify_id: str) -> int:
    message = {"token": to, "notification": {"title": "Hi"}, "data": {"notify_id": notify_id}}
    path, headers = "/v1/projects/shop/messages:send", {"Authorization": "Bearer key"}
    return http.request("POST", url + path, json={"message": message}, headers=headers).status


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"[]",
        b'{"vendor": "acme"}',
        b'{"behaviour": "dance"}',
        b'{"behaviour": []}',
        b'{"latency": "soon"}',
        b'{"latency": true}',
        b'{"latency": -1}',
        b'{"latency": NaN}',
        b'{"outage": true}',
        b'{"rate": -1}',
        b'{"rate": 1.5}',
        b'{"rate": true}',
        b'{"rate": "many"}',
        b'{"account": "a/b"}',
        b'{"account": 3}',
        b'{"account": "second", "vendor": "fcm"}',
    ],
)
def test_a_switch_that_makes_no_sense_is_refused(
    sandbox: Sandbox, http: urllib3.PoolManager, body: bytes
) -> None:
    """400 with a reason; nothing changes."""
    before = sandbox.switch.as_dict()
    answer = http.request("PUT", f"{sandbox.url}/api/behaviour", body=body)
    assert answer.status == 400
    assert answer.json()["error"]
    assert sandbox.switch.as_dict() == before


def test_the_api_lists_filters_counts_and_empties(
    sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    """The questions of a test; emptying the inbox does not change the ledger."""
    _mail(sandbox.url, http, "ada@example.com", "n1")
    _push(sandbox.url, http, "device-1", "n2")

    def get(path: str) -> Any:
        answer = http.request("GET", sandbox.url + path)
        assert answer.status == 200
        return answer.json()

    assert [m["notify_id"] for m in get("/api/messages")] == ["n2", "n1"]
    assert [m["to"] for m in get("/api/messages?channel=email")] == ["ada@example.com"]
    assert [m["to"] for m in get("/api/messages?to=device-1")] == ["device-1"]
    assert [m["vendor"] for m in get("/api/messages?notify_id=n1")] == ["sendgrid"]
    assert len(get("/api/messages?limit=1")) == 1
    assert [e["answered"] for e in get("/api/ledger?notify_id=n2")] == [200]
    assert get("/healthz") == {"status": "ok"}
    assert http.request("GET", f"{sandbox.url}/api/ledger?limit=x").status == 400
    deleted = http.request("DELETE", f"{sandbox.url}/api/messages")
    assert deleted.json() == {"deleted": 2}
    assert get("/api/messages") == []
    assert (get("/api/counts")["total"], get("/api/counts")["inbox"]) == (2, 0)


def test_the_wrong_method_is_told_the_right_one(
    sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    """405 with Allow; HEAD stands for GET."""
    answer = http.request("POST", f"{sandbox.url}/api/messages")
    assert (answer.status, answer.headers["Allow"]) == (405, "GET, DELETE")
    assert http.request("HEAD", f"{sandbox.url}/").status == 200


def test_the_page_shows_what_was_sent(sandbox: Sandbox, http: urllib3.PoolManager) -> None:
    """The inbox lists it, the search finds it, the ledger has it."""
    assert b"No messages yet" in http.request("GET", f"{sandbox.url}/").data
    _mail(sandbox.url, http, "bounce@sandbox.test", "n1")
    for path in ("/", "/?q=HELLO", "/?channel=email"):
        page = http.request("GET", sandbox.url + path).data.decode()
        assert "bounce@sandbox.test" in page
        assert "Hello &lt;you&gt;" in page
    assert b"No message matches" in http.request("GET", f"{sandbox.url}/?q=invoice").data
    assert b"bounce@sandbox.test" in http.request("GET", f"{sandbox.url}/ledger").data
    assert http.request("GET", f"{sandbox.url}/messages/none").status == 404


def test_a_message_cannot_harm_who_reads_it(sandbox: Sandbox, http: urllib3.PoolManager) -> None:
    """Its HTML is escaped into a sandboxed frame, under a policy without scripts of others."""
    _mail(sandbox.url, http, "ada@example.com", "n1")
    [message] = sandbox.messages()
    answer = http.request("GET", f"{sandbox.url}/messages/{message.id}")
    page, policy = answer.data.decode(), answer.headers["Content-Security-Policy"]
    frame = page[page.index("<iframe") : page.index("</iframe>")]
    assert ' sandbox srcdoc="' in frame
    assert "<script" not in frame
    assert HTML in html.unescape(frame)
    assert "<script>alert" not in page
    assert "default-src 'none'" in policy
    assert "script-src 'self';" in policy


def test_a_row_of_the_ledger_leads_to_its_message(
    sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    """One that was refused has none; on a narrow screen each cell bears its column's name."""
    _mail(sandbox.url, http, "ada@example.com", "n1")
    _mail(sandbox.url, http, "throttled@sandbox.test", "n2")
    [message] = sandbox.messages()
    page = http.request("GET", f"{sandbox.url}/ledger").data.decode()
    assert f'<a href="/messages/{message.id}">ada@example.com</a>' in page
    assert page.count('href="/messages/') == 1
    columns = re.findall("<th>(.*?)</th>", page)
    assert re.findall('data-label="(.*?)"', page) == columns * 2
    own = http.request("GET", f"{sandbox.url}/messages/{message.id}").data.decode()
    assert 'href="/messages/' not in own


def test_an_email_shows_its_files_and_where_replies_go(
    sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    """By name, type and size; the inbox does not keep their content."""
    files = [
        {"filename": "<terms>.pdf", "type": "application/pdf", "bytes": 1234567},
        {"filename": "logo.gif", "bytes": 4, "content_id": "logo"},
    ]
    details = {"attachments": files, "reply_to": {"email": "help@example.com"}}
    sandbox.inbox.add(replace(MESSAGE, details=details))
    page = http.request("GET", f"{sandbox.url}/messages/{MESSAGE.id}").data.decode()
    assert "<dt>Reply to</dt><dd>help@example.com</dd>" in page
    assert "&lt;terms&gt;.pdf" in page
    assert "application/pdf, 1,234,567 bytes" in page
    assert "no type, 4 bytes, cid:logo" in page


@pytest.mark.parametrize(
    ("text", "length", "why"),
    [
        ("Your code is 491027.", "1 segment, 20 characters in GSM-7", ""),
        ("x" * 161, "2 segments, 161 characters in GSM-7", ""),
        ("It\u2019s 491027" + "é" * 60, "2 segments, 71 characters in UCS-2", "\u2019"),
    ],
)
def test_an_sms_shows_its_segments_and_what_makes_them_more(
    sandbox: Sandbox, http: urllib3.PoolManager, text: str, length: str, why: str
) -> None:
    """They are what it costs."""
    sandbox.inbox.add(replace(MESSAGE, channel=Channel.SMS, vendor=Vendor.TWILIO, text=text))
    page = http.request("GET", f"{sandbox.url}/messages/{MESSAGE.id}").data.decode()
    assert length in page
    assert (f'<span class="beyond">{why}</span>' in page) is bool(why)
    inbox = http.request("GET", sandbox.url).data.decode()
    assert f">{length.split(',')[0]}</span>" in inbox


@pytest.mark.parametrize("path", ["/page.css", "/page.js"])
def test_the_page_needs_nothing_from_elsewhere(
    sandbox: Sandbox, http: urllib3.PoolManager, path: str
) -> None:
    """Style and script are served from the package, and name no other host."""
    answer = http.request("GET", sandbox.url + path)
    assert answer.status == 200
    assert b"://" not in answer.data


def _start(folder: Path, *arguments: str) -> Forked:
    return Forked(
        ["sandbox", *arguments], environ=os.environ, out=folder / "out", err=folder / "err"
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_told_to_stop(
    tmp_path: Path, http: urllib3.PoolManager, number: signal.Signals
) -> None:
    """It says where it is, writes ledger and ready file, and exits 0."""
    ready, ledger = tmp_path / "ready", tmp_path / "ledger.jsonl"
    process = _start(tmp_path, "--port", "0", "--ledger", str(ledger), "--ready-file", str(ready))
    while not ready.exists():
        assert process.poll() is None
        time.sleep(0.02)
    url = ready.read_text(encoding="utf-8").strip()
    with pytest.raises(urllib3.exceptions.ProtocolError):
        _mail(url, http, "lost@sandbox.test", "n1")
    entry = json.loads(ledger.read_text(encoding="utf-8"))
    assert (entry["did"], entry["answered"]) == ("accepted", "reset")
    process.send_signal(number)
    done = process.done()
    assert (done.code, done.err) == (0, "")
    assert url in done.out
    assert str(ledger) in done.out


def _switch(*arguments: str) -> Result:
    return CliRunner().invoke(notify, ["sandbox", "switch", *arguments])


def test_a_running_sandbox_is_switched_from_the_command_line(
    sandbox: Sandbox, http: urllib3.PoolManager
) -> None:
    """One account goes down and is limited; what holds is shown, and can be asked for."""
    changed = _switch(
        "--url", sandbox.url, "--account", "second", "--behaviour", "down", "--rate", "50"
    )
    assert changed.exit_code == 0
    assert changed.output.splitlines() == [
        "sendgrid  as the recipient says  0ms  any rate",
        "twilio    as the recipient says  0ms  any rate",
        "vonage    as the recipient says  0ms  any rate",
        "fcm       as the recipient says  0ms  any rate",
        "second    down                   0ms  50 calls a second",
    ]
    assert _mail(f"{sandbox.url}/second", http, "ada@example.com", "n1") == 503
    assert _mail(sandbox.url, http, "ada@example.com", "n1") == 202
    _switch("--url", sandbox.url, "--latency", "20ms", "--behaviour", "none", "--rate", "none")
    shown = _switch("--url", sandbox.url).output.splitlines()
    assert shown[-1] == "second    as the recipient says  20ms  any rate"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--vendor", "fcm", "--account", "second", "--rate", "1"), 2, "not both"),
        (("--account", "second"), 2, "name what to change"),
        (("--rate", "1.5"), 2, "neither a whole number up to 1000000 nor none"),
        (("--url", "http://127.0.0.1:1"), 1, "no sandbox answers at http://127.0.0.1:1; start"),
        (("--url", "nonsense"), 2, "--url begins with http://"),
    ],
)
def test_a_switch_from_the_command_line_says_what_is_wrong(
    arguments: tuple[str, ...], code: int, words: str
) -> None:
    """Exit 2 for what makes no sense, 1 where no sandbox is."""
    result = _switch(*arguments)
    told = result.output if code == 2 else str(result.exception)
    assert (result.exit_code, words in told) == (code, True), told


def test_what_the_sandbox_refuses_is_told(sandbox: Sandbox) -> None:
    """Its own words, since it knows its names."""
    result = _switch("--url", sandbox.url, "--account", "a b", "--rate", "1")
    assert "the sandbox refused it: account must be a name" in str(result.exception)


def test_the_command_says_in_one_line_why_it_cannot_start(sandbox: Sandbox, tmp_path: Path) -> None:
    """Exit 1 for a taken port or a file that cannot be written, 2 for a latency that is none."""
    port = sandbox.url.rpartition(":")[2]
    for arguments, code, words in (
        (("--port", port), 1, "cannot listen on 127.0.0.1"),
        (("--port", "0", "--ledger", "/nowhere/x.jsonl"), 1, "cannot write the ledger"),
        (("--port", "0", "--ready-file", "/nowhere/x"), 1, "cannot write /nowhere/x"),
        (("--latency", "soon"), 2, "not a duration"),
    ):
        done = _start(tmp_path, *arguments).done(20)
        assert done.code == code
        assert "Traceback" not in done.err
        assert words in done.err.splitlines()[-1]
