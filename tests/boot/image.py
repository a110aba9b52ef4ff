"""A small Debian to boot, made once and kept outside the tree."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import subprocess
import tempfile
from pathlib import Path

PACKAGES = ("systemd", "systemd-sysv", "dbus", "procps", "python3", "ca-certificates")
"""What every Debian machine has, and what the package depends on."""
NEEDED = ("debootstrap", "systemd-container", "rabbitmq-server", "postgresql")


def unpacked(folder: Path) -> Path:
    """Give a fresh root, never booted, in a new folder inside this one."""
    root = folder / "root"
    root.mkdir()
    _run("tar", "--extract", "--numeric-owner", f"--file={_tarball()}", f"--directory={root}")
    return root


def _tarball() -> Path:
    """Find the image, or make it: the same Debian as this machine's, for which the package is."""
    suite = platform.freedesktop_os_release()["VERSION_CODENAME"]
    digest = hashlib.sha256(" ".join((suite, *PACKAGES)).encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "notify"
    tarball = cache / f"boot-{suite}-{digest}.tar"
    if not tarball.exists():
        cache.mkdir(parents=True, exist_ok=True)
        print(f"making a Debian {suite} to boot, once; kept as {tarball}", flush=True)
        with tempfile.TemporaryDirectory(prefix="notify-image-") as folder:
            _make(Path(folder), suite, tarball)
    return tarball


def _make(folder: Path, suite: str, tarball: Path) -> None:
    root, partial = folder / "root", tarball.with_suffix(f".{os.getpid()}")
    _run("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", suite, str(root))
    for left in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc"):
        shutil.rmtree(root / left)
    _run("tar", "--create", "--numeric-owner", f"--file={partial}", f"--directory={root}", ".")
    partial.replace(tarball)


def _run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
