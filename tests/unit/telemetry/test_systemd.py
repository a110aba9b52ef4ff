"""Reports to systemd over a real socket, and without one."""

from __future__ import annotations

import os
import socket
from pathlib import Path

import pytest

from notify.telemetry.systemd import Systemd
from notify.worker.loop_state import LoopState
from tests.support.listening import listening
from tests.support.rig import until
from tests.support.tables import each_of


@pytest.mark.parametrize("kind", ["a file", "an abstract address"])
def test_each_word_arrives_as_sd_notify_writes_it(tmp_path: Path, kind: str) -> None:
    """The address is a path, or a name that begins with @, which stands for a zero byte."""
    address = f"@notify-test-{os.getpid()}" if kind != "a file" else tmp_path / "socket"
    with listening(address) as ear:
        systemd = Systemd({"NOTIFY_SOCKET": str(address)}, monotonic_ns=lambda: 7_654_321)
        systemd.status("waiting")
        systemd.ready()
        systemd.alive()
        systemd.reloading()
        systemd.stopping()
        until(lambda: "STOPPING=1" in ear.words())
        assert ear.words() == [
            "STATUS=waiting",
            "READY=1",
            "WATCHDOG=1",
            "RELOADING=1",
            "MONOTONIC_USEC=7654",
            "STOPPING=1",
        ]


def test_a_missing_socket_raises_no_error(tmp_path: Path) -> None:
    """Outside of systemd, and if its socket is gone."""
    outside = Systemd({"WATCHDOG_USEC": "3000000"})
    outside.ready()
    assert not outside.listens
    assert outside.watchdog is None
    Systemd({"NOTIFY_SOCKET": str(tmp_path / "gone")}).alive()


def test_a_socket_that_is_not_read_does_not_block(tmp_path: Path) -> None:
    """The event loop must not wait for systemd, however busy it is."""
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as deaf:
        deaf.bind(str(path))
        systemd = Systemd({"NOTIFY_SOCKET": str(path)})
        # More than its buffer holds: a call that waited for room would never return.
        for _ in range(2000):
            systemd.alive()


@each_of(
    ("usec", "pid", "watchdog"),
    [
        ("30000000", "41", 30.0),
        ("30000000", None, 30.0),
        ("30000000", "42", None),
        ("0", "41", None),
        ("soon", "41", None),
        (None, None, None),
    ],
)
def test_the_watchdog_is_that_of_this_process(
    usec: str | None, pid: str | None, watchdog: float | None
) -> None:
    """$WATCHDOG_PID names the process that systemd watches: a child inherits both variables."""
    said = {"NOTIFY_SOCKET": "@x", "WATCHDOG_USEC": usec, "WATCHDOG_PID": pid}
    environ = {name: value for name, value in said.items() if value is not None}
    assert Systemd(environ, pid=41).watchdog == watchdog


@pytest.mark.parametrize(("watchdog", "signs"), [(30.0, [0.0, 10.0, 20.0, 30.0]), (None, [])])
def test_a_loop_that_turns_is_alive_at_a_third_of_the_watchdog(
    watchdog: float | None, signs: list[float]
) -> None:
    """However often it turns; and never without a watchdog."""
    now, told = [0.0], list[float]()
    state = LoopState(
        alive=lambda: told.append(now[0]), watchdog=watchdog, monotonic=lambda: now[0]
    )
    while now[0] <= 30:
        state.turn()
        now[0] += 0.25
    assert told == signs
    assert state.turned_at == 30
