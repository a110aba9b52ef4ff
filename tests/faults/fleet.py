"""The worker processes of a drill, each with its log; the kernel ends them with the drill."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).parents[2]
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL", "--")
ARCHIVER = "dead-1"
WORKERS = ("email-1", "sms-1", "email-2", "sms-2")
READY_WITHIN = 180.0
KILLED_WITHIN = 180.0
STOPPED_WITHIN = 60.0


class WorkerEnded(Exception):
    """A worker exited instead of starting to consume: the product's fault."""


class Fleet:
    """Starts, kills, stops, freezes and thaws workers, each by its name."""

    def __init__(self, folder: Path, config: Path, *, lease: float) -> None:
        self._folder = folder
        self._environ = {
            **{name: value for name, value in os.environ.items() if not name.startswith("NOTIFY_")},
            "NOTIFY_CONFIG": str(config),
            "SENDGRID_KEY": "SG.drill",
            "TWILIO_SID": "AC" + "0" * 32,
            "TWILIO_TOKEN": "drill",
            "BOUNCE_KEY": "the-key-of-the-drills-return-paths-",
            "LEASE": str(lease),
        }
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.faulty: list[str] = []
        """A sentence for each worker that ended wrongly."""

    def start(self, *names: str, die_at: str = "") -> None:
        """Start workers without waiting for them; each dies at *die_at* if that is given."""
        for name in names:
            ready = self._ready(name)
            ready.unlink(missing_ok=True)
            command = [sys.executable, "-m", "tests.faults.worker", *command_of(name)]
            with (self._folder / f"{name}.log").open("ab") as log:
                self._processes[name] = subprocess.Popen(
                    [*DIE_WITH_PARENT, *command, "--ready-file", str(ready)],
                    cwd=ROOT,
                    env={**self._environ, "DIE_AT": die_at},
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    def ready(self, *names: str) -> None:
        """
        Wait until workers consume.

        Raises:
            WorkerEnded: One of them exited; the text has its last output.
            TimeoutError: One of them takes too long.
        """
        end = time.monotonic() + READY_WITHIN
        for name in names:
            while not self._ready(name).exists():
                if self._processes[name].poll() is not None:
                    raise WorkerEnded(f"{name} ended at its start: {self._last_words(name)}")
                if time.monotonic() > end:
                    late = f"{name} did not start within {READY_WITHIN:g} s"
                    raise TimeoutError(": ".join(filter(None, (late, self._last_words(name)))))
                time.sleep(0.05)

    def kill(self, *names: str) -> None:
        """End workers as a power cut would."""
        for name in names:
            self._processes[name].kill()
        self.killed(*names)

    def killed(self, *names: str, within: float = KILLED_WITHIN) -> None:
        """Wait until workers that kill themselves are dead."""
        for name in names:
            code = self._processes[name].wait(within)
            if code != -signal.SIGKILL:
                self.faulty.append(f"{name} exited with {code} where it should have been killed")
            # It is not stopped at the drill's end, unless it is started again.
            del self._processes[name]

    def one_killed(self, *names: str, within: float = KILLED_WITHIN) -> str:
        """
        Wait until one of some workers has killed itself; return its name.

        Raises:
            TimeoutError: All of them live.
        """
        end = time.monotonic() + within
        while time.monotonic() < end:
            for name in names:
                if self._processes[name].poll() is not None:
                    self.killed(name)
                    return name
            time.sleep(0.05)
        raise TimeoutError(f"none of {', '.join(names)} killed itself")

    def stop(self, *names: str) -> None:
        """Ask workers to stop and wait until they have; each must exit with 0 and in time."""
        for name in names:
            self._processes[name].terminate()
        for name in names:
            process = self._processes.pop(name)
            try:
                code = process.wait(STOPPED_WITHIN)
            except subprocess.TimeoutExpired:
                process.kill()
                code = process.wait()
            if code:
                self.faulty.append(f"{name} exited with {code}: {self._last_words(name)}")

    def freeze(self, *names: str) -> None:
        """Stop workers from running, as a paused virtual machine would."""
        for name in names:
            self._processes[name].send_signal(signal.SIGSTOP)

    def thaw(self, *names: str) -> None:
        """Resume frozen workers."""
        for name in names:
            self._processes[name].send_signal(signal.SIGCONT)

    def at_once(self, commands: Iterable[Sequence[str]]) -> None:
        """Run `notify` commands side by side, as operators would; each must exit with 0."""
        running = [
            subprocess.Popen(
                [*DIE_WITH_PARENT, sys.executable, "-m", "notify", *command],
                cwd=ROOT,
                env=self._environ,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            for command in commands
        ]
        for process in running:
            said, _ = process.communicate(timeout=120)
            if process.returncode:
                self.faulty.append(f"a command exited with {process.returncode}: {said[-300:]}")

    def stop_all(self) -> None:
        """Stop all workers."""
        self.stop(*self._processes)

    def end(self) -> None:
        """Stop everything, whatever happened."""
        for process in self._processes.values():
            process.kill()
            process.wait()

    def _ready(self, name: str) -> Path:
        return self._folder / f"{name}.ready"

    def _last_words(self, name: str) -> str:
        return "".join(self._lines(name))

    def _lines(self, name: str) -> Iterator[str]:
        yield from (self._folder / f"{name}.log").read_text().splitlines(keepends=True)[-10:]


def command_of(name: str) -> Sequence[str]:
    """Return the `notify` command of a process: `web-1` is the intake, others are workers."""
    pool = name.partition("-")[0]
    return ("web", "receipts") if pool == "web" else ("worker", pool, "--name", name)
