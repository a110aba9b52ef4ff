"""The booted machine with notify, and its environment: broker, database, vendors."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

from sqlalchemy import func, select

from notify.message import Channel
from notify.publisher import Outgoing
from notify.sandbox import Sandbox
from notify.stack.dummies import dummies
from notify.stack.rabbitmq import free_ports
from notify.store import Store
from notify.store.tables import attempts, dead_letters
from notify.topology import queue_name, routing_key
from notify.topology.plan import (
    API_USER,
    CONSOLE_USER,
    OPERATOR_USER,
    RECEIPTS_USER,
    WORKER_USER,
)
from tests.boot.machine import Machine, booted
from tests.boot.services import PASSWORD, Broker, Ports, broker, database
from tests.debian.image import unpacked
from tests.faults.ledgers import Recorded, read_record
from tests.faults.load import LANE, SOURCE, Load
from tests.faults.stage import ended, in_queues, open_sandbox, until

POOLS = ("email", "sms", "push", "receipts", "dead")
WEB_USERS = {"receipts": RECEIPTS_USER, "api": API_USER, "console": CONSOLE_USER}
"""Each web process, with its user of the broker."""
_DEFINITIONS = "/var/lib/rabbitmq/definitions.json"
RATE = 50
"""Notifications a second while the workers are restarted."""
CONFIG = """\
[metrics]
ports = {ports}
[templates]
folder = "/etc/notify/templates"
[receipts]
public_url = "https://example.com"
port = {web[receipts]}
[api]
port = {web[api]}
[console]
port = {web[console]}
[channels.email]
providers = ["sendgrid"]
[channels.sms]
providers = ["twilio"]
countries = ["*"]
[channels.push]
providers = ["fcm"]
[providers.sendgrid]
use = "providers.sendgrid:SendGrid"
options = {{ sender = "a@example.com", base_url = "{sandbox}" }}
secrets = {{ api_key = "SENDGRID_API_KEY" }}
[providers.twilio]
use = "providers.twilio:Twilio"
secrets = {{ account_sid = "TWILIO_ACCOUNT_SID", auth_token = "TWILIO_AUTH_TOKEN" }}
[providers.twilio.options]
sender = "+15005550006"
base_url = "{sandbox}"
status_callback = "https://example.com/receipts/twilio"
[providers.twilio.receipts]
use = "providers.twilio:TwilioReceipts"
secrets = {{ auth_tokens = "TWILIO_RECEIPTS_TOKEN" }}
[providers.fcm]
use = "providers.fcm:Fcm"
options = {{ base_url = "{sandbox}", project = "sandbox" }}
secrets = {{ service_account = "FCM_SERVICE_ACCOUNT" }}
"""


@dataclass(slots=True)
class Stage:
    """A boot test's whole environment."""

    machine: Machine
    broker: Broker
    store: Store
    store_url: str
    sandbox: Sandbox
    load: Load
    folder: Path
    ports: Mapping[str, int]
    """The metrics port of each pool, and of the console."""
    web: Mapping[str, int]
    """The port of each web process."""
    faulty: list[str] = field(default_factory=list)
    """A sentence for each broken promise."""

    def configure(self) -> None:
        """Write the configuration and the secrets, as an operator does."""
        secrets = {
            "NOTIFY_AMQP__URL": as_user(WORKER_USER, self.broker),
            "NOTIFY_STORE__URL": self.store_url,
            **dummies(self.sandbox.url),
        }
        lines = [f"{name}={value}\n" for name, value in secrets.items()]
        ports = ", ".join(f"{process} = {port}" for process, port in self.ports.items())
        config = CONFIG.format(sandbox=self.sandbox.url, ports=f"{{ {ports} }}", web=self.web)
        self.machine.put("/etc/notify/notify.toml", config)
        self.machine.put("/etc/notify/providers.env", "".join(lines), mode=0o600)

    def let_in(self, definitions: str) -> None:
        """Import the exported definitions, and set a password for each user."""
        self.machine.put(_DEFINITIONS, definitions)
        self.broker.ctl("import_definitions", _DEFINITIONS)
        for user in (WORKER_USER, OPERATOR_USER, SOURCE, *WEB_USERS.values()):
            self.broker.ctl("change_password", user, PASSWORD)

    def seconds_to_send(self, channel: Channel, *, within: float) -> float:
        """Publish one notification; return the seconds until the vendor has it, or infinity."""
        began = datetime.now(UTC)
        message = request(list(Channel).index(channel))
        self.load.publish([message])
        until(lambda: bool(self._arrived(message)), timeout=within, pause=0.05)
        arrived = self._arrived(message)
        return (arrived[0] - began).total_seconds() if arrived else float("inf")

    def _arrived(self, message: Outgoing) -> list[datetime]:
        found = self.sandbox.messages(notify_id=message.message_id)
        return [each.at for each in found]

    def calls(self) -> int:
        """Count the requests that the vendors have received."""
        return (self.folder / "sandbox.jsonl").read_bytes().count(b"\n")

    def at_rest(self, *, within: float) -> bool:
        """Wait until all notifications have ended and no message waits."""
        wanted = sum(not each.poison for each in self.load.journal.latest())
        return until(
            lambda: ended(self.store, expected=wanted) and self.waiting() == 0, timeout=within
        )

    def waiting(self) -> int:
        """Count the messages in the work queues, including unacknowledged ones."""
        return in_queues(self.broker.ctl, [queue_name(each, LANE) for each in Channel])

    def archived(self) -> int:
        """Count the dead letters in the archive."""
        with self.store.reading() as connection:
            return connection.scalar(select(func.count()).select_from(dead_letters)) or 0

    def timed_out(self) -> int:
        """Count the calls without an answer in time: this machine was too slow."""
        found = attempts.c.reason.contains("(TimeoutError)")
        with self.store.reading() as connection:
            return connection.scalar(select(func.count()).where(found)) or 0

    def recorded(self) -> Recorded:
        """Read the record, including the archive of the worker `dead`."""
        return read_record(self.store, dead=(), waiting=self.waiting())

    def active(self, *pools: str) -> bool:
        """Return whether the workers of these pools are up, and print it if not."""
        down = [pool for pool in pools if self.machine.show(unit(pool), "ActiveState") != "active"]
        self.faulty += [f"the worker of {pool} is not up" for pool in down]
        return not down


