"""The scenes with the installed package, in order; each records the faults that it finds."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import urllib3

from notify.message import Channel
from notify.topology.plan import OPERATOR_USER
from tests.boot.machine import Failed
from tests.boot.stage import POOLS, Stage, as_user, outgoing, unit
from tests.faults.load import SOURCE
from tests.faults.stage import until
from tests.support.malformed import MALFORMED

RESTARTS = 20
UNDER_WAY = 50
"""The least number of calls to the vendors between two restarts."""
BACK_WITHIN = 120.0
"""Seconds in which a worker that was killed or hangs must send again."""
AT_REST_WITHIN = 180.0
INSTALLED = "/var/tmp/notify.deb"  # noqa: S108 - in the container, where it is private
UNITS = [unit(pool) for pool in POOLS]
TEMPLATES = "/etc/notify/templates/greeting/en"


def install(stage: Stage, package: Path) -> None:
    """Install the package without downloads, and check what it created."""
    machine = stage.machine
    shutil.copy(package, machine.root / INSTALLED.lstrip("/"))
    machine.said("dpkg", "--install", INSTALLED)
    wanted = {
        "/etc/notify/notify.toml": "640 root:notify",
        "/opt/notify": "755 root:root",
        "/var/lib/notify": "750 notify:notify",
    }
    for path, mode in wanted.items():
        found = machine.said("stat", "--format=%a %U:%G", path)
        if found != mode:
            stage.faulty.append(f"{path} is {found} after the installation, not {mode}")
    if altered := machine.run("dpkg", "--verify", "notify-service").stdout.strip():
        stage.faulty.append(f"files are not as the package brought them: {altered}")
    if running := machine.said("systemctl", "list-units", "--plain", "--no-legend", "notify*"):
        stage.faulty.append(f"the installation started something: {running}")


def start(stage: Stage) -> None:
    """Follow the installation of docs/operations.md."""
    machine = stage.machine
    stage.configure()
    write_greeting(stage, "Good morning.")
    machine.said("notify", "config", "check")
    machine.said("notify", "migrate")
    producer = f"{SOURCE}:{','.join(Channel)}"
    stage.let_in(machine.said("notify", "topology", "export", "--users", "--producer", producer))
    operator = f"NOTIFY_AMQP__URL={as_user(OPERATOR_USER, stage.broker)}"
    machine.said("env", operator, "notify", "topology", "apply")
    machine.said("systemctl", "enable", "--now", "notify.target", *UNITS)
    stage.active(*POOLS)


def deliver(stage: Stage) -> None:
    """Send on each channel, and produce a dead letter."""
    for channel in Channel:
        if stage.seconds_to_send(channel, within=30) == float("inf"):
            stage.faulty.append(f"no {channel} was sent")
    stage.load.poison([next(row for row in MALFORMED if row.routing_key.startswith("email"))])
    if not until(lambda: stage.archived() == 1, timeout=30):
        stage.faulty.append("the dead letter was not archived")
    if not stage.at_rest(within=30):
        stage.faulty.append("what was sent is not on record")


def examine(stage: Stage) -> None:
    """Run the service's own checks."""
    doctor = stage.machine.run("notify", "doctor", "--json")
    if not doctor.stdout.startswith("{"):
        stage.faulty.append(f"the doctor fails: {doctor.stderr.strip()}")
        return
    for finding in json.loads(doctor.stdout)["findings"]:
        # Debian 12's RabbitMQ is old, which is not the package's fault.
        old = "is past its end of life" in finding["found"]
        if finding["verdict"] in ("warn", "fail") and not old:
            stage.faulty.append(f"the doctor finds something: {finding}")


def answer(stage: Stage) -> None:
    """Ask each worker over HTTP, as Prometheus and a load balancer do, through its hardening."""
    for pool in POOLS:
        if not _ready(f"http://127.0.0.1:{stage.ports[pool]}/readyz"):
            stage.faulty.append(f"the worker of {pool} does not answer that it is ready")


def maintain(stage: Stage) -> None:
    """Run the maintenance once, as its timer does."""
    stage.machine.said("systemctl", "start", "notify-maintenance.service")


def kill(stage: Stage) -> float:
    """End a worker as a power cut would; measure until the next email is sent."""
    return _back(stage, "KILL")


def hang(stage: Stage) -> float:
    """Freeze a worker; measure until the watchdog has replaced it and it sends."""
    return _back(stage, "STOP")


def _back(stage: Stage, signal: str) -> float:
    before = stage.machine.show(unit("email"), "MainPID")
    stage.machine.said("systemctl", "kill", f"--signal={signal}", "--kill-whom=main", unit("email"))
    seconds = stage.seconds_to_send(Channel.EMAIL, within=BACK_WITHIN)
    if stage.machine.show(unit("email"), "MainPID") == before:
        stage.faulty.append(f"the worker was not replaced after SIG{signal}")
    # At rest again, so that the next fault cuts off no call, which would excuse a duplicate.
    if seconds == float("inf") or not stage.at_rest(within=30):
        stage.faulty.append(f"the worker does not deliver after SIG{signal}")
    stage.active("email")
    return seconds


