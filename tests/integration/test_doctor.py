"""`notify doctor` on a healthy stack, and on one fault after the other planted in it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import amqp
import psycopg
import pytest
from click.testing import CliRunner, Result
from sqlalchemy import text

from notify.cli.doctor import doctor
from notify.doctor import Finding, Severity, broker, examine, record
from notify.flow.overrides import set_breaker_mode
from notify.message import Channel
from notify.policies.breaker import Mode
from notify.policies.holds import Scope
from notify.publisher import connect
from notify.service.broker import topology_of
from notify.settings import load
from notify.stack.rabbitmq import RabbitMQNode
from notify.store.audit import Actor
from notify.store.flow import holds
from notify.topology import DEAD, FEEDBACK, RECEIPTS, Topology, apply, worker_rights
from tests.support.clocks import Clock
from tests.support.migrated import migrated
from tests.support.patience import PATIENCE
from tests.support.pooler import pgbouncer
from tests.support.rig import Rig, surroundings
from tests.support.services import Users, Vhosts, memory_alarm

ANN = Actor("ann@ops", "INC-7")


@dataclass(frozen=True)
class Stack:
    """A whole installation, and how to look at it."""

    rig: Rig
    admin_url: str
    node: RabbitMQNode

    def look(self, **options: Any) -> list[Finding]:
        """Ask the doctor."""
        environ = self._environ() | options.pop("environ", {})
        return list(examine(environ=environ, **options))

    def command(self, *arguments: str) -> Result:
        """Run the command in this process, whose patience with the broker is longer."""
        return CliRunner().invoke(doctor, arguments, env=self._environ())

    def _environ(self) -> dict[str, str]:
        return {"NOTIFY_CONFIG": str(self.rig.config), "KEY": "SG.test"}

    @contextmanager
    def configured(self, *changes: tuple[str, str], more: str = "") -> Iterator[None]:
        """Change the configuration for a while."""
        before = self.rig.config.read_text()
        after = before
        for old, new in changes:
            assert old in after
            after = after.replace(old, new)
        self.rig.config.write_text(after + more)
        try:
            yield
        finally:
            self.rig.config.write_text(before)

    @contextmanager
    def consumed(self, *but: str) -> Iterator[None]:
        """Consume each queue, as workers would, except these."""
        with connect(self.admin_url) as connection:
            channel = connection.channel()
            channel.basic_qos(0, 1, False)
            for name in (
                *(DEAD, RECEIPTS, FEEDBACK),
                *(f"notify.email.{lane}" for lane in ("critical", "normal", "bulk")),
            ):
                if name not in but:
                    channel.basic_consume(name, callback=lambda _: None)
            yield

    @contextmanager
    def on_broker(self) -> Iterator[amqp.Channel]:
        """Do something as a user with all rights."""
        with connect(self.admin_url) as connection, connection.channel() as channel:
            yield channel


@pytest.fixture(scope="module")
def stack(
    rabbitmq: RabbitMQNode,
    vhosts: Vhosts,
    topology: Topology,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Stack]:
    """An installation with a login of the least rights, on SQLite."""
    folder = tmp_path_factory.mktemp("doctor")
    admin = vhosts.fresh_url()
    with connect(admin) as connection:
        apply(topology, connection)
    _, url = Users(rabbitmq).add(admin, **worker_rights())
    with (
        surroundings(folder, broker_url=url, store_url=f"sqlite:///{folder}/notify.db") as rig,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setattr(broker, "PATIENCE", PATIENCE)
        rig.config.chmod(0o600)
        template = folder / "templates" / "hello" / "en" / "email.text.j2"
        template.parent.mkdir(parents=True)
        template.write_text("Hello")
        template.with_name("email.subject.j2").write_text("Hello")
        config = rig.config.read_text().replace("timeout = 25", "timeout = 10")
        config += "[pools]\nsms = false\npush = false\n"
        # All of our own templates would be compiled for each fault.
        rig.config.write_text(f'{config}[templates]\nfolder = "{folder}/templates"\n')
        yield Stack(rig, admin, rabbitmq)


OLD_BROKER = "is past its end of life"
"""What Debian 12's RabbitMQ is warned of, beside whatever a test is about."""


