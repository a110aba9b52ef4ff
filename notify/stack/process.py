"""Child processes that log to a file, report readiness, and end with their parent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path

from notify.errors import NotifyError
from notify.private import private

_POLL = 0.05
_TAIL = 15
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
"""Prefix of a command: the kernel kills the child when its parent ends."""
PRIVATE = 0o077
"""The umask of the stack's processes: only the owner can read their files."""


class ProcessEnded(NotifyError):
    """A process of the stack ended, or was not ready in time; the text has the tail of its log."""


class Process:
    """
    One `notify` command in a child process.

    Attributes:
        name: Its name for people, such as `worker email`.
        log: The file with its output.
    """

    def __init__(
        self,
        name: str,
        arguments: Iterable[str],
        *,
        log: Path,
        ready_file: Path,
        environ: Mapping[str, str],
        again: bool = False,
        nice: int = 0,
    ) -> None:
        """
        Start `notify ARGUMENTS... --ready-file FILE`, which writes the file once it is ready.

        The kernel kills the process when the thread that started it ends, even by kill -9, so that
        no process is left behind: start it in the main thread.

        Args:
            again: Append to the log of an earlier process of the same name.
            nice: By how much its priority is lower than this process's, as in `Nice=` of a unit.
        """
        self.name = name
        self.log = log
        self._ready_file = ready_file
        # -P: a folder named notify in the working directory must not be run instead.
        command = [sys.executable, "-P", "-m", "notify", *arguments]
        priority = ["nice", "-n", str(nice)] if nice else []
        ready_file.unlink(missing_ok=True)
        with open(log, "ab" if again else "wb", opener=private) as output:
            self._child = subprocess.Popen(  # noqa: S603 - a notify command
                [*DIE_WITH_PARENT, *priority, *command, "--ready-file", str(ready_file)],
                env=dict(environ),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Ctrl-C must reach the parent only, which stops the children in order.
                start_new_session=True,
                # Its files contain recipients: the database, the ledger, the broker's messages.
                umask=PRIVATE,
            )

    @property
    def pid(self) -> int:
        """The process id."""
        return self._child.pid

    @property
    def ready(self) -> bool:
        """Whether it has written its ready file."""
        return self._ready_file.exists()

    @property
    def ready_text(self) -> str:
        """The text of its ready file."""
        return self._ready_file.read_text().strip()

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._child.poll() is None

    @property
    def ended_with(self) -> str:
        """How it ended, in words; empty while it runs."""
        code = self._child.poll()
        return "" if code is None else _meaning(code)

    def check(self) -> None:
        """
        Do nothing while the process runs.

        Raises:
            ProcessEnded: It ended; the text has the tail of its log.
        """
        code = self._child.poll()
        if code is not None:
            raise ProcessEnded(f"{self.name} ended with {_meaning(code)}.{self._log_tail()}")

    def reload(self) -> None:
        """Make a worker reload its configuration and templates, as `systemctl reload` does."""
        if self.running and self.ready:
            self._child.send_signal(signal.SIGHUP)

    def wait_ready(self, *, timeout: float) -> None:
        """
        Wait until the process is ready, for `timeout` seconds at most.

        Raises:
            ProcessEnded: It ended first, or was not ready in time.
        """
        deadline = time.monotonic() + timeout
        while not self.ready:
            self.check()
            if time.monotonic() > deadline:
                raise ProcessEnded(
                    f"{self.name} was not ready within {timeout:g} s.{self._log_tail()}"
                )
            time.sleep(_POLL)

    def _log_tail(self) -> str:
        lines = self.log.read_text(errors="replace").splitlines()[-_TAIL:]
        return "".join(f"\n  {line}" for line in [f"The end of {self.log}:", *lines])

    def _terminate(self) -> None:
        if self.running:
            self._child.terminate()

    def _end(self, timeout: float) -> None:
        try:
            self._child.wait(max(timeout, 0.0))
        except subprocess.TimeoutExpired:
            os.killpg(self._child.pid, signal.SIGKILL)
            self._child.wait()


def stop_all(processes: Iterable[Process], *, timeout: float) -> None:
    """Terminate the processes, and kill those that still run after `timeout` seconds."""
    stopping = list(processes)
    deadline = time.monotonic() + timeout
    for process in stopping:
        process._terminate()
    for process in stopping:
        process._end(deadline - time.monotonic())


def _meaning(code: int) -> str:
    return signal.Signals(-code).name if code < 0 else f"exit code {code}"
