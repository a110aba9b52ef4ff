"""`notify schema` and `notify lint`, as a person or a script calls them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from click.testing import CliRunner, Result

from notify.cli import notify
from tests.support.malformed import changed
from tests.support.tables import each_of

GOOD = changed()
BAD = changed(tempalte="x")


def run(*arguments: str, stdin: bytes = b"") -> Result:
    """Call the command with `stdin` as its input."""
    return CliRunner().invoke(notify, arguments, input=stdin)


def findings(content: bytes, *arguments: str) -> dict[str, Any]:
    """Lint `content` and return what --json prints."""
    found: dict[str, Any] = json.loads(run("lint", "-", "--json", *arguments, stdin=content).stdout)
    return found


def test_schema_prints_a_schema_of_one_channel() -> None:
    """The output is JSON that other tools read."""
    result = run("schema", "--channel", "sms")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["$id"] == "urn:notify:request:v1:sms"


def test_schema_prints_all_channels_by_default() -> None:
    """Each channel is an alternative."""
    printed = json.loads(run("schema").stdout)
    assert [len(printed["anyOf"]), printed["$id"]] == [3, "urn:notify:request:v1"]


def test_a_good_request_exits_0(tmp_path: Path) -> None:
    """Nothing to say but that."""
    file = tmp_path / "request.json"
    file.write_bytes(GOOD)
    result = run("lint", str(file))
    assert (result.exit_code, result.stdout) == (0, "1 request, nothing wrong\n")


def test_the_segments_of_an_sms_are_counted() -> None:
    """An author sees what a text will cost; a template's text is known once it is rendered."""
    sms = {"id": str(uuid4()), "to": "+4915112345678", "text": "x" * 161}
    body = json.dumps(sms).encode()
    result = run("lint", "-", "--channel", "sms", stdin=body)
    assert result.stdout.splitlines() == [
        "standard input, line 1: 2 segments",
        "1 request, nothing wrong",
    ]
    counted = findings(body, "--channel", "sms")["counted"]
    assert counted == [{"request": 0, "line": 1, "counted": "2 segments"}]
    rendered = json.dumps({**sms, "text": None, "template": "welcome"}).encode()
    assert findings(rendered, "--channel", "sms")["counted"] == []
    assert findings(GOOD)["counted"] == []


def test_a_wrong_request_exits_1_with_place_reason_and_fix() -> None:
    """One line for the problem, one for the hint."""
    result = run("lint", "-", stdin=BAD)
    assert result.exit_code == 1
    assert result.stdout.splitlines() == [
        "standard input, line 1, read as email",
        "  tempalte  unknown field, did you mean `template`?",
        "            → correct its name",
        "",
        "1 of 1 request wrong",
    ]


def test_broken_json_is_reported_by_line_and_column() -> None:
    """Counted in the file, as editors do."""
    result = run("lint", "-", stdin=b'{\n  "to": "ann@example.com"\n  "template": "x"\n}')
    assert "  3:3  not JSON: expecting ',' delimiter" in result.stdout.splitlines()


@each_of(
    ("content", "lines"),
    [
        (GOOD + b"\n" + BAD + b"\n\n" + BAD, [2, 4]),
        (GOOD + b"\n{broken\n" + BAD, [2, 3]),
        (b"{broken\n{broken", [1, 2]),
        (GOOD + b"\n5", [2]),
        (b"[\n" + GOOD + b",\n" + BAD + b"]", [3]),
        (b"[" + BAD + b" , " + BAD + b"]", [1, 1]),
        (b"[" + GOOD + b",\n{broken]", [2]),
        (json.dumps(json.loads(BAD), indent=2).encode(), [1]),
        (GOOD + b"\r\n" + GOOD + b"\r\n", []),
        (b"", [1]),
        (b"[]", [1]),
        (b"\xff", [1]),
        (b"[" * 100_000, [1]),
    ],
)
def test_every_request_of_a_file_is_checked(content: bytes, lines: list[int]) -> None:
    """One object, an array or JSON Lines; each problem with the line of its request."""
    assert [problem["line"] for problem in findings(content)["problems"]] == lines


def test_the_elements_of_an_array_are_read_as_strictly_as_a_lone_request() -> None:
    """Cutting an array leaves each request as it was written, repeated keys included."""
    twice = GOOD[:-1] + b',"to":"bo@example.com"}'
    (problem,) = findings(b"[" + GOOD + b"," + twice + b"]")["problems"]
    assert (problem["request"], problem["why"]) == (1, "occurs twice in one object")


def test_the_channel_can_be_named() -> None:
    """An address is not valid for push, nor a token for email."""
    request = changed(to="t0ken")
    assert findings(request)["problems"] == []
    (problem,) = findings(request, "--channel", "email")["problems"]
    assert (problem["channel"], problem["where"]) == ("email", "to")


def test_json_counts_requests() -> None:
    """A script sees how many were read, so that an empty run does not pass by accident."""
    found = findings(GOOD + b"\n" + BAD)
    assert (found["requests"], found["wrong"]) == (2, 1)


def test_a_missing_file_is_a_usage_error() -> None:
    """Exit code 2, as for any wrong argument."""
    assert run("lint", "/nonexistent.json").exit_code == 2


@pytest.mark.parametrize("command", ["schema", "lint"])
def test_help_has_an_example(command: str) -> None:
    """A user need not guess how a command is called."""
    assert "Example" in run(command, "--help").stdout


def test_a_category_is_checked_where_the_configuration_is_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A producer's machine has none, and any name may be right."""
    body = b'{"id": "0d9c2f0e-6f3b-4c59-9a55-0f4b7f2f6f10", "to": "ann@example.com",'
    body += b' "subject": "s", "text": "t", "category": "newslettr"}'
    monkeypatch.setenv("NOTIFY_CONFIG", str(tmp_path / "notify.toml"))
    (tmp_path / "notify.toml").write_text("")
    assert run("lint", "-", stdin=body).exit_code == 0
    (tmp_path / "notify.toml").write_text("[categories.newsletter]\n")
    result = run("lint", "-", stdin=body)
    assert result.exit_code == 1
    assert "did you mean `newsletter`?" in result.output