def told(findings: list[Finding], verdict: Severity) -> list[str]:
    """The findings of one verdict, each in a line; the broker's age is not the stack's fault."""
    found = [each for each in findings if each.verdict is verdict]
    return [f"{each.check}: {each.found}" for each in found if OLD_BROKER not in each.found]


def test_a_healthy_stack_is_all_good(stack: Stack, store_url: str) -> None:
    """With real workers, on either database; what AMQP cannot read is not a fault."""
    url = f"sqlite:///{stack.rig.folder}/notify.db"
    store = migrated(store_url)
    store.close()
    with (
        stack.configured((url, store_url)),
        stack.rig.worker(),
        stack.rig.worker("dead", pool="dead"),
        stack.rig.worker("receipts", pool="receipts"),
    ):
        done = stack.command()
        found = json.loads(stack.command("--json").stdout)
    old = sum(OLD_BROKER in each["found"] for each in found["findings"])
    assert (done.exit_code, done.stderr) == (3 if old else 0, ""), done.output
    assert found["verdict"] == ("warn" if old else "ok")
    assert found["counts"] == {
        "ok": len(found["findings"]) - 4 - old,
        "unchecked": 4,
        "warn": old,
        "fail": 0,
    }
    assert {each["check"] for each in found["findings"] if each["verdict"] == "unchecked"} == {
        "deliverability",
        "topology",
        "policies",
        "consumer timeout",
    }


Plant = Callable[[Stack], AbstractContextManager[Any]]
Fault = tuple[Plant, Severity, str]
"""How to cause it, its severity, and the finding: the check, and some words."""
BESIDES = {"a queue of other arguments": {"rights"}}
"""Checks that also find something: a login that can read arguments has too many rights."""


@contextmanager
def _exposed(stack: Stack) -> Iterator[None]:
    stack.rig.config.chmod(0o644)
    yield
    stack.rig.config.chmod(0o600)


@contextmanager
def _file(stack: Stack, name: str, text: str) -> Iterator[None]:
    file = stack.rig.folder / name
    file.parent.mkdir(exist_ok=True, parents=True)
    file.write_text(text)
    yield
    file.unlink()


@contextmanager
def _broken_template(stack: Stack) -> Iterator[None]:
    with _file(stack, "templates/hello/en/sms.text.j2", "{{ oh"):
        yield


@contextmanager
def _without_queue(stack: Stack) -> Iterator[None]:
    arguments = dict(_arguments(stack, "notify.push.bulk"))
    with stack.on_broker() as channel:
        channel.queue_delete("notify.push.bulk")
        yield
        channel.queue_declare(
            "notify.push.bulk", durable=True, auto_delete=False, arguments=arguments
        )


def _arguments(stack: Stack, queue: str) -> Any:
    topology = topology_of(load(stack.rig.config, environ={}))
    return next(each.arguments for each in topology.queues if each.name == queue)


@contextmanager
def _backlog(stack: Stack, queue: str, count: int) -> Iterator[None]:
    with stack.on_broker() as channel:
        channel.confirm_select()
        for _ in range(count):
            channel.basic_publish_confirm(amqp.Message(b"{}"), "", queue)
        yield
        channel.queue_purge(queue)


@contextmanager
def _nearly_full(stack: Stack) -> Iterator[None]:
    more = "[lanes.bulk]\nmax_length = 4\n"
    with _backlog(stack, "notify.push.bulk", 4), stack.configured(more=more):
        yield


@contextmanager
def _circuit(stack: Stack, mode: Mode) -> Iterator[None]:
    set_breaker_mode(stack.rig.store, ["sendgrid"], mode, ANN, seconds=None)
    yield
    _forget_circuits(stack)


def _forget_circuits(stack: Stack) -> None:
    with stack.rig.store.writing() as connection:
        connection.execute(text("DELETE FROM circuits"))


@contextmanager
def _stuck_circuit(stack: Stack) -> Iterator[None]:
    with stack.rig.store.writing() as connection:
        connection.execute(
            text(
                "INSERT INTO circuits (provider, state, generation, trips, since, passed,"
                " inconclusive, mode, cause)"
                " VALUES ('sendgrid', 'open', 1, 1, 1, 0, 0, 'auto', 'the key was refused')"
            )
        )
    yield
    _forget_circuits(stack)


