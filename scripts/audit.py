"""
Ask PyPI for known vulnerabilities of what the lock pins, by pip-audit in an environment of its own.

    python scripts/audit.py                          # exits with 1 where one is known

Without a way to PyPI's advisories nothing is found and nothing is wrong: that is said, since it is
no clean bill, and no failure, since a machine without network builds too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import venv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TOOL = "pip-audit==2.10.1"
HOME = Path("build/audit")
IMPATIENT = ("--retries", "0", "--timeout", "10")


def main() -> int:
    """Audit requirements.lock; give the exit code."""
    report = _report()
    if report is None:
        return _unknown("pip-audit cannot be installed, or cannot ask")
    return verdict(report)


def verdict(report: Mapping[str, Any]) -> int:
    """Say what pip-audit has found; give the exit code."""
    asked = [each for each in report["dependencies"] if "skip_reason" not in each]
    if not asked:
        return _unknown("PyPI gives no advisories here")
    found = [(each, flaw) for each in asked for flaw in each["vulns"]]
    for each, flaw in found:
        mended = ", ".join(flaw["fix_versions"]) or "no version yet"
        sys.stderr.write(f"{each['name']} {each['version']}: {flaw['id']}, mended in {mended}\n")
    skipped = len(report["dependencies"]) - len(asked)
    left_out = f", {skipped} of which PyPI knows nothing" if skipped else ""
    sys.stderr.write(f"audit: {len(found)} known vulnerabilities in {len(asked)}{left_out}\n")
    return 1 if found else 0


def _report() -> dict[str, Any] | None:
    """Run pip-audit; None where it could not work."""
    program, answer = HOME / "bin" / "pip-audit", HOME / "report.json"
    try:
        if not program.exists():
            venv.create(HOME, with_pip=True, clear=True)
            pip = [HOME / "bin" / "python", "-m", "pip", "install", "--quiet", *IMPATIENT, TOOL]
            _run(pip).check_returncode()
        answer.unlink(missing_ok=True)
        lock = ["--disable-pip", "--require-hashes", "--requirement", "requirements.lock"]
        quiet = ["--progress-spinner", "off", "--timeout", "10"]
        report = ["--format", "json", "--output", answer]
        # It exits with 1 both for a vulnerability and for want of a network.
        _run([program, *lock, *quiet, *report])
        told: dict[str, Any] = json.loads(answer.read_text())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return told


def _run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, check=False, timeout=600, capture_output=True)  # noqa: S603


def _unknown(why: str) -> int:
    sys.stderr.write(f"audit: NOT DONE: {why}; run it again where there is a network\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
