"""In which line of the file an option stands, for whoever has to correct it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from dataclasses import replace

from notify.settings.finding import Finding
from notify.settings.sources import Key, Tree, leaves


def located(findings: Iterable[Finding], tree: Tree) -> list[Finding]:
    """Give each finding the line of its option, or of its table where the option is missing."""
    found = list(findings)
    lines = lines_of(tree.text) if found else {}
    return [each if each.line else replace(each, line=_line(each, lines, tree)) for each in found]


def _line(finding: Finding, lines: dict[Key, int], tree: Tree) -> int | None:
    name, came_from, _ = finding.key.partition(" (")
    key = tuple(name.split("."))
    if came_from or tree.origin(key).kind in ("environment", "credential"):
        return None
    for length in range(len(key), 0, -1):
        if key[:length] in lines:
            return lines[key[:length]]
    return None


def lines_of(text: str) -> dict[Key, int]:
    """
    Return the line of each table's head and of each option in a TOML text that is valid.

    No parser of TOML tells the lines of what it read, so each statement is parsed by itself: the
    fewest lines in a row that are valid alone.
    """
    found: dict[Key, int] = {}
    head: Key = ()
    begun, statement = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        begun = begun if statement else number
        statement += f"{line}\n"
        try:
            values = tomllib.loads(statement)
        except tomllib.TOMLDecodeError:
            continue
        if statement.lstrip().startswith("["):
            head = _head(values)
            found.setdefault(head, begun)
        else:
            for key, _ in leaves(values):
                for length in range(1, len(key) + 1):
                    found.setdefault((*head, *key[:length]), begun)
        statement = ""
    return found


def _head(values: object) -> Key:
    key: Key = ()
    while isinstance(values, dict) and values:
        ((name, values),) = values.items()
        key = (*key, name)
    return key
