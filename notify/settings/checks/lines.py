"""The line of each option in the file, for the operator who corrects it."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator
from dataclasses import replace

from notify.settings.checks.finding import ConfigFinding
from notify.settings.sources import Key, Tree, leaves

# Whole strings and comments, and the brackets of tables and lists; a string of several lines may
# end in two quotes of its own: https://toml.io/en/v1.0.0#string.
_TOKEN = re.compile(
    r'"""(?:\\.|[^\\])*?"""(?:""?)?'
    r"|'''.*?'''(?:''?)?"
    r'|"(?:\\.|[^"\\\n])*"'
    r"|'[^'\n]*'"
    r"|#[^\n]*|[\[\]{}\n]",
    re.DOTALL,
)


def located(findings: Iterable[ConfigFinding], tree: Tree) -> list[ConfigFinding]:
    """Return each finding with the line of its option, or of its table if the option is missing."""
    found = list(findings)
    lines = lines_of(tree.text) if found else {}
    return [each if each.line else replace(each, line=_line(each, lines, tree)) for each in found]


def _line(finding: ConfigFinding, lines: dict[Key, int], tree: Tree) -> int | None:
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
    Return the line of each table's header and of each option in a valid TOML text.

    Parsers of TOML report no line numbers, so each statement is parsed by itself.
    """
    found: dict[Key, int] = {}
    head: Key = ()
    for begun, statement in _statements(text):
        values = tomllib.loads(statement)
        if statement.lstrip().startswith("["):
            head = _head(values)
            found.setdefault(head, begun)
        else:
            for key, _ in leaves(values):
                for length in range(1, len(key) + 1):
                    found.setdefault((*head, *key[:length]), begun)
    return found


def _statements(text: str) -> Iterator[tuple[int, str]]:
    """Yield each statement, or line without one, with the number of its first line."""
    begun, number, depth = 0, 1, 0
    for token in _TOKEN.finditer(f"{text}\n"):
        found = token[0]
        depth += (found in "[{") - (found in "]}")
        if found == "\n" and not depth:
            yield number, text[begun : token.start()]
            number += text.count("\n", begun, token.end())
            begun = token.end()


def _head(values: object) -> Key:
    key: Key = ()
    while isinstance(values, dict) and values:
        ((name, values),) = values.items()
        key = (*key, name)
    return key
