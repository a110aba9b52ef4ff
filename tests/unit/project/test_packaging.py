"""The project as a package, a lock file and a command line."""

from __future__ import annotations

import importlib.metadata
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

import notify
from notify.cli import notify as command_line
from notify.cli.table import COMMANDS

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[zipfile.ZipFile]:
    """The wheel as a user installs it."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as wheel:
        yield wheel


def test_the_wheel_holds_every_file_of_its_packages(wheel: zipfile.ZipFile) -> None:
    """Migrations, templates and pages are not Python files and easily forgotten."""
    files = {
        str(path.relative_to(ROOT))
        for package in ("notify", "providers", "templates")
        for path in (ROOT / package).rglob("*")
        if path.is_file() and path.parent.name != "__pycache__"
    }
    assert files <= set(wheel.namelist())


def test_the_wheel_brings_the_sample_configuration(wheel: zipfile.ZipFile) -> None:
    """An operator finds it under share/notify, without a checkout."""
    assert any(name.endswith("/share/notify/config/notify.toml") for name in wheel.namelist())


def test_the_wheel_installs_nothing_besides_its_three_packages(wheel: zipfile.ZipFile) -> None:
    """No stray top-level name such as `tests` reaches site-packages."""
    roots = {name.split("/")[0] for name in wheel.namelist()}
    assert {root for root in roots if "-" not in root} == {"notify", "providers", "templates"}


def test_the_version_is_the_packages() -> None:
    """`notify --version` and pip agree."""
    assert notify.__version__ == importlib.metadata.version("notify-service")


def test_the_lock_pins_every_dependency_by_hash_and_names_no_address() -> None:
    """The tested versions are installed, from any index."""
    lock = (ROOT / "requirements.lock").read_text()
    pins = re.findall(r"^[a-z0-9._-]+==\S+", lock, re.MULTILINE | re.IGNORECASE)
    blocks = re.split(r"^(?=[a-z0-9])", lock, flags=re.MULTILINE | re.IGNORECASE)
    assert len(pins) == sum("--hash=sha256:" in block for block in blocks)
    assert "://" not in lock


def test_the_lock_holds_what_the_project_asks_for() -> None:
    """A dependency that was added without `make lock` is found here."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    wanted = project["project"]["dependencies"] + project["dependency-groups"]["dev"]
    names = {re.split(r"[ \[<>=~!]", text)[0].lower() for text in wanted}
    locked = {line.split("==")[0] for line in (ROOT / "requirements.lock").read_text().splitlines()}
    assert names <= locked


def test_the_makefile_explains_each_of_its_few_verbs() -> None:
    """`make` alone lists all targets."""
    makefile = (ROOT / "Makefile").read_text()
    phony = re.search(r"^\.PHONY: (.*)$", makefile, re.MULTILINE)
    assert phony is not None
    verbs = phony[1].split()
    assert len(verbs) <= 13
    assert {"install", "run", "test", "check", "bench"} <= set(verbs)
    assert set(re.findall(r"^([a-z-]+):.*## \S", makefile, re.MULTILINE)) == set(verbs)


def commands() -> Iterator[tuple[str, click.Command]]:
    """Yield every command of the command line with its full name."""
    with click.Context(command_line) as context:
        for name in sorted(COMMANDS):
            command = command_line.get_command(context, name)
            assert command is not None
            if isinstance(command, click.Group):
                yield from ((f"{name} {sub}", one) for sub, one in command.commands.items())
            else:
                yield name, command


def test_every_option_of_every_command_is_explained() -> None:
    """Every option has a help text."""
    silent = [
        f"{name} {option.opts[0]}"
        for name, command in commands()
        for option in command.params
        if isinstance(option, click.Option) and not option.help
    ]
    assert silent == []


def test_every_command_says_what_it_does_and_shows_an_example() -> None:
    """The help is sufficient for a start."""
    for name, command in commands():
        text = CliRunner().invoke(command_line, [*name.split(), "--help"]).output
        assert command.help, name
        assert re.search(rf"Examples?:\s(.|\n)*notify {name}", text), f"no example: notify {name}"


def test_no_page_installs_from_an_index() -> None:
    """No release is on one: the name there is unused, or another project's."""
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    wanted = re.compile(r"install[^\n]*[ '\"]notify-service(?!_)")
    assert [page.name for page in pages if wanted.search(page.read_text())] == []


def test_the_page_about_traces_installs_what_the_extra_holds() -> None:
    """The Debian package's environment installs it by name."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    page = (ROOT / "docs" / "tracing.md").read_text()
    for requirement in project["optional-dependencies"]["otel"]:
        assert f"'{requirement.replace(' ', '')}'" in page
