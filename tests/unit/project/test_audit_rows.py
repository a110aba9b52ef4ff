"""Use cases write to the record, with an audit row in the same transaction; commands do not."""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parents[3]
USE_CASES = {
    "apikeys",
    "deadletters",
    "delivery",
    "flow",
    "people",
    "plans",
    "privacy",
    "reconcile",
    "suppression",
}


def _imports_writer(source: str) -> bool:
    """Return whether a module can write audit rows."""
    # To parse all modules would be most of the cost.
    return "write_audit" in source and any(
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


def test_no_command_writes_by_itself() -> None:
    """Commands open no transaction that writes: each change is a use case's."""
    found = [
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / "notify" / "cli").rglob("*.py")
        if ".writing(" in path.read_text()
    ]
    assert found == []
