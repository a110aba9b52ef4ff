"""The contenders' environment: one broker, one database, one provider, all private."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from urllib.request import urlopen

from notify.errors import ConfigError

NGINX = """
daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 10000000; client_max_body_size 32m;
  client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi;
  scgi_temp_path {folder}/scgi;
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location /status {{ stub_status; }}
    location / {{ add_header X-Message-Id $request_id always; return 202; }}
  }}
}}
"""


class Nginx:
    """A provider that accepts everything at once: Debian's nginx with `return 202`."""

    def __init__(self, folder: Path) -> None:
        """Start it on a free port, with its files in *folder*."""
        program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
        if program is None:
            raise ConfigError("nginx is missing: apt-get install nginx-light")
        self.url = f"http://127.0.0.1:{free_port()}"
        config = folder / "nginx.conf"
        config.write_text(NGINX.format(folder=folder, port=self.url.rsplit(":", 1)[1]))
        # Its own account, if started as root, could not write to our folder.
        user = ["-g", "user root;"] if os.geteuid() == 0 else []
        self._process = subprocess.Popen([program, "-c", str(config), *user])
        self._own = 0
        wait_until(self._answers, what="nginx")

    @property
    def pid(self) -> int:
        """The process id of its master."""
        return self._process.pid

    def _answers(self) -> bool:
        try:
            self.served()
        except OSError:
            return False
        return True

    def served(self) -> int:
        """Count the requests it has answered, except our own for its status."""
        self._own += 1
        with urlopen(f"{self.url}/status", timeout=5) as answer:
            text = answer.read().decode()
        numbers = re.search(r"\n\s*(\d+) (\d+) (\d+)", text)
        assert numbers is not None
        return int(numbers[3]) - self._own

    def stop(self) -> None:
        """End it."""
        stop([self._process])


def free_port() -> int:
    """Return a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def processes(
    commands: Sequence[Sequence[str]], *, environ: Mapping[str, str], log: Path
) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Run programs beside each other, their output in *log*, and end them."""
    with log.open("ab") as out:
        running = [
            subprocess.Popen(
                command,
                env={**os.environ, **environ},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
            for command in commands
        ]
        try:
            yield running
        finally:
            stop(running)


def stop(running: Sequence[subprocess.Popen[bytes]]) -> None:
    """Ask each to stop, wait, and kill those that do not."""
    for process in running:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
    for process in running:
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def wait_until(
    true: Callable[[], bool], *, what: str, timeout: float = 60.0, pause: float = 0.01
) -> None:
    """Poll until *true* returns True, with a pause of some seconds between two calls."""
    end = time.monotonic() + timeout
    while not true():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} took longer than {timeout:.0f} s")
        time.sleep(pause)


@contextmanager
def repeated(call: Callable[[], object], *, pause: float) -> Iterator[None]:
    """Call again and again in a thread, with a pause before each call; raise its error, if any."""
    stop = threading.Event()

    def run() -> None:
        while not stop.wait(pause):
            call()

    with ThreadPoolExecutor(1) as executor:
        running = executor.submit(run)
        try:
            yield
        finally:
            stop.set()
        running.result()
