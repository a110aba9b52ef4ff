"""Text that is not what it should be, at the edge of every command that takes some."""

from __future__ import annotations

import codecs
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from notify.cli.send.report import SendReport
from notify.cli.send.requests import PreparedRequest, pieces, read
from notify.cli.send.results import Result, Source, checked
from notify.message import Channel
from tests.support.commands import Notify

GOOD = {"to": "ann@example.com", "subject": "s", "text": "Grüße"}
LINES = "\n".join(json.dumps(GOOD, ensure_ascii=False) for _ in range(3))
DEEP = '{"a":' * 100_000 + "1" + "}" * 100_000

FOREIGN = {
    "UTF-8 with a mark": codecs.BOM_UTF8 + LINES.encode(),
    "UTF-16 with a mark": LINES.encode("utf-16"),
    "UTF-16LE": LINES.encode("utf-16-le"),
    "UTF-16BE": LINES.encode("utf-16-be"),
    "UTF-32": LINES.encode("utf-32"),
    "UTF-32BE": LINES.encode("utf-32-be"),
    "an array in UTF-16": json.dumps([GOOD]).encode("utf-16-le"),
}


@pytest.fixture(params=FOREIGN, ids=lambda name: name)
def foreign(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A file as other systems' editors and shells write it."""
    file = tmp_path / "requests.jsonl"
    file.write_bytes(FOREIGN[request.param])
    return file


@pytest.mark.parametrize(
    "command",
    [
        ("send", "email.normal.shop", "--dry-run", "--file"),
        ("lint",),
        ("topology", "diff", "--definitions"),
    ],
    ids=lambda command: command[0],
)
def test_a_file_that_is_not_plain_utf_8_is_refused(
    notify: Notify, foreign: Path, command: tuple[str, ...]
) -> None:
    """As a whole, before any of it is used; the error says what to do."""
    done = notify(*command, foreign)
    assert done.code == 1
    assert f"{foreign} " in done.err
    assert "save it as UTF-8 without a byte order mark" in done.err


@pytest.mark.parametrize("command", ["send", "template"])
@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b'{"a": "\\ud83d"}', "half of a surrogate pair"),
        (DEEP.encode(), "nested deeper"),
        (b"[" * 100_000, "nested deeper"),
        (b'{"a": 1, "a": 2}', "occurs twice"),
        (b'{"a": NaN}', "not JSON"),
        (b'{"a": 1' + b"0" * 5000 + b"}", "64 bits"),
        (b'{"a": "\xff"}', "not UTF-8"),
        (b"", "empty"),
        (b"[1]", "must be a JSON object"),
        ('{"a": 1}'.encode("utf-16"), "is UTF-16"),
    ],
    ids=lambda value: ascii(value[:20]),
)
def test_data_that_is_no_json_object_is_refused(
    notify: Notify, tmp_path: Path, command: str, data: bytes, why: str
) -> None:
    """As strictly as in a request."""
    file = tmp_path / "data.json"
    file.write_bytes(data)
    to = ("--to", "ann@example.com", "--template", "welcome", "--dry-run")
    words = ("email.normal.shop", *to) if command == "send" else ("preview", "welcome")
    done = notify(command, *words, "--data", f"@{file}")
    assert done.code in (1, 2)
    assert why in done.err


@pytest.mark.parametrize(
    "arguments",
    [
        (b"ls", b"--to", b"\xff@example.com"),
        (b"erase", b"\xff", b"--yes"),
        (b"send", b"email.normal.shop", b"--to", b"a@b.example", b"--text", b"\xed\xa0\xbd"),
        (b"dead", b"ls", b"--text", b"\xff"),
        (b"lint", b"\xff.json"),
        (b"\xff",),
    ],
    ids=lambda arguments: ascii(arguments[0]),
)
def test_an_argument_that_is_not_utf_8_is_refused(arguments: tuple[bytes, ...]) -> None:
    """By its place: a driver would else raise in the middle of a statement."""
    command: list[str | bytes] = [sys.executable, "-m", "notify", *arguments]
    done = subprocess.run(command, capture_output=True, check=False, env=dict(os.environ))
    assert done.returncode == 2
    assert b"is not UTF-8 text" in done.stderr
    assert b"Traceback" not in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("dead", "show", 10**30),
        ("dead", "plan", 10**30),
        ("ls", "--limit", 2**63),
        ("ls", "--since", "0001-01-01T00:00+14:00"),
    ],
    ids=str,
)
@pytest.mark.usefixtures("store")
def test_a_number_that_no_database_can_store_is_refused(
    notify: Notify, arguments: tuple[Any, ...]
) -> None:
    """As a slip of usage, not by the driver."""
    assert notify(*arguments).code == 2


