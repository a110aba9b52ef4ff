"""The real services that integration tests run against, private to one test session."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import psutil
import psycopg
import pytest

from notify.stack.rabbitmq import RabbitMQNode, free_ports
from tests.support.erlang import evaluate
from tests.support.migrated import migrated
from tests.support.patience import PATIENCE

_POSTGRES_USER = "postgres"
_TABLES = "migrated"
_LOADED = "SELECT pg_conf_load_time()"
_VHOSTS_AT_ONCE = 40
_MAKE_VHOSTS = """
[begin
    Name = list_to_binary("test-" ++ integer_to_list(N)),
    ok = rabbit_vhost:add(Name, <<"test">>),
    ok = rabbit_auth_backend_internal:set_permissions(
        <<"guest">>, Name, <<".*">>, <<".*">>, <<".*">>, <<"test">>)
end || N <- lists:seq({first}, {last})].
"""

_CUT = """
begin
    Await = fun Await(Pid) ->
        case catch rabbit_networking:connection_info(Pid, [state]) of
            [{{state, State}}] when State =/= closing, State =/= closed ->
                timer:sleep(5), Await(Pid);
            _ -> ok
        end
    end,
    All = fun() -> rabbit_networking:connection_info_all([pid, vhost]) end,
    Accepted = fun() -> length([Pid || Listener <- maps:keys(ranch:info()),
        Pid <- ranch:procs(Listener, connections)]) end,
    Opened = fun Opened(Times) ->
        case Accepted() > length([Pid || [{{pid, Pid}}, {{vhost, V}}] <- All(), V =/= none]) of
            true when Times > 0 -> timer:sleep(5), Opened(Times - 1);
            _ -> ok
        end
    end,
    Opened(400),
    Pids = [Pid || [{{pid, Pid}}, {{vhost, <<"{vhost}">>}}] <- All()],
    [rabbit_networking:close_connection(Pid, "cut") || Pid <- Pids],
    [Await(Pid) || Pid <- Pids]
end.
"""
_ADD_USER = """
begin
    ok = rabbit_auth_backend_internal:add_user(<<"{name}">>, <<"word">>, <<"test">>),
    ok = rabbit_auth_backend_internal:set_permissions(
        <<"{name}">>, <<"{vhost}">>, <<"{configure}">>, <<"{write}">>, <<"{read}">>, <<"test">>),
    ok = rabbit_auth_backend_internal:set_topic_permissions(
        <<"{name}">>, <<"{vhost}">>, <<"notify">>, <<"{keys}">>, <<".*">>, <<"test">>)
end.
"""
_LET_IN = """
[ok = rabbit_auth_backend_internal:change_password(Name, <<"word">>, <<"test">>)
    || Name <- [{names}]].
"""
_REMOVE_USERS = """
[ok = rabbit_auth_backend_internal:delete_user(Name, <<"test">>)
    || User <- rabbit_auth_backend_internal:list_users(),
       Name <- [proplists:get_value(user, User)], Name =/= <<"guest">>].
"""


def missing(reason: str) -> NoReturn:
    """Skip the test because a service is missing; fail it if CI is set."""
    if os.environ.get("CI"):
        pytest.fail(f"{reason} (CI is set, so this is no reason to skip)", pytrace=False)
    pytest.skip(reason)


class Vhosts:
    """Virtual hosts of a node, created in batches."""

    def __init__(self, node: RabbitMQNode) -> None:
        self._node = node
        self._numbers: list[int] = []
        self._next = 1

    def fresh_url(self) -> str:
        """Return the address of an unused virtual host."""
        if not self._numbers:
            self._numbers = self._made()
        return self._node.vhost_url(f"test-{self._numbers.pop()}")

    def _made(self) -> list[int]:
        first = self._next
        # If this fails, one test fails, and the next one creates others.
        self._next += _VHOSTS_AT_ONCE
        last = self._next - 1
        evaluate(self._node, _MAKE_VHOSTS.format(first=first, last=last))
        return list(range(last, first - 1, -1))


@contextlib.contextmanager
def broker_away(node: RabbitMQNode, url: str) -> Iterator[None]:
    """Make a broker refuse connections, and cut those to one virtual host, without a restart."""
    evaluate(node, "rabbit_maintenance:suspend_all_client_listeners().")
    try:
        cut(node, url)
        yield
    finally:
        evaluate(node, "rabbit_maintenance:resume_all_client_listeners().")


def cut(node: RabbitMQNode, url: str) -> None:
    """
    Make a broker close all connections to one virtual host; return once it has written so.

    One that is being opened has no virtual host yet, so its opening is awaited, for two seconds.
    """
    evaluate(node, _CUT.format(vhost=url.rpartition("/")[2]))


@contextlib.contextmanager
def memory_alarm(node: RabbitMQNode) -> Iterator[None]:
    """Make a broker raise its memory alarm, which blocks publishing connections."""
    raised = _set_memory_limit(node, "{absolute, 1000000}")
    try:
        assert "memory" in raised, raised
        yield
    finally:
        _set_memory_limit(node, "0.4")


def _set_memory_limit(node: RabbitMQNode, limit: str) -> str:
    """Set a broker's limit; return its alarms, of which each connection has been told by then."""
    # The limit is set before its alarm is handled; the alarms are read after that.
    return evaluate(
        node,
        f"vm_memory_monitor:set_vm_memory_high_watermark({limit}), rabbit_alarm:get_alarms().",
    )


