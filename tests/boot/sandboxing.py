"""The hardening of a worker's unit, tested from within."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

from tests.boot import probe
from tests.boot.machine import Machine

DONE = probe.DONE
UNIT = "notify-worker@probe.service"
_SCRIPT = "/opt/notify-probe.py"
_ANSWER = "/var/tmp/notify-probe.json"  # noqa: S108 - in the container, where it is private
# An instance of the workers' own unit, with another program.
_DROP_IN = f"""
[Service]
Type=oneshot
Restart=no
WatchdogSec=0
ExecStartPre=
ExecStart=
ExecStart=/usr/bin/python3 {_SCRIPT}
ExecReload=
StandardOutput=truncate:{_ANSWER}
"""
# The files' modes let root write anywhere: only the sandbox prevents it.
_AS_ROOT = """
[Service]
User=root
Group=root
StateDirectory=
"""


def probed(machine: Machine) -> tuple[int, list[str]]:
    """Probe as the service's user, as root, and outside; return the denials and the faults."""
    machine.put(_SCRIPT, Path(probe.__file__).read_text())
    machine.put(f"/etc/systemd/system/{UNIT}.d/probe.conf", _DROP_IN)
    user = _within(machine)
    machine.put(f"/etc/systemd/system/{UNIT}.d/root.conf", _AS_ROOT)
    root = _within(machine)
    outside = machine.said("systemd-run", "--quiet", "--pipe", "--wait", "python3", _SCRIPT)
    return judged(user, root, json.loads(outside))


def judged(
    user: Mapping[str, str], root: Mapping[str, str], free: Mapping[str, str]
) -> tuple[int, list[str]]:
    """Return how much was denied, and the faults, from the answers of the three probes."""
    denied = [each.__name__ for each in probe.DENIED]
    allowed = [each.__name__ for each in probe.ALLOWED]
    # These two are denied to the service's user only: the kernel hides no process from the group
    # root, and the source of the secrets is root's own.
    users = {probe.see_others.__name__, probe.read_secrets.__name__}
    by_sandbox = [name for name in denied if name not in users]
    faulty = [f"a worker can {name}" for name in denied if user[name] == DONE]
    faulty += [
        f"root in a worker's sandbox can {name}" for name in by_sandbox if root[name] == DONE
    ]
    faulty += [f"the probe cannot {name}: {free[name]}" for name in denied if free[name] != DONE]
    faulty += [f"a worker cannot {name}: {user[name]}" for name in allowed if user[name] != DONE]
    return sum(user[name] != DONE for name in denied), faulty


def _within(machine: Machine) -> dict[str, str]:
    machine.said("systemctl", "daemon-reload")
    machine.said("systemctl", "start", UNIT)
    answer: dict[str, str] = json.loads((machine.root / _ANSWER.lstrip("/")).read_text())
    return answer
