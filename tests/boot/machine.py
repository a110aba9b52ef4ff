"""A Debian with its own systemd, booted in a container that shares this machine's network."""

from __future__ import annotations

import os
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

from notify.stack.process import DIE_WITH_PARENT
from tests.debian.container import NSPAWN, CannotBoot

BOOTED_WITHIN = 60.0
STOPPED_WITHIN = 60.0
_NAMESPACES = ("--mount", "--uts", "--ipc", "--net", "--pid", "--root", "--wd")
_ENVIRON = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LANG": "C.UTF-8", "HOME": "/root"}


class Failed(Exception):
    """A command in the machine failed; the text has its last output."""


class Machine:
    """
    A booted machine.

    Attributes:
        root: Its root folder, on the host.
    """

    def __init__(self, root: Path, nspawn: subprocess.Popen[bytes]) -> None:
        self.root = root
        self._nspawn = nspawn
        self._leader = 0

    def said(self, *command: str, timeout: float = 120.0) -> str:
        """
        Run a command as root and return its output.

        Raises:
            Failed: Its exit code was not 0.
        """
        done = self.run(*command, timeout=timeout)
        if done.returncode:
            words = f"{done.stdout}\n{done.stderr}".strip()[-1500:]
            raise Failed(f"{' '.join(command)} exited with {done.returncode}: {words}")
        return done.stdout.strip()

    def run(self, *command: str, timeout: float = 120.0) -> subprocess.CompletedProcess[str]:
        """Run a command as root, and ignore its exit code."""
        return subprocess.run(
            ["nsenter", f"--target={self._leader}", *_NAMESPACES, "--", *command],
            env=_ENVIRON,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )

    def show(self, unit: str, what: str) -> str:
        """Read one property of a unit."""
        return self.said("systemctl", "show", "--value", f"--property={what}", unit)

    def put(self, path: str, text: str, *, mode: int = 0o644) -> None:
        """Write a file; one that exists keeps its owner and mode."""
        file = self.root / path.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        new = not file.exists()
        file.write_text(text)
        if new:
            file.chmod(mode)

    def wait(self) -> None:
        """Wait until it has booted."""
        end = time.monotonic() + BOOTED_WITHIN
        while not self._booted():
            if self._nspawn.poll() is not None:
                raise CannotBoot(f"systemd-nspawn exited with {self._nspawn.returncode}")
            if time.monotonic() > end:
                raise Failed("the machine did not boot in time")
            time.sleep(0.1)

    def stop(self) -> None:
        """Shut it down, by force if need be."""
        if self._leader:
            self.run("systemctl", "poweroff", "--no-block")
        try:
            self._nspawn.wait(STOPPED_WITHIN if self._leader else 0)
        except subprocess.TimeoutExpired:
            self._nspawn.kill()
            self._nspawn.wait()

    def _booted(self) -> bool:
        children = psutil.Process(self._nspawn.pid).children()
        if not children:
            return False
        self._leader = children[0].pid
        state = self.run("systemctl", "is-system-running").stdout.strip()
        return state in ("running", "degraded")


@contextmanager
def booted(root: Path, *, log: Path) -> Iterator[Machine]:
    """
    Boot a root folder, and shut it down afterwards; the kernel ends it with us.

    Raises:
        CannotBoot: Containers do not run here.
    """
    command = [
        *DIE_WITH_PARENT,
        *NSPAWN,
        "--boot",
        "--resolv-conf=off",
        f"--machine=notify-boot-{os.getpid()}",
        f"--directory={root}",
    ]
    with log.open("wb") as console:
        nspawn = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=console, stderr=console)
    machine = Machine(root, nspawn)
    try:
        machine.wait()
        yield machine
    finally:
        machine.stop()
