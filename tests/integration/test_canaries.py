"""Personal data and secrets, planted where they belong, are found nowhere else."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.request import urlopen
from uuid import uuid4

import pytest
from sqlalchemy import select

from notify.message import Status
from notify.stack.rabbitmq import RabbitMQNode, free_ports
from notify.store import Filter
from notify.store.deadletters.search import DeadLetter, LetterFilter, find_letters
from notify.store.tables import metadata
from notify.topology import DEAD, EVENTS
from tests.support.echoing import echo
from tests.support.malformed import JSON
from tests.support.patience import PATIENCE, connect
from tests.support.rig import Rig, surroundings, until
from tests.support.services import PostgreSQL, Users

MARK = "zqcanary"
"""It stands in every recipient's address, content, value, key and password."""
NUMBER = "+49151555014"
"""The marked phone numbers begin with it; the last three digits are the vendor's answer."""
POOLS = ("email", "sms", "push", "dead")
CONFIG = """
[amqp]
url = "{broker}"
[store]
url = "{store}"
[metrics.ports]
{ports}
[log]
level = "debug"
[lanes.normal]
first_wait = 0.2
longest_wait = 0.2
[lanes.critical]
attempts = 1
[pools]
email = {{ channel = "email" }}
sms = {{ channel = "sms" }}
push = {{ channel = "push" }}
[channels]
email = {{ providers = ["sendgrid"] }}
sms = {{ providers = ["twilio"], countries = ["DE"] }}
push = {{ providers = ["leaky"] }}
[providers.sendgrid]
use = "providers.sendgrid:SendGrid"
options = {{ sender = "a@example.com", base_url = "{sandbox}", timeout = 5 }}
secrets = {{ api_key = "MARKED_KEY" }}
breaker = {{ minimum_calls = 1000 }}
[providers.twilio]
use = "providers.twilio:Twilio"
options = {{ sender = "+15005550006", base_url = "{echo}", timeout = 25 }}
secrets = {{ account_sid = "MARKED_SID", auth_token = "MARKED_KEY" }}
breaker = {{ minimum_calls = 1000 }}
[providers.leaky]
use = "tests.support.echoing:Leaky"
secrets = {{ api_key = "MARKED_KEY" }}
breaker = {{ minimum_calls = 1000 }}
"""
SENT = ["deliver", "flaky", "lost"]
FAILING = ["down", "error", "invalid", "broken", "garbled", "reset", "throttled", "hang"]
ANSWERS = [400, 404, 410, 429, 500, 503, 200, 302, 401]
WRONG: Sequence[tuple[str, dict[str, Any]]] = [
    ("email.normal.shop", {"to": f"{MARK} <a@b.example>"}),
    ("email.normal.shop", {"to": [f"{MARK}@example.com", f"{MARK}@example.com"]}),
    ("email.normal.shop", {f"{MARK}@example.com": 1}),
    ("email.normal.shop", {"send_at": MARK, "expires_at": MARK, "v": MARK, "locale": f"{MARK}!"}),
    ("email.normal.shop", {"metadata": {f"{MARK}@x": MARK * 100}, "template": f"../{MARK}"}),
    ("email.normal.shop", {"idempotency_key": f"{MARK}\n"}),
    ("email.normal.shop", {"cc": f"{MARK}@b.example", "sender": f"{MARK}!", "reply_to": MARK}),
    ("email.normal.shop", {"headers": {f"{MARK}": MARK, f"X-{MARK}": f"{MARK}\r\n"}}),
    ("email.normal.shop", {"attachments": [{"name": f"{MARK}/", "type": MARK, "content": MARK}]}),
    ("sms.normal.shop", {"to": f"+49{MARK}", "subject": None}),
    ("push.normal.shop", {"to": f"to ken {MARK}", "subject": None}),
]
TEMPLATES: Sequence[dict[str, Any]] = [
    {"name": MARK},
    {"name": [MARK], "product": MARK, "start_url": f"javascript:{MARK}"},
    {"name": MARK, "product": MARK, "start_url": f"http://{MARK}"},
    {"name": f"{MARK}\r\nBcc: {MARK}", "product": f"{MARK}\r\n", "start_url": "https://a.example"},
]


@pytest.fixture
def ports() -> Mapping[str, int]:
    """Where each worker tells its metrics."""
    return dict(zip(POOLS, free_ports(len(POOLS)), strict=True))


