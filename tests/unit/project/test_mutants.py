"""The mutation run's table of tests: each module that is broken has some, and all of them exist."""

from __future__ import annotations

import tomllib
from fnmatch import fnmatch
from pathlib import Path

from tests.support.tables import each_of

ROOT = Path(__file__).parents[3]
TABLE = tomllib.loads((ROOT / "scripts" / "mutants.toml").read_text())
GROUPS = TABLE["group"]
MODULES = [
    str(path.relative_to(ROOT))
    for package in TABLE["packages"]
    for path in sorted((ROOT / "notify" / package).rglob("*.py"))
    if not {"migrations", "tables"} & set(path.parts)
]


def test_each_module_has_tests() -> None:
    """A break of a module without any tests would always count as unnoticed."""
    patterns = [pattern for group in GROUPS for pattern in group["modules"]]
    assert MODULES
    assert [each for each in MODULES if not any(fnmatch(each, one) for one in patterns)] == []


@each_of("group", GROUPS, ids=lambda group: group["modules"][0])
def test_what_a_group_names_exists(group: dict[str, list[str]]) -> None:
    """A renamed test would silently judge nothing."""
    assert [test for test in group["tests"] if not (ROOT / test).exists()] == []
    for pattern in group["modules"]:
        assert any(fnmatch(each, pattern) for each in MODULES), pattern
