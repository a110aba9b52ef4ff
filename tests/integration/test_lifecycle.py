"""A real worker process under systemd: readiness, watchdog, status, reload and stop."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import dropwhile
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

import psutil
import pytest

from notify.message import Status
from notify.store import Filter
from notify.worker.supervision import REFUSED
from tests.support.listening import Ear, listening
from tests.support.patience import PATIENCE
from tests.support.rig import CONFIG, Rig, surroundings, until

WATCHDOG = 1.5
"""Seconds: a sign of life is due after a third of it."""


class Line:
    """A proxy to the broker that can be cut, and mended."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._to = (parts.hostname or "", parts.port or 0)
        self._ends: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self.url = url.replace(f":{parts.port}/", f":{self.port}/")
        self.mend()

    def mend(self) -> None:
        """Accept connections."""
        if self._listener.fileno() < 0:
            self._listener = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """End all connections, and refuse new ones."""
        for end in [self._listener, *self._ends]:
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends.clear()

    def _accept(self, listener: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = listener.accept()
                far = socket.create_connection(self._to)
                self._ends += [near, far]
                for source, sink in ((near, far), (far, near)):
                    threading.Thread(target=_pump, args=(source, sink), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65_536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)


@pytest.fixture
def rig(tmp_path: Path, broker_url: str) -> Iterator[Rig]:
    """A worker's surroundings; these tests do not depend on the database."""
    url = f"sqlite:///{tmp_path}/notify.db"
    with surroundings(tmp_path, broker_url=broker_url, store_url=url) as rig:
        yield rig


@pytest.fixture
def ear(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ear]:
    """A stand-in for systemd, which receives the reports of this test's workers."""
    with listening(tmp_path / "notify.socket") as ear:
        monkeypatch.setenv("NOTIFY_SOCKET", ear.address)
        monkeypatch.setenv("WATCHDOG_USEC", str(int(WATCHDOG * 1_000_000)))
        yield ear


def test_systemd_receives_readiness_watchdog_status_and_stop(rig: Rig, ear: Ear) -> None:
    """The loop is alive while the broker is away too: a restart would not help."""
    line = Line(rig.broker_url)
    rig.config.write_text(rig.config.read_text().replace(rig.broker_url, line.url))
    with rig.worker("email-2", pool="email-2"):
        until(lambda: "READY=1" in ear.words())
        assert ear.words()[0] == "STATUS=waiting for the record and the broker"
        sent = rig.requests(5)
        until(lambda: rig.store.count(Filter(status=Status.SENT)) == {Status.SENT: len(sent)})
        until(lambda: any(each.endswith(ALL_SETTLED) for each in _since_the_first_settled(ear)))
        line.cut()
        until(lambda: rig.log("email-2").count("notify.broker_away") >= 2)
        alive = len(ear.moments("WATCHDOG=1"))
        until(lambda: len(ear.moments("WATCHDOG=1")) > alive + 2)
        until(lambda: any("; the broker does not answer" in each for each in ear.words("STATUS")))
        line.mend()
        until(lambda: ear.words().count("READY=1") == 2)
    # On a busy machine the line is written before the others of the five are settled.
    consuming = "consuming notify.email.critical, notify.email.normal, notify.email.bulk"
    assert re.fullmatch(
        rf"{consuming}; \d+\.\d messages/s settled; \d+ unacknowledged; \d+ ready",
        _since_the_first_settled(ear)[0],
    )
    until(lambda: bool(ear.moments("STOPPING=1")))
    assert ear.moments("READY=1")[-1] < ear.moments("STOPPING=1")[0]


ALL_SETTLED = "; 0 unacknowledged; 0 ready"


def _since_the_first_settled(ear: Ear) -> list[str]:
    """Return the status lines from the first on that has a rate above 0, and the backlog."""
    lines = ear.words("STATUS")
    return list(dropwhile(lambda line: " 0.0 " in line or not line.endswith(" ready"), lines))


def test_a_loop_that_hangs_gives_no_sign_of_life_though_its_threads_live(
    rig: Rig, ear: Ear, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Then systemd sends SIGABRT, and the journal shows where each thread was."""
    # Celery's own debugger stops the main thread at a signal, and that alone.
    monkeypatch.setenv("CELERY_RDBSIG", "1")
    process = rig.start()
    until(lambda: bool(ear.moments("WATCHDOG=1")))
    process.send_signal(signal.SIGUSR2)
    # The debugger listens for a client, and the main thread waits for one.
    until(lambda: _listens(process.pid))
    until(lambda: time.monotonic() - ear.moments("WATCHDOG=1")[-1] > 3 * WATCHDOG)
    hung_at = ear.moments("WATCHDOG=1")[-1]
    until(lambda: any("settled" in each for each in ear.words("STATUS")))
    process.send_signal(signal.SIGABRT)
    assert process.wait(PATIENCE) == -signal.SIGABRT
    assert ear.moments("WATCHDOG=1")[-1] == hung_at
    assert 'rdb.py", line' in rig.log()


def _listens(pid: int) -> bool:
    """Return whether a process listens on a TCP port."""
    connections = psutil.Process(pid).net_connections(kind="tcp")
    return any(each.status == psutil.CONN_LISTEN for each in connections)


_FLOWING = 80


def test_a_reload_loses_nothing_and_a_mistake_changes_nothing(rig: Rig, ear: Ear) -> None:
    """A template, a rate and the log's level change under load, without a reconnection."""
    _write(rig, words="Old words.", rate=0.2, level="warning")
    for _ in range(_FLOWING):
        _greet(rig)
    with rig.worker() as process:
        until(lambda: bool(rig.sandbox.messages()))
        assert '"info"' not in rig.log()
        _write(rig, words="New words.", rate=1000, level="info", concurrency=9)
        process.send_signal(signal.SIGHUP)
        # At the old rate it would take minutes.
        until(lambda: rig.store.count(Filter()) == {Status.SENT: _FLOWING})
        _write(rig, words="{{ Wrong words.", rate="fast", level="loud")
        process.send_signal(signal.SIGHUP)
        until(lambda: "notify.reload_refused" in rig.log())
        _greet(rig)
        until(lambda: rig.store.count(Filter()) == {Status.SENT: _FLOWING + 1})
        until(lambda: ear.words("STATUS")[-1].endswith(REFUSED))
        until(lambda: ear.words().count("READY=1") == 3)
    # It is the last report: all before it have arrived too.
    until(lambda: bool(ear.moments("STOPPING=1")))
    words = Counter(str(message.text).strip() for message in rig.sandbox.messages())
    assert set(words) == {"Old words.", "New words."}
    assert words.total() == _FLOWING + 1
    told = {entry["event"]: entry for entry in map(json.loads, rig.log().splitlines())}
    assert told["notify.reloaded"]["changed"] == ["log.level", "providers.sendgrid.rate"]
    assert told["notify.reload_needs_restart"]["keys"] == ["pools.email.concurrency"]
    mistakes = told["notify.reload_refused"]["reason"]
    assert "providers.sendgrid.rate: must be a number" in mistakes
    assert "log.level: must be 'debug'" in mistakes
    # Each reload says that it begins and is over; a new connection would report ready too.
    said = [word for word in ear.words() if word in ("READY=1", "RELOADING=1")]
    assert said == ["READY=1", *["RELOADING=1", "READY=1"] * 2]
    assert all(int(each) > 0 for each in ear.words("MONOTONIC_USEC"))


def _write(rig: Rig, *, words: str, rate: object, level: str, concurrency: int = 8) -> None:
    """Write a template and a configuration, as an operator does."""
    folder = rig.folder / "templates" / "greeting"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "email.subject.j2").write_text("Hello")
    (folder / "email.text.j2").write_text(words)
    endpoints = {"broker_url": rig.broker_url, "sandbox_url": rig.sandbox.url}
    text = CONFIG.format(store_url=f"sqlite:///{rig.folder}/notify.db", **endpoints)
    text = text.replace("concurrency = 8", f"concurrency = {concurrency}")
    rig.config.write_text(
        f'{text}rate = {json.dumps(rate)}\n[log]\nlevel = "{level}"\n'
        f'[templates]\nfolder = "{folder.parent}"\n'
    )


def _greet(rig: Rig) -> None:
    request = {"id": str(uuid4()), "to": "ada@example.com", "template": "greeting"}
    rig.publish(json.dumps(request).encode())
