"""What the Debian package holds, whose it is and who may read it."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

WANTED = {
    "./etc/notify/notify.toml": "-rw-r-----",
    "./etc/notify/providers.env.example": "-rw-r--r--",
    "./usr/lib/systemd/system/notify.target": "-rw-r--r--",
    "./usr/lib/systemd/system/notify-worker@.service": "-rw-r--r--",
    "./usr/lib/systemd/system/notify-maintenance.service": "-rw-r--r--",
    "./usr/lib/systemd/system/notify-maintenance.timer": "-rw-r--r--",
    "./usr/lib/sysusers.d/notify.conf": "-rw-r--r--",
    "./usr/lib/tmpfiles.d/notify.conf": "-rw-r--r--",
    "./usr/bin/notify": "-rwxr-xr-x",
    "./usr/share/doc/notify-service/copyright": "-rw-r--r--",
    "./opt/notify/bin/notify": "-rwxr-xr-x",
}
CONFFILES = {"/etc/notify/notify.toml", "/etc/notify/providers.env.example"}
UNWANTED = (
    "direct_url.json",
    *(
        f"/site-packages/{name}"
        for name in ("hypothesis", "mypy", "pip", "pytest", "ruff", "test", "tests")
    ),
    "/twilio/rest/video/",
    "/phonenumbers/geodata/",
)
"""What tells where it was built, what only developers need, and what nothing imports."""


_UNCHECKED = 0b01
"""The flags of a compiled file that holds no time and is taken without a look (PEP 552)."""


def mistakes(package: Path, *, release: str) -> Iterator[str]:
    """Yield what is wrong with a package for a Debian release, uninstalled."""
    version = _said("--field", str(package), "Version").strip()
    if not version.endswith(f"+deb{release}"):
        yield f"the version {version} does not say that it is for Debian {release}"
    yield from mistakes_in(_said("--contents", str(package)), wanted=WANTED)
    listed = set(_said("--info", str(package), "conffiles").split())
    if listed != CONFFILES:
        yield f"the configuration files of the package are {listed}"
    yield from (f"{name} differs from build to build" for name in varying(package))


def mistakes_in(listing: str, *, wanted: Mapping[str, str]) -> Iterator[str]:
    """Tell what is wrong with files as `dpkg-deb --contents` lists them."""
    modes, owners = {}, set()
    for line in listing.splitlines():
        mode, owner, _, _, _, name = line.split(maxsplit=5)
        modes[name.partition(" -> ")[0]] = mode
        owners.add(owner)
    if owners != {"root/root"}:
        yield f"files of the package belong to {owners}"
    for name, mode in wanted.items():
        if modes.get(name) != mode:
            yield f"{name} has mode {modes.get(name)} in the package, not {mode}"
    for name, mode in modes.items():
        if mode[0] != "l" and _unsafe(mode):
            yield f"{name} has mode {mode}"
        if any(word in name for word in UNWANTED):
            yield f"{name} has no place in the package"


def varying(package: Path) -> list[str]:
    """Name the files that hold a time or a place of the build: they differ from build to build."""
    unpacking = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(unpacking, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        return varying_in(process.stdout)


def varying_in(archive: IO[bytes]) -> list[str]:
    """Name such files of a tar archive."""
    with tarfile.open(fileobj=archive, mode="r|") as files:
        return [
            member.name
            for member in files
            if member.isfile() and _varies(member.name, files.extractfile(member))
        ]


def _varies(name: str, file: IO[bytes] | None) -> bool:
    assert file is not None
    if name.endswith(".pyc"):
        return int.from_bytes(file.read(8)[4:], "little") != _UNCHECKED
    # The digest of a program of pip's making, which began with the folder that it was made in.
    return name.endswith(".dist-info/RECORD") and b"../bin/" in file.read()


def _unsafe(mode: str) -> bool:
    """Whether others than the owner may write, or it runs as its owner."""
    return "w" in (mode[5], mode[8]) or "s" in mode.lower()


def _said(*arguments: str) -> str:
    return subprocess.run(
        ["dpkg-deb", *arguments], check=True, capture_output=True, text=True
    ).stdout
