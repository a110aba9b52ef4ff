"""The systemd units: without mistakes, and with little left to an intruder."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

UNITS = Path(__file__).parents[2] / "systemd"
ANALYZE = shutil.which("systemd-analyze")
pytestmark = pytest.mark.skipif(ANALYZE is None, reason="systemd-analyze is not installed")


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run systemd-analyze, which needs no running systemd for these verbs."""
    assert ANALYZE is not None
    return subprocess.run([ANALYZE, *arguments], capture_output=True, text=True, timeout=60)


def test_the_units_have_no_mistakes(tmp_path: Path) -> None:
    """Every directive is known; only the program's path is replaced by one that exists."""
    text = (UNITS / "notify-worker@.service").read_text()
    unit = tmp_path / "notify-worker@email.service"
    unit.write_text(text.replace("/opt/notify/bin/notify", "/bin/true"))
    (tmp_path / "notify.target").write_text((UNITS / "notify.target").read_text())
    assert analyze("verify", str(unit)).stderr == ""


def test_a_worker_is_exposed_little() -> None:
    """Ten is everything, one about what any program with a network has; ours stays within 1.5."""
    checked = analyze(
        "security", "--offline=true", "--threshold=15", str(UNITS / "notify-worker@.service")
    )
    assert checked.returncode == 0, checked.stdout[-200:]