@pytest.fixture
def rig(
    tmp_path: Path,
    broker_url: str,
    ports: Mapping[str, int],
    postgresql: PostgreSQL,
    rabbitmq: RabbitMQNode,
    users: Users,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Rig]:
    """Surroundings whose every secret is marked."""
    user, _ = users.add(broker_url, write=r"^notify\.(work|dead|events)$", read=r"^notify\.")
    rabbitmq.ctl("change_password", user, f"word-{MARK}")
    broker = broker_url.replace("guest:guest@", f"{user}:word-{MARK}@")
    monkeypatch.setenv("MARKED_KEY", f"SG.{MARK}")
    monkeypatch.setenv("MARKED_SID", f"AC{MARK}")
    with postgresql.record() as plain, echo() as vendor:
        store = plain.replace("notify@", f"notify:word-{MARK}@")
        with surroundings(tmp_path, broker_url=broker_url, store_url=store) as rig:
            text = CONFIG.format(
                broker=broker,
                store=store,
                sandbox=rig.sandbox.url,
                echo=vendor,
                ports="\n".join(f"{pool} = {port}" for pool, port in ports.items()),
            )
            rig.config.write_text(text)
            yield rig


def test_no_canary_leaves_its_cage(
    rig: Rig, ports: Mapping[str, int], postgresql: PostgreSQL
) -> None:
    """Success and every failure, at log level debug: logs, metrics, letters, events, columns."""
    seen: dict[str, str] = {}
    with connect(rig.broker_url) as connection:
        channel = connection.channel()
        events = channel.queue_declare("", exclusive=True).queue
        channel.queue_bind(events, EVENTS, "#")
        with _workers(rig, "email", "sms", "push"):
            number = _publish_all(rig)
            # As many as were refused by the contract lie there, and the other failures.
            until(lambda: rig.waiting(DEAD) > len(WRONG) + len(TEMPLATES) + 2)
            # Those that are throttled or refused for the key's sake are tried again, later.
            until(lambda: _ended(rig) >= number - 4)
            seen["dead letters' headers"] = _headers(rig)
            with _workers(rig, "dead"):
                until(lambda: len(_letters(rig)) > len(WRONG) + len(TEMPLATES) + 2)
                _operate(rig, seen)
                seen |= {f"metrics of {pool}": _scraped(port) for pool, port in ports.items()}
                _away(rig, postgresql, seen)
        while (message := channel.basic_get(events, no_ack=True)) is not None:
            seen["events"] = f"{seen.get('events', '')}{message.body!r}{message.properties}\n"
    seen |= {name: rig.log(name) for name in POOLS}
    seen |= _columns(rig)
    _mistakes(rig, seen)
    assert seen["events"]
    assert "notify.provider_fault" in seen["push"]
    assert "notify.store_away" in seen["email"]
    found = {
        where: [line for line in text.splitlines() if MARK in line or NUMBER[1:] in line]
        for where, text in seen.items()
    }
    assert {where: lines for where, lines in found.items() if lines} == {}


@contextmanager
def _workers(rig: Rig, *pools: str) -> Iterator[None]:
    with ExitStack() as stack:
        for pool in pools:
            stack.enter_context(rig.worker(pool, pool=pool))
        yield


def _publish_all(rig: Rig) -> int:
    """Ask for everything once; give how many notifications come of it."""
    # As base64, the mark is six bytes.
    file = {"name": f"{MARK}.pdf", "type": "application/pdf", "content": MARK * 10}
    email = {
        "subject": f"{MARK} subject",
        "text": f"{MARK} text",
        "html": f"<p>{MARK}</p>",
        "reply_to": f"{MARK}@example.com",
        "headers": {f"X-{MARK}": MARK},
        "attachments": [file],
    }
    for to in SENT:
        _ask(rig, "email.normal.shop", to=f"{to}+{MARK}@sandbox.test", **email)
    _ask(rig, "email.normal.shop", to=[f"a{MARK}@sandbox.test", f"b{MARK}@sandbox.test"], **email)
    for to in FAILING:
        _ask(rig, "email.critical.shop", to=f"{to}+{MARK}@sandbox.test", **email)
    for answer in ANSWERS:
        _ask(rig, "sms.critical.shop", to=f"{NUMBER}{answer}", text=MARK)
    _ask(rig, "push.critical.shop", to=f"token-{MARK}", title=MARK, body=MARK)
    for data in TEMPLATES:
        to = f"{MARK}@sandbox.test"
        _ask(rig, "email.normal.shop", to=to, template="welcome", data=data)
    for key, fields in WRONG:
        _ask(rig, key, **{"to": f"{MARK}@sandbox.test", "subject": MARK, "text": MARK, **fields})
    rig.publish(f'{{"to": "{MARK}'.encode())
    rig.publish(MARK.encode(), "email.normal.shop", {"content_type": "text/plain"})
    _ask(rig, "fax.normal.shop", to=f"{MARK}@sandbox.test", text=MARK)
    return len(SENT) + 2 + len(FAILING) + len(ANSWERS) - 1 + len(TEMPLATES)


def _ask(rig: Rig, key: str, **fields: Any) -> None:
    request = {"id": str(uuid4()), **fields}
    body = {name: value for name, value in request.items() if value is not None}
    rig.publish(json.dumps(body).encode(), key, JSON)


