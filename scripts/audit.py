"""
Ask PyPI for known vulnerabilities of the locked packages, by pip-audit in its own environment.

    python scripts/audit.py                # exits with 1 if one is known, or it could not ask
    python scripts/audit.py --optional     # the second is only reported: without a network

No answer is not a pass: there may be an advisory that could not be read.
"""

from __future__ import annotations

import argparse
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
    """Audit requirements.lock; return the exit code."""
    parser = argparse.ArgumentParser(description="Ask PyPI for known vulnerabilities of the lock.")
    help_ = "do not fail where PyPI cannot be asked; what it knows still fails"
    parser.add_argument("--optional", action="store_true", help=help_)
    optional = parser.parse_args().optional
    report = _report()
    if report is None:
        return _unknown("pip-audit cannot be installed, or cannot ask", optional=optional)
    return verdict(report, optional=optional)


def verdict(report: Mapping[str, Any], *, optional: bool) -> int:
    """Print pip-audit's findings; return the exit code."""
    asked = [each for each in report["dependencies"] if "skip_reason" not in each]
    if not asked:
        return _unknown("PyPI gives no advisories here", optional=optional)
    found = [(each, flaw) for each in asked for flaw in each["vulns"]]
    for each, flaw in found:
        mended = ", ".join(flaw["fix_versions"]) or "no version yet"
        sys.stderr.write(f"{each['name']} {each['version']}: {flaw['id']}, mended in {mended}\n")
    sys.stderr.write(f"audit: {len(found)} known vulnerabilities in {len(asked)}\n")
    skipped = [each["name"] for each in report["dependencies"] if "skip_reason" in each]
    code = int(bool(found))
    if skipped:
        why = f"PyPI gives no advisories for {', '.join(skipped)}"
        return max(code, _unknown(why, optional=optional))
    return code


def _report() -> dict[str, Any] | None:
    """Run pip-audit; return None if it could not work."""
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
        # It exits with 1 both for a vulnerability and without a network.
        _run([program, *lock, *quiet, *report])
        told: dict[str, Any] = json.loads(answer.read_text())
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    return told


def _run(command: Sequence[str | Path]) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command, check=False, timeout=600, capture_output=True)  # noqa: S603


def _unknown(why: str, *, optional: bool) -> int:
    what_next = "run it again where there is a network"
    if not optional:
        what_next += ", or build without it: make package AUDIT=optional"
    sys.stderr.write(f"audit: NOT DONE: {why}; {what_next}\n")
    return int(not optional)


if __name__ == "__main__":
    sys.exit(main())
