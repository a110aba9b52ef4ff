"""Processes of `notify` that are forked instead of started: imports are most of a start's cost."""

from __future__ import annotations

import gc
import multiprocessing
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path

from notify.cli import main
from notify.cli.table import COMMANDS
from tests.support.commands import Done
from tests.support.patience import PATIENCE

PRELOADED = (
    "tests.support.forked",
    "notify.store.db.migration",
    "notify.store.db.session",
    "notify.store.delivery.postgresql",
    "notify.store.delivery.sqlite",
    "notify.web.console.process",
    "notify.web.api.process",
    "notify.web.receipts.process",
    "notify.worker.dead_letters",
    "notify.worker.deliveries",
    "notify.worker.process",
    "notify.worker.receipts",
    # Celery imports these as a worker starts.
    "billiard.pool",
    "celery.app.log",
    "celery.backends.base",
    "celery.concurrency.thread",
    "celery.fixups.django",
    "celery.worker.autoscale",
    "celery.worker.components",
    "celery.worker.strategy",
    "kombu.transport.pyamqp",
    "providers.sendgrid",
    "providers.sendgrid.blame",
    "providers.sendgrid.receipts",
    "providers.twilio",
    *sorted({f"notify.cli.{command.module}" for command in COMMANDS.values()}),
)


def forks() -> ForkServerContext:
    """Return the context whose processes are forked from one that has imported `notify`."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    return context


class Forked:
    """
    `notify` in a separate process, forked from one that has imported it already.

    It has the methods of `subprocess.Popen`; its output goes to files.
    """

    def __init__(
        self, arguments: Sequence[str], *, environ: Mapping[str, str], out: Path, err: Path
    ) -> None:
        self._files = (out, err)
        self._process = forks().Process(
            target=_become, args=(tuple(arguments), dict(environ), out, err), daemon=True
        )
        self._process.start()

    @property
    def pid(self) -> int:
        """Its process id."""
        assert self._process.pid is not None
        return self._process.pid

    def poll(self) -> int | None:
        """Return the exit code, negative for a signal, or None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Wait for its end and return the exit code; `TimeoutExpired` if it takes longer."""
        self._process.join(timeout)
        code = self._process.exitcode
        if code is None:
            raise subprocess.TimeoutExpired("notify", timeout)
        return code

    def out(self) -> str:
        """Return its output so far."""
        return _text(self._files[0])

    def err(self) -> str:
        """Return its error output so far."""
        return _text(self._files[1])

    def done(self, timeout: float = PATIENCE) -> Done:
        """Wait for its end; return its output and exit code."""
        return Done(self.wait(timeout), *(file.read_text() for file in self._files))

    def terminate(self) -> None:
        """Send SIGTERM."""
        self.send_signal(signal.SIGTERM)

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)


def run_script(text: str, *arguments: str, environ: Mapping[str, str] | None = None) -> int:
    """Run a program in a process that has imported `notify`; return its exit code."""
    inherited = dict(os.environ if environ is None else environ)
    process = forks().Process(target=_execute, args=(text, arguments, inherited), daemon=True)
    process.start()
    process.join(PATIENCE)
    assert process.exitcode is not None
    return process.exitcode


def _execute(text: str, arguments: Sequence[str], environ: Mapping[str, str]) -> None:
    os.environ.clear()
    os.environ.update(environ)
    sys.argv = ["-c", *arguments]
    exec(textwrap.dedent(text), {"__name__": "__main__"})  # noqa: S102 - a test's own program


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def _become(arguments: Sequence[str], environ: Mapping[str, str], out: Path, err: Path) -> None:
    # Otherwise each collection copies the pages that it shares with the others.
    gc.freeze()
    os.environ.clear()
    os.environ.update(environ)
    for number, path in ((1, out), (2, err)):
        with path.open("ab") as file:
            os.dup2(file.fileno(), number)
    sys.argv = ["notify", *arguments]
    main()