@contextmanager
def _hold(stack: Stack, seconds: float | None = None) -> Iterator[None]:
    scope = Scope(channel=Channel.EMAIL)
    with stack.rig.store.writing() as connection:
        hold = holds.place(connection, scope, actor="ann", reason="INC-12", seconds=seconds)
    yield
    with stack.rig.store.writing() as connection:
        holds.lift(connection, [hold.id])


@contextmanager
def _held_and_not_consumed(stack: Stack) -> Iterator[None]:
    with _hold(stack, 3600), _absent(stack, "notify.email.bulk"):
        yield


@contextmanager
def _old_tables(stack: Stack) -> Iterator[None]:
    with stack.rig.store.writing() as connection:
        before: str = connection.execute(
            text("SELECT version_num FROM alembic_version")
        ).scalar_one()
        connection.execute(text("UPDATE alembic_version SET version_num = '0001'"))
    yield
    with stack.rig.store.writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :to"), {"to": before})


@contextmanager
def _absent(stack: Stack, *queues: str) -> Iterator[None]:
    """These queues have no consumer; in the other tests each queue has one."""
    stack.rig.folder.joinpath("absent").write_text(" ".join(queues))
    yield
    stack.rig.folder.joinpath("absent").unlink()


def _alarm(stack: Stack) -> AbstractContextManager[None]:
    return memory_alarm(stack.node)


@contextmanager
def _vendor(stack: Stack, behaviour: str | None) -> Iterator[None]:
    stack.rig.sandbox.switch.set(None, behaviour=behaviour)
    yield
    stack.rig.sandbox.switch.set(None, behaviour=None)


def _as(url: Callable[[Stack], str]) -> Plant:
    return lambda stack: stack.configured((stack.rig.broker_url, url(stack)))


def _record_at(url: str) -> Plant:
    own = "sqlite:///{}/notify.db"
    return lambda stack: stack.configured((own.format(stack.rig.folder), url))


