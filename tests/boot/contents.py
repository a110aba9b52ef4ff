"""The files of the Debian package, their owners and modes."""

from __future__ import annotations

import subprocess
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import IO

WANTED = {
    "./etc/notify/notify.toml": "-rw-r-----",
    "./etc/notify/providers.env.example": "-rw-r--r--",
    "./etc/notify/receipts.env.example": "-rw-r--r--",
    "./etc/notify/api.env.example": "-rw-r--r--",
    "./etc/notify/console.env.example": "-rw-r--r--",
    "./usr/lib/systemd/system/notify.target": "-rw-r--r--",
    "./usr/lib/systemd/system/notify-worker@.service": "-rw-r--r--",
    "./usr/lib/systemd/system/notify-worker@receipts.service.d/nice.conf": "-rw-r--r--",
    "./usr/lib/systemd/system/notify-maintenance.service": "-rw-r--r--",
    "./usr/lib/systemd/system/notify-maintenance.timer": "-rw-r--r--",
    "./usr/lib/systemd/system/notify-web-receipts.service": "-rw-r--r--",
    "./usr/lib/systemd/system/notify-web-api.service": "-rw-r--r--",
    "./usr/lib/systemd/system/notify-web-console.service": "-rw-r--r--",
    "./usr/lib/sysusers.d/notify.conf": "-rw-r--r--",
    "./usr/lib/tmpfiles.d/notify.conf": "-rw-r--r--",
    "./usr/bin/notify": "-rwxr-xr-x",
    "./usr/share/doc/notify-service/copyright": "-rw-r--r--",
    "./opt/notify/bin/notify": "-rwxr-xr-x",
}
CONFFILES = {
    "/etc/notify/notify.toml",
    "/etc/notify/providers.env.example",
    "/etc/notify/receipts.env.example",
    "/etc/notify/api.env.example",
    "/etc/notify/console.env.example",
}
UNWANTED = (
    "direct_url.json",
    *(
        f"/site-packages/{name}"
        for name in ("hypothesis", "mypy", "pip", "pytest", "ruff", "test", "tests")
    ),
    "/twilio/rest/video/",
    "/phonenumbers/geodata/",
)
"""Files that reveal where it was built, that only developers need, or that nothing imports."""


_UNCHECKED = 0b01
"""The flags of a compiled file without a time, which is used unchecked (PEP 552)."""


def mistakes(package: Path, *, release: str) -> Iterator[str]:
    """Yield the faults of a package for a Debian release, without installing it."""
    version = _said("--field", str(package), "Version").strip()
    if not version.endswith(f"+deb{release}"):
        yield f"the version {version} does not say that it is for Debian {release}"
    yield from mistakes_in(_said("--contents", str(package)), wanted=WANTED)
    listed = set(_said("--info", str(package), "conffiles").split())
    if listed != CONFFILES:
        yield f"the configuration files of the package are {listed}"
    yield from (f"{name} differs from build to build" for name in varying(package))


def mistakes_in(listing: str, *, wanted: Mapping[str, str]) -> Iterator[str]:
    """Return the faults of files as `dpkg-deb --contents` lists them."""
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
    """Return the files that contain a time or path of the build, so differ in each build."""
    unpacking = ["dpkg-deb", "--fsys-tarfile", str(package)]
    with subprocess.Popen(unpacking, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        return varying_in(process.stdout)


def varying_in(archive: IO[bytes]) -> list[str]:
    """Return such files of a tar archive."""
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
    # The digest of a script made by pip, whose first line had the folder of the build.
    return name.endswith(".dist-info/RECORD") and b"../bin/" in file.read()


def _unsafe(mode: str) -> bool:
    """Whether others than the owner may write it, or it is setuid."""
    return "w" in (mode[5], mode[8]) or "s" in mode.lower()


def _said(*arguments: str) -> str:
    return subprocess.run(
        ["dpkg-deb", *arguments], check=True, capture_output=True, text=True
    ).stdout