def _scraped(port: int) -> str:
    with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=PATIENCE) as answer:
        text: str = answer.read().decode()
    assert "notify_" in text
    return text


def _ended(rig: Rig) -> int:
    counts = rig.store.count(Filter())
    open_ = (Status.QUEUED, Status.SENDING, Status.SCHEDULED)
    return sum(number for status, number in counts.items() if status not in open_)


def _headers(rig: Rig) -> str:
    """Read all that stands around the bodies of the dead letters, which stay where they are."""
    told = []
    with connect(rig.broker_url) as connection, connection.channel() as channel:
        while (message := channel.basic_get(DEAD)) is not None:
            told.append(f"{message.delivery_info} {message.properties}")
    assert told
    return "\n".join(told)


def _letters(rig: Rig) -> list[DeadLetter]:
    with rig.store.reading() as connection:
        return find_letters(connection, LetterFilter(), limit=100)


def _operate(rig: Rig, seen: dict[str, str]) -> None:
    """Have an operator look, plan, replay and resolve."""
    letters = _letters(rig)
    why = ["--reason", "a test", "--yes"]
    for words in (
        ["dead", "ls"],
        ["dead", "plan"],
        ["dead", "replay", "--cause", "failed", *why],
        ["dead", "replay", str(letters[0].id), "--key", "email.bulk.shop", *why],
        ["dead", "discard", str(letters[-1].id), *why],
        ["ledger"],
        ["breaker", "ls"],
        ["events", "--since", "1h"],
    ):
        done = rig.notify(*words)
        seen["notify " + " ".join(words)] = done.out + done.err


def _away(rig: Rig, postgresql: PostgreSQL, seen: dict[str, str]) -> None:
    """Make the record unreachable for workers and commands."""
    postgresql.pause()
    try:
        _ask(rig, "email.normal.shop", to=f"{MARK}@sandbox.test", subject=MARK, text=MARK)
        until(lambda: "notify.store_away" in rig.log())
        for words in (["ls"], ["migrate"], ["dead", "ls"], ["ledger"], ["cancel", str(uuid4())]):
            done = rig.notify(*words)
            assert done.code
            seen["no record: notify " + " ".join(words)] = done.out + done.err
    finally:
        postgresql.resume()
        rig.store.close()


def _columns(rig: Rig) -> dict[str, str]:
    """Read every column that is to tell why, and what operators did."""
    told = {}
    names = {"reason", "code", "provider_id", "details", "actor"}
    with rig.store.reading() as connection:
        for table in metadata.sorted_tables:
            columns = [column for column in table.columns if column.name in names]
            if columns:
                rows = connection.execute(select(*columns)).all()
                told[f"table {table.name}"] = "\n".join(map(str, rows))
    return told


def _mistakes(rig: Rig, seen: dict[str, str]) -> None:
    """Start commands with mistakes in their configuration, their files and their arguments."""
    gone = f"pyamqp://u:{MARK}@127.0.0.1:1/v"
    file = rig.folder / "wrong.json"
    file.write_text(json.dumps({"to": f"{MARK} <x>", "text": MARK, f"{MARK}@x": MARK}))
    send = ["send", "email.normal.shop", "--to", f"{MARK}@sandbox.test", "--subject", MARK]
    for words, environ in (
        (["config", "check"], {"NOTIFY_AMQP__URL": f"amqp://u:{MARK}@h"}),
        (["config", "check"], {"NOTIFY_AMQP__URL": f"pyamqp://u:{MARK}@h:port/v"}),
        (["config", "check"], {"NOTIFY_STORE__URL": f"mysql://u:{MARK}@h"}),
        (["config", "check"], {"NOTIFY_CONTRACT__MAX_RECIPIENTS": MARK}),
        (["config", "check"], {"NOTIFY_AMQP__CA_FILE": f"/{MARK}"}),
        (["config", "check"], {}),
        (["config", "show"], {}),
        (["doctor"], {}),
        (["doctor"], {"NOTIFY_AMQP__URL": gone}),
        (["topology", "diff"], {"NOTIFY_AMQP__URL": gone}),
        (
            ["worker", "email"],
            {"NOTIFY_STORE__URL": f"postgresql+psycopg://u:{MARK}@127.0.0.1:1/d"},
        ),
        ([*send, "--text", MARK], {"NOTIFY_AMQP__URL": gone}),
        ([*send, "--text", MARK, "--expires-at", MARK], {}),
        (["lint", str(file)], {}),
    ):
        done = rig.notify(*words, **environ)
        name = f"{' '.join(words)} {sorted(environ)}".replace(MARK, "*")
        seen[f"notify {name} {len(seen)}"] = done.out + done.err
