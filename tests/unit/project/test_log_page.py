"""docs/logs.md and the code have the same events."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from notify.delivery.dispatcher import _DONE_EVENTS

ROOT = Path(__file__).parents[3]
LEVELS = {"debug", "info", "warning", "error"}
BY_STATUS = {f"notify.{end}" for end in ("sent", "queued", "failed", "rejected", "expired")}
MADE_UP = {*BY_STATUS, *_DONE_EVENTS.values(), "notify.unknown", "notify.parked", "library.message"}
"""Events whose names are in no call."""


@dataclass(frozen=True)
class Line:
    """A call that logs."""

    event: str
    level: str | None
    """None where a variable chooses it."""
    fields: frozenset[str]
    where: str


@cache
def _lines() -> list[Line]:
    """Return all calls that log."""
    lines = []
    for path in sorted((ROOT / "notify").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and (event := _event(node)) is not None:
                name = node.func.attr if isinstance(node.func, ast.Attribute) else None
                fields = {word.arg for word in node.keywords if word.arg}
                fields |= {"id" for word in node.keywords if _is_ids(word)}
                named = {"exception" if field == "exc_info" else field for field in fields}
                where = f"{path.relative_to(ROOT)}:{node.lineno}"
                lines.append(Line(event, name, frozenset(named), where))
    return lines


def _is_ids(word: ast.keyword) -> bool:
    """Return whether a call passes all the ids of a notification at once."""
    return word.arg is None and isinstance(word.value, ast.Attribute) and word.value.attr == "ids"


def _event(call: ast.Call) -> str | None:
    """Return the event that a call logs; None if it logs none, or one with a computed name."""
    match call:
        case ast.Call(
            func=ast.Attribute(value=ast.Name(id="log"), attr=name),
            args=[ast.Constant(value=str(event))],
        ) if name in LEVELS:
            return event
        case ast.Call(func=ast.Name(id="tell" | "write"), args=[ast.Constant(value=str(event))]):
            return event
    return None


@pytest.fixture(scope="module")
def page() -> dict[str, tuple[set[str], set[str]]]:
    """Return each event's levels and fields from the page."""
    rows = re.findall(
        r"^\| `([a-z_.]+)` \| ([a-z, ]+) \| (.*?) \| .+\|$",
        (ROOT / "docs/logs.md").read_text(),
        re.MULTILINE,
    )
    told: dict[str, tuple[set[str], set[str]]] = {}
    before: set[str] = set()
    for event, levels, fields in rows:
        named = set(re.findall(r"`(\w+)`", fields)) | (before if "as above" in fields else set())
        before = named
        assert event not in told, f"{event} stands twice on the page"
        told[event] = (set(levels.split(", ")), named)
    return told


def test_the_page_lists_every_event_and_no_other(
    page: dict[str, tuple[set[str], set[str]]],
) -> None:
    """An operator can look up each line."""
    logged = {line.event for line in _lines()}
    assert len(logged) > 30, "the calls that log are not found any more"
    assert set(page) == logged | MADE_UP


def test_the_page_has_each_events_level_and_fields(
    page: dict[str, tuple[set[str], set[str]]],
) -> None:
    """A search by a field, or an alert on a level, can rely on the page."""
    for line in _lines():
        levels, fields = page[line.event]
        assert line.level is None or line.level in levels, line
        assert line.fields <= fields, line


def test_a_line_about_one_notification_has_its_id(
    page: dict[str, tuple[set[str], set[str]]],
) -> None:
    """One search finds all lines of a notification, across processes."""
    about_one = {event for event, (_, fields) in page.items() if fields & {"attempt_id", "source"}}
    assert len(about_one) > 10
    assert all("id" in page[event][1] for event in about_one)
    calls = [line for line in _lines() if line.fields & {"attempt_id", "notification_id"}]
    assert all("id" in line.fields for line in calls)
