"""The start of a command: what it imports."""

from __future__ import annotations

import gc
import subprocess
import sys
from importlib import import_module

import click
import pytest
from click.testing import CliRunner

from notify.cli import notify
from notify.cli.starting import quick_imports
from notify.cli.table import COMMANDS

_WORKER = """
import sys
from notify.cli.starting import quick_imports
with quick_imports():
    import notify.cli.worker, notify.worker.process, notify.worker.deliveries, providers.{vendor}
print(*sys.modules)
import rich.traceback
"""


@pytest.mark.parametrize(
    ("vendor", "others"),
    [("sendgrid", {"twilio"}), ("twilio", {"sendgrid", "cryptography"})],
)
def test_a_worker_imports_no_part_that_only_other_commands_need(
    vendor: str, others: set[str]
) -> None:
    """Each costs a worker megabytes and a part of its start; rich is there if it is needed."""
    run = [sys.executable, "-c", _WORKER.format(vendor=vendor)]
    imported = subprocess.run(run, check=True, capture_output=True, text=True).stdout.split()
    unused = {"rich", "pygments", "alembic", "mako", "psycopg", "starlette", "uvicorn", "dns"}
    assert "notify.worker.process" in imported
    assert (unused | others).isdisjoint(imported)


def test_the_collector_is_back_after_the_imports() -> None:
    """Also after a module that cannot be imported."""
    with pytest.raises(ModuleNotFoundError), quick_imports():
        import_module("notify.cli.absent")
    assert gc.isenabled()


_HELP = """
import sys
from notify.cli import notify
notify(["--help"], standalone_mode=False)
print(*sys.modules, file=sys.stderr)
"""


def test_the_list_of_commands_is_shown_without_an_import_of_one() -> None:
    """All of them together cost over a second."""
    shown = subprocess.run(
        [sys.executable, "-c", _HELP], check=True, capture_output=True, text=True
    )
    imported = shown.stderr.split()
    assert {f"notify.cli.{command.module}" for command in COMMANDS.values()}.isdisjoint(imported)
    assert {"sqlalchemy", "pydantic", "structlog"}.isdisjoint(imported)
    assert sum(name.startswith("notify") for name in imported) < 10


def test_the_list_of_commands_shows_the_help_of_each() -> None:
    """The first sentence of the command's own help, cut where click cuts it."""
    shown = CliRunner().invoke(notify, ["--help"]).output.splitlines()
    with click.Context(notify) as context:
        for name, listed in COMMANDS.items():
            command = notify.get_command(context, name)
            assert command is not None
            assert listed.line == command.get_short_help_str(limit=1000)
    rows = shown[shown.index("Commands:") + 1 :]
    assert [row.split()[0] for row in rows] == sorted(COMMANDS)
