"""The systemd units: without mistakes, in step with the program, and hardened."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from notify.web.process import COMPONENTS_TIMEOUT as WEB_COMPONENTS_TIMEOUT
from notify.web.server import DRAIN
from notify.worker.process import COMPONENTS_TIMEOUT, STOP_TIMEOUT
from tests.support.services import missing

UNITS = Path(__file__).parents[3] / "systemd"
SERVICES = sorted(UNITS.glob("*.service"))
_WORKER = UNITS / "notify-worker@.service"
_WEB = UNITS / "notify-web-receipts.service"


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, which needs no running systemd for these verbs."""
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("systemd-analyze is not installed; on Debian it is part of the package systemd")
    return subprocess.run([program, *arguments], capture_output=True, text=True, timeout=60)


def settings(unit: Path) -> dict[str, list[str]]:
    """Return a unit's directives."""
    found: dict[str, list[str]] = {}
    for line in unit.read_text().splitlines():
        if match := re.fullmatch(r"([A-Za-z]+)=(.*)", line):
            found.setdefault(match[1], []).append(match[2])
    return found


def test_the_units_have_no_mistakes(tmp_path: Path) -> None:
    """Every directive is known; only the program's path is replaced by one that exists."""
    for unit in UNITS.glob("*.*"):
        if unit.suffix in (".service", ".timer", ".target"):
            name = unit.name.replace("@.", "@email.")
            text = unit.read_text().replace("/opt/notify/bin/notify", "/bin/true")
            (tmp_path / name).write_text(text)
    units = [str(unit) for unit in tmp_path.iterdir()]
    assert len(units) == len(SERVICES) + 2
    assert analyze("verify", *units).stderr == ""


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.name)
def test_a_service_is_exposed_little(unit: Path) -> None:
    """Ten is full exposure, one about that of any program with a network; ours stays within 1.5."""
    checked = analyze("security", "--offline=true", "--threshold=15", str(unit))
    exposure = re.search(r"exposure level for (\S+): ([\d.]+)", checked.stdout)
    assert exposure is not None, checked.stderr
    assert checked.returncode == 0, exposure[0]


def test_the_services_are_hardened_alike() -> None:
    """All have the same hardening: a new line belongs to each."""
    first, *others = [_hardening(unit) for unit in SERVICES]
    assert len(SERVICES) >= 3
    assert all(other == first for other in others)


def _hardening(unit: Path) -> str:
    text = unit.read_text()
    return text[text.index("# A core dump") :].partition("\n[Install]")[0].strip()


def test_systemd_waits_longer_for_a_stop_than_the_worker_does() -> None:
    """Otherwise it would kill a worker during its last calls."""
    (seconds,) = settings(_WORKER)["TimeoutStopSec"]
    assert int(seconds) > STOP_TIMEOUT + COMPONENTS_TIMEOUT


def test_systemd_waits_longer_for_a_stop_than_the_web_process_does() -> None:
    """Three background threads stop one after the other, after the last answers."""
    (seconds,) = settings(_WEB)["TimeoutStopSec"]
    assert int(seconds) > DRAIN + 3 * WEB_COMPONENTS_TIMEOUT
    (seconds,) = settings(UNITS / "notify-web-api.service")["TimeoutStopSec"]
    assert int(seconds) > DRAIN + 5 * WEB_COMPONENTS_TIMEOUT


def test_receipts_run_after_deliveries_on_a_full_machine() -> None:
    """In a burst of 100,000, a login code took 2.5 times as long as on an idle machine."""
    (dropped_in,) = UNITS.glob("notify-worker@receipts.service.d/*.conf")
    assert settings(dropped_in)["Nice"] == settings(_WEB)["Nice"] == ["10"]
    assert "Nice" not in settings(_WORKER)


def test_the_web_process_gets_no_key_that_can_send() -> None:
    """Its credential is another file than the workers'."""
    assert settings(_WEB)["LoadCredential"] == ["receipts.env:/etc/notify/receipts.env"]
    api = settings(UNITS / "notify-web-api.service")
    assert api["LoadCredential"] == ["api.env:/etc/notify/api.env"]
    console = settings(UNITS / "notify-web-console.service")
    assert console["LoadCredential"] == ["console.env:/etc/notify/console.env"]
    assert settings(_WORKER)["LoadCredential"] == ["providers.env:/etc/notify/providers.env"]
    folders = (UNITS / "tmpfiles.d/notify.conf").read_text()
    for name in ("providers", "receipts", "api", "console"):
        assert re.search(rf"^z /etc/notify/{name}\.env +0600 root +root$", folders, re.MULTILINE)


def test_the_user_of_the_units_is_made_and_owns_their_folder() -> None:
    """The units, the user's file and the folders' file must name the same."""
    users = {user for unit in SERVICES for user in settings(unit)["User"]}
    (user,) = users
    made = (UNITS / "sysusers.d/notify.conf").read_text()
    assert re.search(rf"^u {user} ", made, re.MULTILINE)
    folders = (UNITS / "tmpfiles.d/notify.conf").read_text()
    assert re.search(rf"^d /var/lib/notify +0750 {user} {user}$", folders, re.MULTILINE)