class Users:
    """A node's users for one test; they are removed after it, so their names are free again."""

    def __init__(self, node: RabbitMQNode) -> None:
        self._node = node
        self._brought = False

    def add(
        self,
        url: str,
        *,
        configure: str = "^$",
        write: str = "^$",
        read: str = "^$",
        keys: str = ".*",
    ) -> tuple[str, str]:
        """Create a user with these rights on a virtual host, named after it; return both."""
        vhost = url.rpartition("/")[2]
        name = f"{vhost}-user"
        rights = {"configure": configure, "write": write, "read": read, "keys": keys}
        escaped = {right: pattern.replace("\\", "\\\\") for right, pattern in rights.items()}
        evaluate(self._node, _ADD_USER.format(name=name, vhost=vhost, **escaped))
        return name, self._address(url, name)

    def bring(self, definitions: object) -> None:
        """Import definitions, which may contain users; these cannot log in yet."""
        self.imported()
        text = base64.b64encode(json.dumps(definitions).encode()).decode()
        evaluate(self._node, f'ok = rabbit_definitions:import_raw(base64:decode("{text}")).')

    def imported(self) -> None:
        """Note that the test imports definitions, so that their users are removed after it."""
        self._brought = True

    def let_in(self, url: str, *names: str) -> list[str]:
        """Set the passwords of imported users; return their addresses."""
        evaluate(self._node, _LET_IN.format(names=",".join(f'<<"{name}">>' for name in names)))
        return [self._address(url, name) for name in names]

    def remove(self) -> None:
        """Remove imported users, whose names the definitions choose."""
        if self._brought:
            evaluate(self._node, _REMOVE_USERS)

    def _address(self, url: str, name: str) -> str:
        return url.replace("guest:guest@", f"{name}:word@")