@contextmanager
def under_load(stage: Stage) -> Iterator[None]:
    """Publish within this context, confirmed or published again; wait for all to end."""
    stage.load.start()
    try:
        yield
    except Failed:
        stage.load.abandon()
        raise
    stage.load.finish(timeout=AT_REST_WITHIN)
    if not stage.at_rest(within=AT_REST_WITHIN):
        stage.faulty.append("not everything has come to rest")


def reload(stage: Stage) -> None:
    """Make the workers reload a template; none of them is replaced."""
    before = _pids(stage)
    write_greeting(stage, "Good evening.")
    stage.machine.said("systemctl", "reload", *UNITS)
    if not until(lambda: _greeting(stage) == "Good evening.", timeout=10):
        stage.faulty.append("a reload does not bring the new template")
    if _pids(stage) != before:
        stage.faulty.append("a reload replaced workers")
    stage.active(*POOLS)


def restart(stage: Stage, times: int = RESTARTS) -> None:
    """Restart everything repeatedly; each worker must exit cleanly."""
    for number in range(1, times + 1):
        before = _pids(stage)
        stage.machine.said("systemctl", "restart", "notify.target")
        stage.active(*POOLS)
        under_way(stage)
        for one, pid in zip(UNITS, before, strict=True):
            if stage.machine.show(one, "MainPID") == pid:
                stage.faulty.append(f"restart {number} did not replace {one}")
            if stage.machine.show(one, "NRestarts") != "0":
                stage.faulty.append(f"{one} had to be started again after restart {number}")


def under_way(stage: Stage) -> None:
    """Wait until the workers deliver again, so that the next fault comes under load."""
    before = stage.calls()
    if not until(lambda: stage.calls() >= before + UNDER_WAY, timeout=60):
        stage.faulty.append("the workers deliver nothing under load")


def failures(stage: Stage) -> list[str]:
    """Return systemd's complaints about the workers."""
    words = ("Failed with result", "timed out", "Main process exited, code=killed")
    journal = stage.machine.said("journalctl", "--output=cat", "_PID=1").splitlines()
    return [line for line in journal if "notify" in line and any(word in line for word in words)]


def upgrade(stage: Stage) -> None:
    """Install again: the workers continue, and an operator's files stay."""
    before, configured = _pids(stage), stage.machine.said("cat", "/etc/notify/notify.toml")
    said = stage.machine.said("dpkg", "--install", "--force-confdef", "--force-confold", INSTALLED)
    if "systemctl restart notify.target" not in said:
        stage.faulty.append("an upgrade does not tell what to do next")
    if _pids(stage) != before:
        stage.faulty.append("an upgrade replaced workers by itself")
    if stage.machine.said("cat", "/etc/notify/notify.toml") != configured:
        stage.faulty.append("an upgrade changed the configuration")
    if (mode := stage.machine.said("stat", "--format=%a %U:%G", "/etc/notify/notify.toml")) != (
        "640 root:notify"
    ):
        stage.faulty.append(f"after an upgrade the configuration is {mode}")


def purge(stage: Stage) -> None:
    """Remove it: the workers stop cleanly, and nothing is left."""
    stage.machine.said("dpkg", "--purge", "notify-service")
    for path in ("/opt/notify", "/etc/notify", "/var/lib/notify", "/usr/bin/notify"):
        if (stage.machine.root / path.lstrip("/")).exists():
            stage.faulty.append(f"{path} is left after a purge")
    if running := stage.machine.run("pgrep", "--list-full", "--full", "/opt/notify").stdout:
        stage.faulty.append(f"after a purge processes run: {running}")


def write_greeting(stage: Stage, text: str) -> None:
    """Write the operator's own template."""
    stage.machine.put(f"{TEMPLATES}/email.subject.j2", "Hello\n")
    stage.machine.put(f"{TEMPLATES}/email.text.j2", f"{text}\n")


def _greeting(stage: Stage) -> str:
    message = outgoing(Channel.EMAIL, to="ada@example.com", template="greeting", data={})
    stage.load.publish([message])
    until(lambda: bool(stage.sandbox.messages(notify_id=message.message_id)), timeout=10)
    found = stage.sandbox.messages(notify_id=message.message_id)
    return found[0].text.strip() if found else ""


def _ready(url: str) -> bool:
    try:
        return urllib3.request("GET", url, retries=False).status == 200
    except urllib3.exceptions.HTTPError:
        return False


def _pids(stage: Stage) -> list[str]:
    return [stage.machine.show(one, "MainPID") for one in UNITS]
