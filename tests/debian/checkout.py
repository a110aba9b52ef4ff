"""A copy of this checkout in a Debian of another release, in which `make` targets run."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.debian.container import run_in
from tests.debian.image import ROOT, alone, cache, unpacked

_HERE = "/srv/notify"
_KEPT = {".venv"}
"""Kept in the copy: `make` updates it itself, and creating it takes minutes."""


class Checkout:
    """
    The copy.

    Attributes:
        folder: Its path outside the container.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self.folder = root / _HERE.lstrip("/")

    def run(self, *command: str) -> None:
        """
        Run a command in it, as root.

        Raises:
            subprocess.CalledProcessError: Its exit code was not 0.
        """
        run_in(self._root, *command, folder=_HERE, environ={"SOURCE_DATE_EPOCH": _committed_at()})

    def renew(self) -> None:
        """Copy all files but ignored ones; delete others in the copy, except its .venv."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.iterdir():
            if path.name not in _KEPT:
                shutil.rmtree(path) if path.is_dir() else path.unlink()
        for name in _files():
            source, target = ROOT / name, self.folder / name
            if source.is_file():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(source, target, follow_symlinks=False)


@contextmanager
def checkout_on(release: str) -> Iterator[Checkout]:
    """Open the copy for a release, for this process only; it is kept for the next run."""
    home = cache() / f"checkout-{release}"
    with alone(home.name):
        if not (home / "root").exists():
            partial = cache() / f"{home.name}.partial"
            shutil.rmtree(partial, ignore_errors=True)
            partial.mkdir()
            unpacked(partial, release)
            partial.replace(home)
        checkout = Checkout(home / "root")
        checkout.renew()
        yield checkout


def _files() -> list[str]:
    asked = ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    told = subprocess.run(asked, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [name for name in told.split("\0") if name]


def _committed_at() -> str:
    """Return the time of the last commit: the copy has no history, and packages are dated by it."""
    if given := os.environ.get("SOURCE_DATE_EPOCH"):
        return given
    asked = ("git", "log", "-1", "--format=%ct")
    return subprocess.run(
        asked, cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.strip()
