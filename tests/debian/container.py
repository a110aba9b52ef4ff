"""Commands in a Debian in a folder, by systemd-nspawn, on this machine's network."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

from notify.stack.process import DIE_WITH_PARENT

NSPAWN = (
    "systemd-nspawn",
    "--quiet",
    "--register=no",
    "--keep-unit",
    "--console=pipe",
    "--timezone=off",
    "--link-journal=no",
)
"""The container shares only the network with its host."""
_TRUSTED = Path("/etc/ssl/certs/ca-certificates.crt")
_PASSED_ON = ("CI", "COURSE", "SOURCE_DATE_EPOCH")
"""Variables that change how tests run, and how a package is built."""


class CannotBoot(Exception):
    """Containers do not run here; the text says why."""


def why_not() -> str | None:
    """Return why no container runs here, or None."""
    if os.geteuid():
        return "only root may run a container"
    for program in ("systemd-nspawn", "debootstrap", "dpkg-deb", "nsenter"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return None


def run_in(
    root: Path, *command: str, folder: str = "/", environ: Mapping[str, str] | None = None
) -> None:
    """
    Run a command in a root folder as root, with its output on ours.

    Packages are fetched as this machine fetches them: by its proxies and its authorities.

    Args:
        folder: The working directory, in the container.
        environ: Variables in addition to this machine's for pip and for proxies.

    Raises:
        subprocess.CalledProcessError: Its exit code was not 0.
    """
    variables = {name: value for name, value in os.environ.items() if _passed_on(name)}
    variables |= environ or {}
    options = [f"--setenv={name}={value}" for name, value in variables.items()]
    if _TRUSTED.exists():
        options.append(f"--bind-ro={_TRUSTED}")
    subprocess.run(
        [
            *DIE_WITH_PARENT,
            *NSPAWN,
            "--as-pid2",
            "--resolv-conf=copy-host",
            f"--machine=notify-debian-{os.getpid()}",
            f"--directory={root}",
            f"--chdir={folder}",
            *options,
            "--",
            *command,
        ],
        check=True,
        stdin=subprocess.DEVNULL,
    )


def _passed_on(name: str) -> bool:
    return name.startswith("PIP_") or name.lower().endswith("_proxy") or name in _PASSED_ON