class PostgreSQL:
    """A private PostgreSQL cluster, with durable writes, on a free port of 127.0.0.1."""

    def __init__(self) -> None:
        self._programs = _postgresql_programs()
        self._folder = Path(tempfile.mkdtemp(prefix="notify-postgresql-"))
        self._port = free_ports(1)[0]
        self._databases = 0
        self._has_tables = False
        self._server: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Create the cluster and start it; return once it answers."""
        if os.geteuid() == 0:
            owner = pwd.getpwnam(_POSTGRES_USER)
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        data = self._folder / "data"
        initdb = ["-D", str(data), "-U", "notify", "-A", "trust", "-E", "UTF8", "--no-sync"]
        subprocess.run(
            [*_as_postgres(), self._programs / "initdb", *initdb],
            cwd=self._folder,
            check=True,
            capture_output=True,
        )
        self.resume()

    @property
    def pid(self) -> int | None:
        """The process id of the server; None before it was started."""
        return None if self._server is None else self._server.pid

    def pause(self) -> None:
        """Shut the server down; its data stays."""
        assert self._server is not None
        self._server.send_signal(signal.SIGINT)
        self._server.wait(PATIENCE)

    def kill(self) -> None:
        """End the server and its children as a power cut would; its data stays."""
        assert self._server is not None
        server = psutil.Process(self._server.pid)
        processes = [server, *server.children(recursive=True)]
        for process in processes:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        self._server.wait(PATIENCE)
        psutil.wait_procs(processes, timeout=PATIENCE)

    def resume(self) -> None:
        """Start the server on its data; return once it answers."""
        data = self._folder / "data"
        listen = ["-k", str(self._folder), "-h", "127.0.0.1", "-p", str(self._port)]
        with (self._folder / "server.log").open("wb") as log:
            self._server = subprocess.Popen(
                [*_as_postgres(), self._programs / "postgres", "-D", data, *listen],
                cwd=self._folder,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._wait(deadline=time.monotonic() + PATIENCE)

    @contextlib.contextmanager
    def tls(self, certificate: Path, key: Path) -> Iterator[None]:
        """Offer TLS with a certificate within this context, as an administrator would."""
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        ours = [shutil.copy(file, folder) for file in (certificate, key)]
        for path in (folder, *map(Path, ours)):
            path.chmod(0o700 if path.is_dir() else 0o600)
            if os.geteuid() == 0:
                shutil.chown(path, _POSTGRES_USER, _POSTGRES_USER)
        settings = {"ssl_cert_file": f"'{ours[0]}'", "ssl_key_file": f"'{ours[1]}'", "ssl": "on"}
        for name, value in settings.items():
            self._execute(f"ALTER SYSTEM SET {name} = {value}")
        self._reload()
        try:
            yield
        finally:
            for name in settings:
                self._execute(f"ALTER SYSTEM RESET {name}")
            self._reload()

    def _reload(self) -> None:
        """Make the server reload its settings; they apply to new connections."""
        before = self._fetched(_LOADED)
        self._execute("SELECT pg_reload_conf()")
        # It only signals the server, which gives the settings that it has read to new connections.
        end = time.monotonic() + PATIENCE
        while self._fetched(_LOADED) == before:
            assert time.monotonic() < end, "PostgreSQL did not reload its settings"
            time.sleep(0.02)

    @contextlib.contextmanager
    def database(self, *, like: str = "template1") -> Iterator[str]:
        """Create a database, empty or a copy; yield its address, and drop it afterwards."""
        self._databases += 1
        name = f"test_{self._databases}"
        # The other strategy writes each page of the copy to the log as well.
        self._execute(f"CREATE DATABASE {name} TEMPLATE {like} STRATEGY FILE_COPY")
        yield self._address(name)
        self._execute(f"DROP DATABASE {name} WITH (FORCE)")

    @contextlib.contextmanager
    def record(self) -> Iterator[str]:
        """Create a database with the record's tables, yield its address, and drop it afterwards."""
        if not self._has_tables:
            self._execute(f"CREATE DATABASE {_TABLES}")
            migrated(self._address(_TABLES)).close()
            self._has_tables = True
        with self.database(like=_TABLES) as url:
            yield url

    def _address(self, name: str) -> str:
        return f"postgresql+psycopg://notify@127.0.0.1:{self._port}/{name}"

    def stop(self) -> None:
        """Shut down and remove everything."""
        if self._server is not None:
            self._server.terminate()
            try:
                self._server.wait(20)
            except subprocess.TimeoutExpired:
                self._server.kill()
                self._server.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self, *, deadline: float) -> None:
        while True:
            try:
                return self._execute("SELECT 1")
            except psycopg.OperationalError:
                ended = self._server is not None and self._server.poll() is not None
                if ended or time.monotonic() > deadline:
                    raise
                time.sleep(0.05)

    def _execute(self, statement: str) -> None:
        """Execute a statement in a new connection."""
        with self._connected() as connection:
            connection.execute(statement.encode())

    def _fetched(self, query: str) -> object:
        """Return a query's row, as a new connection sees it."""
        with self._connected() as connection:
            return connection.execute(query.encode()).fetchone()

    def _connected(self) -> psycopg.Connection:
        address = f"postgresql://notify@127.0.0.1:{self._port}/postgres"
        return psycopg.connect(address, autocommit=True, connect_timeout=int(PATIENCE))


def _postgresql_programs() -> Path:
    """Return a program in Debian's versioned folder; the wrappers manage the machine's clusters."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        missing("PostgreSQL is not installed: apt-get install postgresql")
    return found[-1].parent


def _as_postgres() -> list[str]:
    """Make the kernel end the server with the tests; root may not run it, so drop to its user."""
    command = ["setpriv", "--pdeathsig", "INT"]
    if os.geteuid() == 0:
        command += ["--reuid", _POSTGRES_USER, "--regid", _POSTGRES_USER, "--clear-groups"]
    return [*command, "--"]
