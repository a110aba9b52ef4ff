"""A small Debian with the services that notify needs, created once and kept outside the tree."""

from __future__ import annotations

import fcntl
import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.debian.container import run_in

ROOT = Path(__file__).parents[2]
SUITES = {"12": "bookworm", "13": "trixie"}
"""The releases that notify supports, by number."""
PACKAGES = ("systemd", "systemd-sysv", "dbus", "procps", "python3", "ca-certificates", "make")
"""The packages of every Debian machine, the dependencies of ours, and `make`."""
SERVICES = ("rabbitmq-server", "postgresql")
NEEDED = ("debootstrap", "systemd-container")
"""The packages that this machine needs to create an image and to run it."""
_INSTALL = "/srv/require-debian.sh"


def release_here() -> str:
    """Return the number of this machine's Debian, such as `12`."""
    return platform.freedesktop_os_release().get("VERSION_ID", "")


def unpacked(folder: Path, release: str) -> Path:
    """Unpack a fresh root of a release, never booted, into a new folder inside this one."""
    root = folder / "root"
    root.mkdir()
    archive = _tarball(release)
    _run("tar", "--extract", "--numeric-owner", f"--file={archive}", f"--directory={root}")
    return root


def cache() -> Path:
    """Return the folder that keeps images between runs."""
    home = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    (home / "notify").mkdir(parents=True, exist_ok=True)
    return home / "notify"


@contextmanager
def alone(name: str) -> Iterator[None]:
    """Lock a name in the cache; wait until no other process has it."""
    with (cache() / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _tarball(release: str) -> Path:
    suite = SUITES[release]
    recipe = (suite, *PACKAGES, *SERVICES)
    digest = hashlib.sha256(" ".join(recipe).encode()).hexdigest()[:12]
    tarball = cache() / f"debian-{suite}-{digest}.tar"
    with alone(tarball.stem):
        if not tarball.exists():
            print(f"making a Debian {suite}, once, in minutes; kept as {tarball}", flush=True)
            with tempfile.TemporaryDirectory(prefix="notify-image-", dir=cache()) as folder:
                _make(Path(folder), suite, tarball)
    return tarball


def _make(folder: Path, suite: str, tarball: Path) -> None:
    root, partial = folder / "root", tarball.with_suffix(".partial")
    _run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, str(root))
    # Debootstrap configures services badly; apt in the container does it well, and starts none.
    shutil.copy(ROOT / "scripts" / "require-debian.sh", root / _INSTALL.lstrip("/"))
    run_in(root, _INSTALL, *SERVICES)
    for left in ("var/cache/apt/archives", "usr/share/doc"):
        shutil.rmtree(root / left)
    _run("tar", "--create", "--numeric-owner", f"--file={partial}", f"--directory={root}", ".")
    partial.replace(tarball)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
