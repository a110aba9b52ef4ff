"""The border of all text output: what was published by others steers no terminal."""

from __future__ import annotations

import io
import json
import sys

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st
from rich.text import Text

from notify.cli.console import Console, Table
from notify.telemetry.logs import configure
from notify.telemetry.terminal import Output, escaped, guarded_output, on_one_line, write_bytes
from tests.support.tables import each_of

STEERING = (
    [chr(code) for code in (*range(0x20), *range(0x7F, 0xA0)) if chr(code) not in "\t\n"]
    + [*"\u061c\u200b\u200e\u200f\u2028\u2029\u2060\ufeff"]
    + [chr(code) for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))]
    + ["\ud83d", "\udc1b", "\U000e0041"]
)
OSC = "\x1b]8;;https://evil.example\x07click\x9d0;title\x9c"


class Screen(io.StringIO):
    """A terminal, as far as its writers can tell."""

    def isatty(self) -> bool:
        """Say that it is one."""
        return True


@each_of("character", STEERING, ids=ascii)
def test_what_steers_a_terminal_is_spelled_out(character: str) -> None:
    """C0, DEL, C1, directions, what is invisible, halves of a pair: as JSON escapes them."""
    shown = escaped(f"a{character}b")
    assert shown.isascii()
    assert shown.isprintable()
    assert json.loads(f'"{shown}"') == f"a{character}b"


@pytest.mark.parametrize("text", ["Grüße, 你好", "नमस्ते क\u200dष", "👩\u200d👧 ✓", "a\tb\nc"])
def test_what_people_write_stays_as_it_is(text: str) -> None:
    """All scripts, with the joiners that they need; tabs and ends of lines."""
    assert escaped(text) == text


@given(st.text(st.characters(codec=None)))
def test_json_stays_the_same_json(text: str) -> None:
    """A program reads through the border what was written before it."""
    written = json.dumps({"reason": text}, ensure_ascii=False)
    assert json.loads(escaped(written)) == {"reason": text}


def test_a_field_cannot_look_like_two_rows() -> None:
    """A line feed in a routing key would forge a row of a list."""
    assert on_one_line("shop\n17\tfailed") == "shop\\u000a17\\u0009failed"


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_output_is_never_refused_for_its_encoding(encoding: str) -> None:
    """A terminal that knows no bullet gets its escape, and JSON stays valid."""
    buffer = io.BytesIO()
    stream = Output(io.TextIOWrapper(buffer, encoding=encoding, write_through=True))
    stream.write(json.dumps({"to": "a•••@münchen.example", "half": "\ud83d"}, ensure_ascii=False))
    assert json.loads(buffer.getvalue().decode(encoding)) == {
        "to": "a•••@münchen.example",
        "half": "\ud83d",
    }


def test_tables_keep_their_colours_and_escape_their_cells() -> None:
    """On a terminal rich makes escape sequences; those of a producer are none."""
    screen = Screen()
    console = Console(file=screen, force_terminal=True, color_system="standard", width=200)
    table = Table()
    table.add_column("reason")
    table.add_row(Text(f"{OSC}\nforged", "red"))
    table.add_row("[link=https://evil.example]markup[/link]")
    console.print(table)
    console.print(Text(OSC, "green"))
    shown = screen.getvalue()
    assert "\x1b[31m" in shown
    assert "\x1b]" not in shown
    assert "\x9d" not in shown
    assert "\\u001b]8;;https://evil.example" in shown
    assert "\nforged" not in shown
    assert "[link=https://evil.example]markup[/link]" in shown


def test_the_console_log_escapes_every_value() -> None:
    """A field without spaces was printed as it is, between the colours of the log."""
    screen = Screen()
    configure(level="info", format="console", stream=screen)
    structlog.get_logger().warning(
        "notify.dead", routing_key=f"email.{OSC}", reason={"a\x1b": ["x\ny"]}, message_id="\x9b2J"
    )
    structlog.reset_defaults()
    shown = screen.getvalue()
    assert "\x1b]" not in shown
    assert "\x9b" not in shown
    assert shown.count("\n") == 1
    assert "\\u001b]8" in shown


def test_bytes_reach_a_pipe_whole_and_a_terminal_escaped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """`notify dead show --raw` has to give the very bytes to a file."""
    kept = io.BytesIO()
    pipe = io.TextIOWrapper(kept)
    monkeypatch.setattr(sys, "stdout", pipe)
    with guarded_output():
        write_bytes(b"\x1b[2J\xff")
    assert kept.getvalue() == b"\x1b[2J\xff"
    screen = Screen()
    monkeypatch.setattr(sys, "stdout", screen)
    with guarded_output():
        write_bytes(b"\x1b[2J\xff")
    assert screen.getvalue() == "\\u001b[2J\\xff"
