"""`notify up` in a folder of its own, as a newcomer runs it."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.support.forked import Forked
from tests.support.patience import PATIENCE, START

ROOT = Path(__file__).parents[2]
NOTIFY = [sys.executable, "-m", "notify"]


def run(*command: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end, with what it printed."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env={**clean_environ(), **environ},
        capture_output=True,
        text=True,
        timeout=START,
        check=False,
    )


def clean_environ() -> Mapping[str, str]:
    """Return our environment without what would configure notify."""
    return {name: value for name, value in os.environ.items() if not name.startswith("NOTIFY_")}


class Up:
    """`notify up` in a folder of its own."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.folder = folder
        self.output = folder / "output"
        folder.mkdir()
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*NOTIFY, "up", "--state-dir", str(folder), *options],
                cwd=ROOT,
                env=clean_environ(),
                stdout=output,
                stderr=subprocess.STDOUT,
            )

    def wait_ready(self) -> None:
        """Wait until it has said what to try next."""
        deadline = time.monotonic() + START
        while "Everything is up" not in self.text:
            assert self.process.poll() is None, self.text
            assert time.monotonic() < deadline, self.text
            time.sleep(0.1)

    @property
    def endpoints(self) -> dict[str, Any]:
        """The addresses of its parts."""
        return dict(json.loads((self.folder / "endpoints.json").read_text()))

    @property
    def text(self) -> str:
        """Its output so far."""
        return self.output.read_text()

    def children(self) -> list[psutil.Process]:
        """Return every process that it started, theirs included."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Signal it, and return its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.process.wait(PATIENCE)

    def notify(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run another notify command against it, with the two variables that it printed."""
        exports = dict(re.findall(r"export (\w+)=(\S+)", self.text))
        assert set(exports) == {"NOTIFY_CONFIG", "CREDENTIALS_DIRECTORY"}
        folder = Path(tempfile.mkdtemp(dir=self.folder))
        environ = {**clean_environ(), **exports}
        forked = Forked(arguments, environ=environ, out=folder / "out", err=folder / "err")
        done = forked.done(PATIENCE)
        return subprocess.CompletedProcess(arguments, done.code, done.out, done.err)

    def status(self, notification_id: str, *, wanted: str) -> str:
        """Return the notification's status, once it is `wanted` or `PATIENCE` has passed."""
        deadline = time.monotonic() + PATIENCE
        while True:
            shown = self.notify("show", notification_id, "--json")
            status = str(json.loads(shown.stdout)["status"]) if shown.returncode == 0 else ""
            if status == wanted or time.monotonic() > deadline:
                return status
            time.sleep(0.2)
