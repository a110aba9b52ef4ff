"""The start of a command: what it imports."""

from __future__ import annotations

import gc
import subprocess
import sys
from importlib import import_module

import pytest

from notify.cli.starting import quick_imports

_WORKER = """
import sys
from notify.cli.starting import quick_imports
with quick_imports():
    import notify.cli.worker, notify.worker.process, notify.worker.roles, providers.{vendor}
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
