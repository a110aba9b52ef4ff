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

_EACH = """
import os, sys
from notify.cli.starting import quick_imports
with quick_imports():
    import notify.settings, notify.store, structlog  # which all of them use
for start in sys.argv[1:]:
    if os.fork() == 0:
        with quick_imports():
            exec(f"import {start}")
        print(*sys.modules, flush=True)
        os._exit(0)
    os.wait()
import rich.traceback
"""
WORKER = "notify.cli.worker, notify.worker.process"
OF_ALL = {"rich", "pygments", "alembic", "mako", "psycopg", "phonenumbers"}
WEB = {"starlette", "uvicorn"}
ENGINE = {"celery", "kombu"}
OF_OPERATORS = {"dns", "notify.doctor", "notify.people", "notify.plans", "notify.deadletters"}
OF_DELIVERY = {"notify.delivery", "notify.flow", "notify.reconcile", "notify.gateway"}
UNUSED = {
    "notify.cli.record.command": (
        {"amqp", "jinja2", "babel", "prometheus_client", "cryptography", "notify.templating"}
        | OF_DELIVERY
        | OF_OPERATORS
        | WEB
        | ENGINE
        | OF_ALL - {"rich", "pygments"}
    ),
    "notify.cli.send.command": (
        {"prometheus_client", "cryptography"}
        | OF_DELIVERY
        | OF_OPERATORS
        | WEB
        | ENGINE
        | OF_ALL - {"rich", "pygments"}
    ),
    f"{WORKER}, notify.worker.deliveries, providers.sendgrid": (
        {"twilio", "notify.apikeys", "notify.status"} | OF_OPERATORS | WEB | OF_ALL
    ),
    f"{WORKER}, notify.worker.deliveries, providers.twilio": {"sendgrid", "cryptography"},
    f"{WORKER}, notify.worker.dead_letters": {"notify.receipts", "notify.status"} | WEB | OF_ALL,
    f"{WORKER}, notify.worker.receipts": {"notify.status"} | OF_OPERATORS | WEB | OF_ALL,
    "notify.web.receipts.process": OF_DELIVERY | OF_OPERATORS | ENGINE | OF_ALL,
    "notify.web.api.process": {"notify.receipts"} | OF_OPERATORS | ENGINE | OF_ALL,
    "notify.web.console.process": {"celery", "notify.receipts"} | OF_ALL,
}
"""The libraries and packages that no part of a process uses, by the imports of its start."""


def test_a_process_imports_no_part_that_only_others_need() -> None:
    """Each costs it megabytes and a part of its start; rich is there if it is needed."""
    run = [sys.executable, "-c", _EACH, *UNUSED]
    lines = subprocess.run(run, check=True, capture_output=True, text=True).stdout.splitlines()
    found = [set(line.split()) for line in lines]
    assert all("notify.settings" in imported for imported in found)
    unused = {
        start: sorted(names & imported)
        for (start, names), imported in zip(UNUSED.items(), found, strict=True)
    }
    assert {start: names for start, names in unused.items() if names} == {}


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
