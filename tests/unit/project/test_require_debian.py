"""The Debian packages that `make` installs, and its output."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
APT = """#!/bin/sh
echo "Unpacking all of $* ..."
echo "(Reading database ... 5%" >&2
[ "$1" = update ] || touch "$0.ran"
exit "${APT_CODE:-0}"
"""
DPKG_QUERY = """#!/bin/sh
[ -e "${0%/*}/apt-get.ran" ] && printf installed
"""


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder with a verbose apt-get, and a dpkg-query that finds its packages."""
    if os.geteuid():
        pytest.skip("only root installs packages")
    for name, text in (("apt-get", APT), ("dpkg-query", DPKG_QUERY)):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    return tmp_path


def required(programs: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    """Request a package that no machine has."""
    return subprocess.run(
        [ROOT / "scripts" / "require-debian.sh", "no-such-package"],
        env={"PATH": f"{programs}:{os.environ['PATH']}", **environ},
        capture_output=True,
        text=True,
        check=False,
    )


def test_an_installation_says_in_one_line_what_it_installs(programs: Path) -> None:
    """The first `make run` does not show dpkg's progress."""
    done = required(programs)
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "Installing Debian packages: no-such-package\n"


def test_an_installation_that_fails_shows_what_apt_said(programs: Path) -> None:
    """Only apt's output has a mirror's error."""
    done = required(programs, APT_CODE="100")
    assert done.returncode != 0
    assert "Unpacking all of update" in done.stderr