@contextmanager
def staged(folder: Path, release: str) -> Iterator[Stage]:
    """Boot a machine of a Debian release with its services and our vendors, without notify."""
    with ExitStack() as cleanup:
        root = unpacked(folder, release)
        listens = Ports.configured(root)
        machine = cleanup.enter_context(booted(root, log=folder / "console.log"))
        its_broker, url = broker(machine, listens), database(machine, listens)
        store = Store.open(url)
        cleanup.callback(store.close)
        sandbox = open_sandbox(folder)
        cleanup.callback(sandbox.stop)
        load = Load(as_user(SOURCE, its_broker), folder, rate=RATE, minimum=0, make=request)
        free = iter(free_ports(len(POOLS) + 1 + len(WEB_USERS)))
        ports = {process: next(free) for process in (*POOLS, "console")}
        web = {process: next(free) for process in WEB_USERS}
        yield Stage(machine, its_broker, store, url, sandbox, load, folder, ports, web)


def as_user(name: str, broker: Broker) -> str:
    """Return the broker's address for one of its users."""
    return broker.url.replace("guest:guest@", f"{name}:{PASSWORD}@")


def unit(pool: str) -> str:
    """Return the unit of a pool's worker."""
    return f"notify-worker@{pool}.service"


def request(number: int) -> Outgoing:
    """Return one request: an email, an SMS, a push message in turn."""
    channel = list(Channel)[number % len(Channel)]
    words = {"text": f"Your code is {number}."}
    if channel is Channel.EMAIL:
        words |= {"to": f"r{number}@example.com", "subject": "Hello"}
    elif channel is Channel.SMS:
        words |= {"to": f"+49151{10_000_000 + number}"}
    else:
        words = {"to": f"token-{number}", "title": "Hello", "body": f"Your code is {number}."}
    return outgoing(channel, **words)


def outgoing(channel: Channel, **words: object) -> Outgoing:
    """Return a request with these fields and a new id."""
    id_ = str(uuid4())
    body = json.dumps({"id": id_, **words}).encode()
    return Outgoing(body=body, routing_key=routing_key(channel, LANE, SOURCE), message_id=id_)
