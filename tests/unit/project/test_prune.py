"""The Debian package omits only modules that the service does not import."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest

from scripts import prune

SITE = Path(sysconfig.get_path("purelib"))
IMPORT_ALL = """
import importlib, pkgutil, sys
import notify, providers
for package in (notify, providers):
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        if not module.name.endswith(("__main__", ".env")):
            importlib.import_module(module.name)
# These load the rest of themselves when they are used.
from twilio.rest import Client
Client("AC1", "token").messages("SM1")
import phonenumbers
number = phonenumbers.parse("+15005550006")
phonenumbers.is_valid_number(number), phonenumbers.region_code_for_number(number)
print(*(module.__file__ for module in list(sys.modules.values()) if getattr(module, "__file__", 0)))
"""


def test_nothing_that_the_package_leaves_out_is_imported() -> None:
    """A worker that misses a module stops at its first message."""
    program = [sys.executable, "-c", IMPORT_ALL]
    done = subprocess.run(program, check=True, capture_output=True, text=True)
    loaded = {Path(file) for file in done.stdout.split()}
    assert SITE / "twilio" / "rest" / "api" / "__init__.py" in loaded
    left_out = set(prune.unused(SITE))
    assert not [file for file in loaded if left_out & {file, *file.parents}]


def test_what_is_left_out_is_most_of_twilios_sdk_and_of_the_metadata() -> None:
    """They were two fifths of the package."""
    left_out = set(prune.unused(SITE))
    assert SITE / "twilio" / "rest" / "video" in left_out
    assert SITE / "phonenumbers" / "geodata" in left_out
    assert SITE / "phonenumbers" / "data" not in left_out


def test_a_pattern_that_matches_nothing_is_an_error(tmp_path: Path) -> None:
    """If an update changes a library, its patterns must be checked again."""
    with pytest.raises(FileNotFoundError, match=r"twilio/rest/\* matches nothing"):
        list(prune.unused(tmp_path))


def test_the_list_of_installed_files_stays_true(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """RECORD names existing files only, so that a comparison finds no fault."""
    monkeypatch.setattr(prune, "UNUSED", {"lib/*": frozenset({"kept.py"})})
    for name in ("lib/kept.py", "lib/gone/a.py", "lib-1.dist-info/RECORD"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    record = tmp_path / "lib-1.dist-info" / "RECORD"
    record.write_text('lib/kept.py,sha256=x,0\nlib/gone/a.py,,\n"../../bin/lib",,\n')
    prune.prune(tmp_path)
    assert record.read_text() == "lib/kept.py,sha256=x,0\n"
    assert not (tmp_path / "lib" / "gone").exists()
