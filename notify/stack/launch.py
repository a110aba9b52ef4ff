"""Run all of notify on this machine: broker, store, provider sandbox and worker pools."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from pathlib import Path
from types import TracebackType

from amqp import AMQPError

from notify.errors import ConfigError
from notify.message import Channel
from notify.publisher import why
from notify.service.broker import open_broker, topology_of
from notify.settings import API, CONSOLE, DEAD_POOL, RECEIPTS_POOL, WEB, load
from notify.stack.endpoints import ConsoleEndpoint, Endpoints, ReceiptEndpoint, receipts_url
from notify.stack.login import USER, grant_login, new_password
from notify.stack.process import Process, ProcessEnded, stop_all
from notify.stack.rabbitmq import RabbitMQNode, free_ports
from notify.stack.sandbox_key import sendgrid_key
from notify.stack.state import StackState
from notify.stack.watched import Watched
from notify.store import Store
from notify.topology import apply

POOLS = (*(channel.value for channel in Channel), DEAD_POOL, RECEIPTS_POOL)

_START = 180.0
"""Seconds in which one part must start: RabbitMQ takes a minute on an overloaded machine."""
_STOP = 20.0
"""Seconds in which the workers finish their calls in flight."""
_BROKER_CHECK = 2.0


def _silent(_: str) -> None:
    return


class Stack:
    """
    The stack as a context: started on entry, stopped on exit. Enter it in the main thread.

    No process is left behind: the kernel kills the children when the thread that started them ends.

    Attributes:
        state: The stack's folder.
        endpoints: The addresses of its parts; set once it runs.
    """

    def __init__(
        self,
        folder: Path,
        *,
        amqp: str | None = None,
        database: str | None = None,
        pools: Sequence[str] = POOLS,
        sandbox_port: int | None = None,
        templates: Path | None = None,
        web: bool = False,
        report: Callable[[str], None] = _silent,
    ) -> None:
        """
        Describe a stack without starting it.

        Args:
            folder: The folder for all its files; created if it is missing.
            amqp: The address of a running broker; None starts a private one.
            database: The address of a database; None for a SQLite file in the folder.
            pools: The worker pools to start, one process each; with `receipts`, the intake too.
            sandbox_port: The provider sandbox's port; None for a free one.
            templates: The folder of the user's own templates; workers reload it after each change.
            web: Whether to start the console and the HTTP API.
            report: Called with a sentence about each part that was started or restarted.
        """
        self.state = StackState(folder)
        self._amqp = amqp
        self._database = database or self.state.database
        self._pools = pools
        self._sandbox_port = sandbox_port or 0
        self._report = report
        self._node: RabbitMQNode | None = None
        self._permanent: list[Process] = []
        self._workers: list[Process] = []
        self._web: list[Process] = []
        self._receipts_port = free_ports(1)[0] if RECEIPTS_POOL in pools else None
        self._console, self._api_port = None, None
        if web:
            port, self._api_port = free_ports(2)
            self._console = ConsoleEndpoint(port, USER, new_password())
        self._templates = Watched(templates) if templates else None
        self._cleanup = ExitStack()
        self._cleanup.callback(self.state.release)
        self._broker_checked = 0.0
        self.endpoints: Endpoints

    def __enter__(self) -> Stack:
        try:
            self._start()
        except BaseException:
            self._cleanup.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._cleanup.close()

    def check(self) -> None:
        """
        Restart workers that have ended, and make workers reload changed templates.

        Call it in the main thread, about twice a second.

        Raises:
            ProcessEnded: Another part ended by itself, or a worker before it was ready; the text
                names it and has the tail of its log.
        """
        for process in self._permanent:
            process.check()
        for processes in (self._workers, self._web):
            processes[:] = map(self._running, processes)
        if self._templates is not None and self._templates.changed():
            for worker in self._workers:
                worker.reload()
            self._report("templates changed, workers reloaded them")
        now = time.monotonic()
        if self._node is not None and now - self._broker_checked > _BROKER_CHECK:
            self._broker_checked = now
            _check_broker(self._node)

    def _start(self) -> None:
        """Start the slow parts in parallel, then the parts that need them."""
        sandbox = self._start_sandbox()
        with ThreadPoolExecutor(1) as aside:
            migrated = aside.submit(self._migrate)
            amqp = self._amqp or self._start_broker()
            migrated.result()
        sandbox.wait_ready(timeout=_START)
        self.endpoints = self._endpoints(amqp, sandbox.ready_text)
        folder = self._templates.folder if self._templates else None
        self.state.write(self.endpoints, templates=folder)
        self._report(f"provider sandbox, {self.endpoints.sandbox}")
        self._apply_topology()
        self._start_workers()

    def _endpoints(self, amqp: str, sandbox: str) -> Endpoints:
        receipts, processes = None, list(self._pools)
        if self._receipts_port is not None:
            receipts = ReceiptEndpoint(self._receipts_port, sendgrid_key(sandbox))
            processes.append(WEB)
        if self._console is not None:
            processes += [API, CONSOLE]
        metrics = dict(zip(processes, free_ports(len(processes)), strict=True))
        web = self._console, self._api_port
        return Endpoints(amqp, self._database, sandbox, metrics, receipts, *web)

    def _migrate(self) -> None:
        with closing(Store.open(self._database)) as store:
            store.migrate()
            if self._console is not None:
                grant_login(store, self._console.password)

    def _start_sandbox(self) -> Process:
        options = ["--port", str(self._sandbox_port), "--ledger", str(self.state.ledger)]
        if self._receipts_port is not None:
            options += ["--receipts", receipts_url(self._receipts_port)]
            options += ["--receipts-ledger", str(self.state.receipts_ledger)]
        sandbox = self._run("sandbox", *options)
        self._permanent.append(sandbox)
        self._cleanup.callback(stop_all, [sandbox], timeout=3.0)
        return sandbox

    def _start_broker(self) -> str:
        self._node = RabbitMQNode.start(self.state.broker, timeout=_START)
        self._cleanup.callback(self._node.stop, timeout=_STOP)
        self._report(f"private RabbitMQ, port {self._node.port}")
        return self._node.url

    def _apply_topology(self) -> None:
        settings = load(self.state.config, environ=self.state.environ(os.environ))
        try:
            with open_broker(settings) as connection:
                apply(topology_of(settings), connection)
        except (OSError, AMQPError) as error:
            raise ConfigError(f"the broker cannot be used: {why(error)}") from None
        self._report("store's tables and broker's queues")

    def _start_workers(self) -> None:
        # Registered last, stopped first: workers need the other parts to finish their calls.
        self._cleanup.callback(stop_all, self._workers, timeout=_STOP)
        self._cleanup.callback(stop_all, self._web, timeout=_STOP)
        for pool in self._pools:
            self._workers.append(self._run("worker", pool))
        if self.endpoints.receipts is not None:
            self._web.append(self._run("web", "receipts"))
        if self._console is not None:
            self._web += [self._run("web", "api"), self._run("web", "console")]
        for process in (*self._workers, *self._web):
            process.wait_ready(timeout=_START)
        self._report(f"workers, one process a pool: {', '.join(self._pools)}")
        if self.endpoints.receipts is not None:
            self._report(f"intake of receipts, {self.endpoints.receipts.url}")
        if self._console is not None:
            self._report(f"HTTP API, {self.endpoints.api}")
            self._report(f"console, {self._console.url}")

    def _running(self, worker: Process) -> Process:
        """Return the worker, or a new one if it ended: a user may kill one to see the effect."""
        if worker.running:
            return worker
        if not worker.ready:
            worker.check()
        self._report(f"{worker.name} ended with {worker.ended_with}, restarted; {worker.log}")
        return self._run(*worker.name.split(), again=True)

    def _run(self, *arguments: str, again: bool = False) -> Process:
        # "worker email", but "sandbox" only: options follow it.
        words = [word for word in arguments[:2] if not word.startswith("-")]
        return Process(
            " ".join(words),
            arguments,
            log=self.state.log("-".join(words)),
            ready_file=self.state.ready_file("-".join(words)),
            environ=self.state.environ(os.environ),
            again=again,
        )


def _check_broker(node: RabbitMQNode) -> None:
    try:
        # RabbitMQ treats a silent connection as a health check and does not log it.
        socket.create_connection(("127.0.0.1", node.port), timeout=5.0).close()
    except OSError:
        raise ProcessEnded(f"the private RabbitMQ ended; its logs are in {node.folder}") from None
