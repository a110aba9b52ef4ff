"""Files with secrets that other users can read."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from notify.settings.checks.finding import ConfigFinding
from notify.settings.sources import Tree, credential_files

_ACL = "system.posix_acl_access"


@dataclass(frozen=True, slots=True)
class Exposure:
    """One file that too many users can read, and the command that corrects it."""

    finding: ConfigFinding
    command: str


def exposures(tree: Tree, environ: Mapping[str, str]) -> Iterator[Exposure]:
    """Yield the credentials, environment files and passwords that other users can read."""
    secrets = credential_files(environ)
    for file in secrets:
        if _exposed(file):
            text = "readable by more than its owner; chmod 0400 it"
            finding = ConfigFinding(f"credential {file.name}", text)
            yield Exposure(finding, f"chmod 0400 {shlex.quote(str(file))}")
    if tree.file is not None:
        others = set(tree.file.parent.glob("*.env")) - set(secrets)
        yield from _environment_files(sorted(others))
        yield from _passwords(tree, tree.file)


def _environment_files(files: Iterable[Path]) -> Iterator[Exposure]:
    for file in files:
        if _open_to_all(file):
            text = "every user can read this file for secrets; chmod o= it"
            yield Exposure(ConfigFinding(file.name, text), f"chmod o= {shlex.quote(str(file))}")


def _passwords(tree: Tree, file: Path) -> Iterator[Exposure]:
    for section in ("amqp", "store"):
        key = (section, "url")
        table = tree.values.get(section)
        url = table.get("url") if isinstance(table, dict) else None
        if _holds_a_password(url) and tree.origin(key).kind == "file" and _open_to_all(file):
            name = f"NOTIFY_{section.upper()}__URL"
            text = f"a password in a file that every user can read; move it to a credential {name}"
            command = f"chmod o= {shlex.quote(str(file))}"
            yield Exposure(ConfigFinding(f"{section}.url", text), command)


def _holds_a_password(url: object) -> bool:
    if not isinstance(url, str) or "://guest:guest@" in url:
        return False
    return ":" in url.partition("://")[2].rpartition("@")[0]


def _exposed(file: Path) -> bool:
    """Whether others can read it. With an ACL, as systemd sets it, the group bits are its mask."""
    mode = file.stat().st_mode
    return bool(mode & 0o007 or (mode & 0o070 and _ACL not in os.listxattr(file)))


def _open_to_all(file: Path) -> bool:
    return bool(file.stat().st_mode & 0o004)
