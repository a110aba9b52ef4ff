"""Audit rows are written by use cases, in the transaction of what they audit."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
USE_CASES = {"deadletters", "delivery", "flow", "privacy", "reconcile"}


def _imports_writer(source: str) -> bool:
    """Return whether a module can write audit rows."""
    return any(
        isinstance(node, ast.ImportFrom)
        and node.module in ("notify.store", "notify.store.audit")
        and any(alias.name == "write_audit" for alias in node.names)
        for node in ast.walk(ast.parse(source))
    )


def test_only_use_cases_write_audit_rows() -> None:
    """A face, such as the CLI, parses and prints; another face would otherwise forget the row."""
    writers = {
        path.relative_to(ROOT / "notify").parts[0]
        for path in (ROOT / "notify").rglob("*.py")
        if _imports_writer(path.read_text())
    }
    assert writers - {"store"} == USE_CASES


def test_an_import_in_a_command_is_found() -> None:
    """The search above is not vacuous."""
    assert _imports_writer("from notify.store import Actor, write_audit\n")
    assert not _imports_writer("from notify.store import Actor\n")