FAULTS: dict[str, Fault] = {
    "an unknown option": (
        lambda stack: stack.configured(more="[log]\nlevle = 'info'\n"),
        Severity.FAIL,
        "configuration: log.levle: unknown option",
    ),
    "the other driver": (
        _as(lambda stack: stack.rig.broker_url.replace("pyamqp", "amqp")),
        Severity.FAIL,
        "configuration: amqp.url: amqp:// is refused",
    ),
    "a password in a file for all": (_exposed, Severity.FAIL, "credentials: amqp.url: a password"),
    "an environment file for all": (
        lambda stack: _file(stack, "notify.env", "KEY=x"),
        Severity.FAIL,
        "credentials: notify.env: every user can read",
    ),
    "a broken template": (
        _broken_template,
        Severity.FAIL,
        "templates: hello/en/sms.text.j2",
    ),
    "no database": (
        _record_at("postgresql+psycopg://notify@127.0.0.1:1/notify"),
        Severity.FAIL,
        "record: the record cannot be used: OperationalError",
    ),
    "no record": (_record_at("sqlite:////nowhere/n.db"), Severity.FAIL, "record: there is no file"),
    "tables of another version": (
        _old_tables,
        Severity.FAIL,
        "migrations: the tables are at revision 0001",
    ),
    "no broker": (
        _as(lambda _: "pyamqp://guest:guest@127.0.0.1:1//"),
        Severity.FAIL,
        "broker: cannot be reached: connection refused",
    ),
    "a wrong password": (
        _as(lambda stack: stack.rig.broker_url.replace(":word@", ":wrong@")),
        Severity.FAIL,
        "broker: the broker refused the connection",
    ),
    "an alarm": (_alarm, Severity.FAIL, "alarm: the broker accepts no messages: it is short"),
    "a queue too few": (_without_queue, Severity.FAIL, "topology: queue notify.push.bulk: missing"),
    "a queue of other arguments": (
        lambda stack: stack.configured(
            (stack.rig.broker_url, stack.admin_url), more="[lanes.bulk]\ndelivery_limit = 3\n"
        ),
        Severity.FAIL,
        "topology: queue notify.push.bulk: x-delivery-limit should be '3', is '20'",
    ),
    "a login that may too much": (
        _as(lambda stack: stack.admin_url),
        Severity.WARN,
        "rights: guest may declare and delete queues",
    ),
    "nobody at the dead letters": (
        lambda stack: _absent(stack, DEAD),
        Severity.FAIL,
        f"dead queue: {DEAD} has no consumer: 0 dead letters wait",
    ),
    "no worker of the receipts": (
        lambda stack: _absent(stack, RECEIPTS),
        Severity.WARN,
        f"receipts: {RECEIPTS} or {FEEDBACK} has no consumer: 0 messages wait to be applied",
    ),
    "no worker of a pool": (
        lambda stack: _absent(stack, "notify.email.critical", "notify.email.bulk"),
        Severity.FAIL,
        "pools: email: no consumer for notify.email.critical, notify.email.bulk",
    ),
    "a pool that is held": (
        _held_and_not_consumed,
        Severity.WARN,
        "pools: email: notify.email.bulk not consumed: hold",
    ),
    "a backlog of nobody's": (
        lambda stack: _backlog(stack, "notify.sms.normal", 2),
        Severity.FAIL,
        "queues: 2 messages wait in notify.sms.normal, which no configured pool serves",
    ),
    "a queue nearly full": (_nearly_full, Severity.WARN, "queues: notify.push.bulk is 100% full"),
    "a circuit forced open": (
        lambda stack: _circuit(stack, Mode.OPEN),
        Severity.WARN,
        "circuits: sendgrid is forced open without end, by ann@ops: INC-7",
    ),
    "a circuit that waits for a word": (
        _stuck_circuit,
        Severity.FAIL,
        "circuits: sendgrid stays open until an operator resets it: the key was refused",
    ),
    "a hold without end": (_hold, Severity.WARN, "holds: hold"),
    "a key that is refused": (
        lambda stack: _vendor(stack, "denied"),
        Severity.FAIL,
        "providers: sendgrid: sendgrid refused the key",
    ),
    "a vendor that is down": (
        lambda stack: _vendor(stack, "down"),
        Severity.WARN,
        "providers: sendgrid: sendgrid did not accept the message now (HTTP 503)",
    ),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_planted_fault_is_named_with_its_fix(stack: Stack, name: str) -> None:
    """Nothing else is: an operator at night reads the one line that matters."""
    plant, verdict, words = FAULTS[name]
    with plant(stack):
        absent = stack.rig.folder / "absent"
        but = absent.read_text().split() if absent.exists() else []
        with stack.consumed(*but):
            found = stack.look()
    lines = told(found, verdict)
    assert any(line.startswith(words) for line in lines), told(found, Severity.FAIL) + lines
    bad = [
        each
        for each in found
        if each.verdict in (Severity.WARN, Severity.FAIL) and OLD_BROKER not in each.found
    ]
    assert {each.check for each in bad} == {words.partition(":")[0]} | BESIDES.get(name, set())
    assert all(each.fix for each in bad)


def test_what_amqp_cannot_read_is_read_from_definitions(stack: Stack, tmp_path: Path) -> None:
    """A policy that deletes queues, a limit below ours, a lost binding."""
    vhost = stack.admin_url.rpartition("/")[2]
    policy = {"expires": 60_000, "delivery-limit": 3, "overflow": "drop-head"}
    words = ("-p", vhost, "careless", r"^notify\.", json.dumps(policy), "--apply-to", "queues")
    stack.node.ctl("set_policy", *words)
    file = tmp_path / "definitions.json"
    with stack.on_broker() as channel:
        channel.exchange_unbind("notify.work", "notify", "#")
        stack.node.ctl("export_definitions", str(file))
        channel.exchange_bind("notify.work", "notify", "#")
    stack.node.ctl("clear_policy", "-p", vhost, "careless")
    with stack.consumed():
        found = stack.look(definitions=json.loads(file.read_text()))
    failed = told(found, Severity.FAIL)
    assert "topology: binding notify → exchange notify.work by '#': missing" in failed
    for said in (
        "expires = 60000 deletes queues without a consumer: notify.dead, ",
        "delivery-limit = 3 loses dead letters: notify.dead",
    ):
        assert any(line.startswith(f"policies: policy careless, {said}") for line in failed)
    (low,) = told(found, Severity.WARN)
    assert "delivery-limit = 3 is in force instead of ours: notify.receipts," in low
    assert not any("overflow" in each.found for each in found)
    assert len(told(found, Severity.UNCHECKED)) == 2


def test_missing_rights_of_a_login_are_reported(
    stack: Stack, vhosts: Vhosts, topology: Topology, users: Users
) -> None:
    """The fix is the command that sets a worker's rights."""
    admin = vhosts.fresh_url()
    with connect(admin) as connection:
        apply(topology, connection)
    name, url = users.add(admin, read=r"^notify\.email\.", write=r"^notify\.work$")
    with stack.configured((stack.rig.broker_url, url)):
        found = stack.look()
    lacks = [each for each in found if each.check == "rights"]
    others = [each.name for each in topology.queues if "email" not in each.name]
    assert [each.found for each in lacks] == [
        f"{name} may not consume {', '.join(others)}",
        f"{name} may not publish to notify.dead, notify.events, notify.receipts",
    ]
    assert all(each.fix and "set_permissions -p test-" in each.fix for each in lacks)


@pytest.mark.parametrize(
    ("seconds", "verdict", "words"),
    [
        (0.5, Severity.OK, "less than 1 s between the database's and this host's"),
        (3.0, Severity.WARN, "the database's clock is 3.0 s behind this host's"),
        (-3.0, Severity.WARN, "the database's clock is 3.0 s ahead of this host's"),
        (3600.0, Severity.FAIL, "the database's clock is 1:00:00 behind this host's"),
        (-10.0, Severity.FAIL, "the database's clock is 10.0 s ahead of this host's"),
    ],
)
def test_a_clock_that_is_off_is_reported(
    store_url: str, seconds: float, verdict: Severity, words: str
) -> None:
    """In both directions: either way expiry, limits and leases are judged wrongly."""
    store = migrated(store_url)
    clock = Clock()
    clock.keep(store)
    (found,) = record.clock(store, now=lambda: clock() + seconds)
    store.close()
    assert (found.verdict, found.found) == (verdict, words)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_database_that_forgets_in_a_crash_is_reported(store_url: str) -> None:
    """A message acknowledged after a lost commit would be sent again, or be lost."""
    name = store_url.rpartition("/")[2]
    with psycopg.connect(store_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off".encode())
    with closing(migrated(store_url)) as store:
        (found,) = record.database(store)
    assert (found.check, found.verdict) == ("database", Severity.FAIL)
    assert found.found.startswith("synchronous_commit is off")


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_the_room_for_more_workers_is_reported(store_url: str) -> None:
    """By the pool that needs the most connections."""
    with closing(migrated(store_url)) as store:
        (found,) = record.connections(store, load(environ={}))
    assert (found.check, found.verdict) == ("connections", Severity.OK)
    assert "a worker keeps 2 open and needs up to 18 under load" in found.found


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_database_without_room_for_a_worker_is_reported(
    store_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its workers would fail to connect while they are needed most."""
    monkeypatch.setattr(record, "database_connections", lambda *_: 1_000_000)
    with closing(migrated(store_url)) as store:
        (found,) = record.connections(store, load(environ={}))
    assert (found.verdict, found.fix is not None) == (Severity.WARN, True)


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_statements_without_a_timeout_are_reported(store_url: str) -> None:
    """A session sets its own bound, but not through a pooler."""
    with pgbouncer(store_url) as url, closing(migrated(url)) as store:
        (found,) = record.database(store)
    assert (found.check, found.verdict) == ("database", Severity.WARN)
    assert "ALTER ROLE ... SET statement_timeout" in (found.fix or "")


@pytest.mark.parametrize("store_url", ["postgresql"], indirect=True)
def test_a_read_only_database_is_reported(store_url: str, stack: Stack) -> None:
    """A standby answers every question; nothing could be sent."""
    store = migrated(store_url)
    store.close()
    name = store_url.rpartition("/")[2]
    with psycopg.connect(store_url.replace("+psycopg", ""), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on".encode())
    with _record_at(store_url)(stack), stack.consumed():
        failed = told(stack.look(ask_providers=False), Severity.FAIL)
    (line,) = failed
    assert line.startswith("record: it can be read but not written")
