"""The line of each option, in every way that TOML lets one write it."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest

from notify.settings.checks.lines import lines_of

EXAMPLE = Path(__file__).parents[3] / "config" / "notify.toml"
TEXT = """# a comment with [brackets]

log.level = "info"
[amqp]
url = "pyamqp://h"   # = here
"heartbeat" = 3

  [ lanes . "bulk" ]
  unknown = { sms = "park",
email = 'resend' }
[channels.email]
providers = [   # a list
    "a",  "[b]",

    "c = 1",
]
failover_share = 1
[providers.x]
text = '''
[no.table]
key = "no option"
'''
options = { sender = "s", more = {} }
[providers."y.z"]
"""


def test_each_option_has_the_line_that_it_begins_in() -> None:
    """Tables, dotted keys, lists and texts over several lines, and tables on one line."""
    text = TEXT.replace('"park",\nemail', '"park", email')
    assert lines_of(text) == {
        ("log",): 3,
        ("log", "level"): 3,
        ("amqp",): 4,
        ("amqp", "url"): 5,
        ("amqp", "heartbeat"): 6,
        ("lanes", "bulk"): 8,
        ("lanes", "bulk", "unknown"): 9,
        ("lanes", "bulk", "unknown", "sms"): 9,
        ("lanes", "bulk", "unknown", "email"): 9,
        ("channels", "email"): 10,
        ("channels", "email", "providers"): 11,
        ("channels", "email", "failover_share"): 16,
        ("providers", "x"): 17,
        ("providers", "x", "text"): 18,
        ("providers", "x", "options"): 22,
        ("providers", "x", "options", "sender"): 22,
        ("providers", "x", "options", "more"): 22,
        ("providers", "y.z"): 23,
    }


def test_the_shipped_examples_lines_are_found() -> None:
    """Looked up in the text itself."""
    lines = EXAMPLE.read_text().split("\n")
    found = lines_of(EXAMPLE.read_text())
    assert lines[found["amqp", "heartbeat"] - 1].startswith("heartbeat = ")
    assert lines[found["providers", "fcm"] - 1] == "[providers.fcm]"
    assert lines[found["providers", "fcm", "options", "project"] - 1].startswith("options = ")


def test_brackets_and_quotes_within_texts_end_nothing() -> None:
    """A text may hold any of them, and two of its own quotes before its end."""
    text = "\n".join(
        [
            'a = "]\\"["  # [',
            "b = ']['",
            'c = """["]\\"""',
            '[no.table]"""""',
            "d = '''",
            "]'[''''",
            "e = [ # ]",
            '  "]", [1,',
            "  2], {x = '}'},",
            "]",
            "[f.'g]\"']",
            "h = 1",
        ]
    )
    found = lines_of(text)
    names = {"a": 1, "b": 2, "c": 3, "d": 5, "e": 7}
    assert {key: number for key, number in found.items() if key[0] != "f"} == {
        (name,): number for name, number in names.items()
    }
    assert found["f", 'g]"', "h"] == 12


def test_each_line_of_a_long_list_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A list of some thousand numbers, each on its own line, is looked through in one go."""
    parsed: list[int] = []
    loads = tomllib.loads

    def counted(text: str) -> dict[str, Any]:
        parsed.append(len(text))
        return loads(text)

    monkeypatch.setattr("notify.settings.checks.lines.tomllib.loads", counted)
    text = "a = [\n" + '  "+49301234567",\n' * 1500 + "]\nb = 1\n"
    assert lines_of(text) == {("a",): 1, ("b",): 1503}
    assert sum(parsed) <= len(text)


def test_nothing_has_no_lines() -> None:
    """Without a file, or with an empty one."""
    assert lines_of("") == {}
    assert lines_of("# only a comment") == {}