@pytest.mark.usefixtures("store")
def test_a_recipient_on_standard_input_must_be_utf_8(
    notify: Notify, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One clear line."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xff@example.com\n")))
    assert "standard input is not UTF-8 at byte 0" in notify("erase", "-", "--yes").err


def test_half_a_surrogate_pair_is_one_invalid_line(notify: Notify, tmp_path: Path) -> None:
    """With or without an id; the others go on. It ended the run without a report."""
    file = tmp_path / "requests.jsonl"
    cut = json.dumps({**GOOD, "text": "cut \ud83d"})
    null = json.dumps({"id": None, **GOOD, "text": "cut \ud83d"})
    file.write_text("\n".join([json.dumps(GOOD), cut, null, json.dumps(GOOD)]))
    done = notify("send", "email.normal.shop", "--file", file, "--dry-run")
    assert done.code == 1
    assert done.out.startswith("2 valid, 2 invalid in ")
    first, second = done.err.splitlines()
    assert first.startswith("line 2: ")
    assert second.startswith("line 3: ")
    assert "text: contains NUL or half of a surrogate pair" in first
    assert "text: contains NUL or half of a surrogate pair" in second


@pytest.mark.parametrize("id_", ["", '"id": null, '])
def test_a_duplicate_key_is_kept_when_a_request_gets_its_id(id_: str) -> None:
    """Parsing and serializing it again silently dropped the first."""
    body = ('{ID"to": "a@b.example", "to": "c@d.example"}').replace("ID", id_).encode()
    (entry,) = read(io.BytesIO(body))
    assert entry.body.count(b'"to"') == 2


def test_many_requests_are_read_in_linear_time() -> None:
    """Lines were counted from the beginning for each element, blank ones looked at again."""
    array = b"[" + b",\n".join([b'{"to": "x"}'] * 100_000) + b"]"
    found = list(pieces(io.BytesIO(array), name="x"))
    assert (len(found), found[-1].line) == (100_000, 100_000)
    blank = b"\n" * 300_000 + b'{"to": "x"}\n'
    assert [one.line for one in pieces(io.BytesIO(blank), name="x")] == [300_001]


def _failing(error: BaseException) -> Iterator[PreparedRequest]:
    yield PreparedRequest(b"{}", "first", 1)
    yield PreparedRequest(b"{}", "second", 2)
    raise error


@pytest.mark.parametrize(
    ("error", "why"),
    [
        (OSError(5, "Input/output error"), "Input/output error"),
        (UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no"), "UnicodeDecodeError"),
        (RecursionError(), "RecursionError"),
        (MemoryError(), "MemoryError"),
        (KeyboardInterrupt(), "interrupted"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_confirmed_requests_are_reported_whatever_ends_the_source(
    error: BaseException, why: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """The count, and the line after which nothing was published: the rest can be sent later."""
    source = Source(_failing(error), lambda _: "")
    with SendReport(io.BytesIO(), as_json=False) as report:
        report.consume(checked(source, Channel.EMAIL), source)
    told = capsys.readouterr()
    assert told.out.startswith("2 valid in ")
    assert why in told.err
    assert "nothing after line 2 was published" in told.err
    assert report.bad == 1


def test_a_closed_output_stops_the_source(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """`notify send --json | head -1` must not publish the rest untold."""

    class Gone(io.StringIO):
        """A pipe whose reader has left."""

        def write(self, _: str) -> int:
            """Fail as the kernel does."""
            raise BrokenPipeError

    lines = [PreparedRequest(b"{}", str(number), number) for number in range(1, 10)]
    source = Source(lines, lambda _: "")
    monkeypatch.setattr("sys.stdout", Gone())
    with SendReport(io.BytesIO(), as_json=True) as report:
        report.consume(checked(source, Channel.EMAIL), source)
    told = capsys.readouterr().err
    assert "stopped: the output is closed; nothing after line 1 was published" in told
    assert "1 valid" in told


def test_after_a_signal_published_requests_are_confirmed_and_reported(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The first ends the reading, as the last line would; a second one ends everything."""
    source = Source(
        [PreparedRequest(b"{}", str(number), number) for number in range(1, 10)], lambda _: ""
    )

    def results() -> Iterator[Result]:
        for result in checked(source, Channel.EMAIL):
            if result.line == 3:
                source.interrupt()
            yield result

    with SendReport(io.BytesIO(), as_json=False) as report:
        report.consume(results(), source)
    told = capsys.readouterr()
    assert told.out.startswith("3 valid in ")
    assert "stopped: interrupted; nothing after line 3 was published" in told.err
    with pytest.raises(KeyboardInterrupt):
        source.interrupt()
