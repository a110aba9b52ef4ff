"""`notify send` up to the point where it would publish: flags, files, checks, words."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import CliRunner, Result

from notify.cli import notify
from notify.cli.send.attachments import attached
from notify.cli.send.command import _composed
from notify.cli.send.requests import PreparedRequest, read
from notify.cli.send.results import Source, published
from notify.publisher import Publisher
from tests.support.tables import each_of

GOOD = {
    "id": "0d9c2f0e-6f3b-4c59-9a55-0f4b7f2f6f10",
    "to": "ann@example.com",
    "template": "welcome",
}


def run(*arguments: str, stdin: str = "") -> Result:
    """Call `notify send` with `stdin` as its input."""
    return CliRunner().invoke(notify, ["send", *arguments], input=stdin)


def entries(text: str) -> list[PreparedRequest]:
    """Read a file with this content."""
    return list(read(io.BytesIO(text.encode())))


def test_flags_make_a_request_that_keeps_the_contract() -> None:
    """Every flag finds its place; nothing is published."""
    result = run(
        "email.critical.shop", "--to", "ann@example.com", "--template", "login_code",
        "--data", '{"code": "1"}', "--locale", "de", "--id", GOOD["id"],
        "--idempotency-key", "k", "--expires-in", "10m", "--dry-run",
    )  # fmt: skip
    assert (result.exit_code, result.stdout) == (0, f"{GOOD['id']} valid\n")


def test_files_and_identities_are_in_the_request(tmp_path: Path) -> None:
    """The type of a file is that of its name; a file that the contract refuses is named."""
    pdf, other, program = (tmp_path / name for name in ("terms.pdf", "data.unknown", "run.exe"))
    for path in (pdf, other, program):
        path.write_bytes(b"%PDF-")
    email = ("email.normal.shop", "--to", "ann@example.com", "--subject", "Hi", "--text", "Hi")
    flags = ("--attach", str(pdf), "--attach", str(other), "--reply-to", "help@example.com")
    assert run(*email, *flags, "--dry-run").exit_code == 0
    refused = run(*email, "--attach", str(program), "--dry-run")
    assert refused.exit_code == 1
    assert "attachments[0].name: mailbox providers refuse programs" in refused.stderr
    assert "your source has no such sender" in run(*email, "--sender", "x", "--dry-run").stderr
    assert run(*email, "--attach", str(tmp_path / "none.pdf")).exit_code == 2
    composed = _composed({"to": ["a@example.com"], "attachments": [attached(pdf), attached(other)]})
    assert json.loads(composed.body)["attachments"] == [
        {"name": "terms.pdf", "type": "application/pdf", "content": "JVBERi0="},
        {"name": "data.unknown", "type": "application/octet-stream", "content": "JVBERi0="},
    ]


def test_a_fresh_id_is_made_and_printed() -> None:
    """So that the notification can be found, or sent again."""
    name, _, status = run(
        "sms.normal.shop", "--to", "+4915112345678", "--text", "Hi", "--dry-run"
    ).stdout.partition(" ")
    assert UUID(name).version == 7
    assert status == "valid, 1 segment\n"


def test_the_segments_of_an_sms_are_counted_before_it_is_sent() -> None:
    """Their number is the cost; also in JSON, where a message of another channel has no note."""
    words = ["sms.normal.shop", "--to", "+4915112345678", "--text", "Привет" * 20, "--dry-run"]
    note = "2 segments of Unicode: characters that GSM-7 does not have: 6"
    assert run(*words).stdout.endswith(f" valid, {note}\n")
    assert json.loads(run(*words, "--json").stdout)["note"] == note


@each_of(
    ("arguments", "words"),
    [
        (["fax.normal.shop"], "has a channel that does not exist"),
        (["email.shop"], "not <channel>.<lane>.<source>"),
        (["email.urgent.shop", "--to", "a"], "no lane 'urgent' is configured"),
        (["email.normal.shop"], "--to or --file is needed"),
        (["email.normal.shop", "--to", "a", "--data", "[1]"], "not a JSON object"),
        (["email.normal.shop", "--to", "a", "--expires-in", "soon"], "such as 10m"),
        (["email.normal.shop", "--to", "a", "--expires-in", "9999999999999d"], "such as 10m"),
        (["email.normal.shop", "--to", "a", "--file", "-"], "omit the options"),
        (["email.normal.shop", "--file", "/nowhere.jsonl"], "No such file"),
    ],
)
def test_a_usage_error_exits_2(arguments: list[str], words: str) -> None:
    """One clear line says what to write instead."""
    result = run(*arguments)
    assert result.exit_code == 2
    assert words in result.stderr


def test_a_wrong_request_exits_1_and_is_named() -> None:
    """By its line and id, with the reason and the fix."""
    bad = {**GOOD, "tempalte": "x"}
    stdin = "\n".join(json.dumps(one) for one in (GOOD, bad, GOOD))
    result = run("email.normal.shop", "--file", "-", "--dry-run", stdin=stdin)
    assert result.exit_code == 1
    assert result.stderr == (
        f"line 2: {GOOD['id']}: tempalte: unknown field, did you mean `template`?"
        " (correct its name)\n"
    )
    assert result.stdout.startswith("2 valid, 1 invalid in ")


def test_json_prints_one_object_for_each_request() -> None:
    """And nothing else on standard output."""
    stdin = f"{json.dumps(GOOD)}\n\n{json.dumps({**GOOD, 'to': 'nobody'})}\n"
    result = run("email.normal.shop", "--file", "-", "--dry-run", "--json", stdin=stdin)
    first, second = map(json.loads, result.stdout.splitlines())
    assert first == {"line": 1, "id": GOOD["id"], "status": "valid", "error": ""}
    assert (second["line"], second["status"]) == (3, "invalid")
    assert "nobody" not in second["error"]


def test_unchecked_accepts_everything() -> None:
    """To show its status."""
    result = run("email.urgent.shop", "--file", "-", "--dry-run", "--unchecked", stdin="{}")
    assert result.exit_code == 0


def test_an_empty_file_is_no_failure() -> None:
    """It asks for nothing."""
    result = run("email.normal.shop", "--file", "-", "--dry-run")
    assert (result.exit_code, result.stdout) == (0, "no requests in 0.0 s\n")


def test_json_lines_are_read_as_they_come() -> None:
    """The first is there before the second line is read."""

    class Slow(io.RawIOBase):
        """Hands out one line, and fails when asked for another."""

        def __init__(self) -> None:
            self.lines = [b'{"to": "a"}\n']

        def __iter__(self) -> Iterator[bytes]:
            yield self.lines.pop()
            pytest.fail("asked for a second line")

    assert next(read(Slow())).line == 1  # type: ignore[arg-type]


def test_an_array_names_each_element_by_its_line() -> None:
    """Also nested ones, and a value that is not an object."""
    found = entries('[{"id": "1", "to": [\n"x"]},\n\n {"id": "2"}, 5]')
    assert [(one.id, one.line) for one in found] == [("1", 1), ("2", 4), ("", 4)]


def test_an_object_over_several_lines_is_one_request() -> None:
    """As people write it."""
    (one,) = entries('\n{\n  "id": "1",\n  "to": "x"\n}\n')
    assert (one.id, one.line) == ("1", 2)


def test_a_broken_line_among_json_lines_is_one_entry() -> None:
    """Even if it is the first."""
    found = entries('{"id": "1"\n{"id": "2"}\nnonsense\n{"id": "4"}\n')
    assert [one.id for one in found] == ["", "2", "", "4"]


def test_a_request_with_an_id_travels_as_it_was_written() -> None:
    """Not one byte is changed."""
    text = '{ "id":"1",  "to":"ä" }'
    assert entries(text)[0].body == text.encode()


def test_a_request_without_an_id_gets_one_inside() -> None:
    """The body and the AMQP message_id agree; null counts as none."""
    for text in ('{"to": "ä"}', '{"id": null, "to": "ä"}'):
        (one,) = entries(text)
        assert json.loads(one.body) == {"id": one.id, "to": "ä"}
        assert UUID(one.id).version == 7


def test_results_keep_the_order_of_the_file() -> None:
    """Invalid ones between those that the broker did not confirm."""
    publisher = Publisher("pyamqp://127.0.0.1:1//", timeout=0.01)
    lines = [PreparedRequest(b"{}", str(number), number) for number in range(1, 8)]
    source = Source(lines, lambda entry: "odd" if entry.line % 2 else "")
    results = published(source, publisher, routing_key="k")
    assert [(one.line, one.status) for one in results] == [
        (line, "invalid" if line % 2 else "unconfirmed") for line in range(1, 8)
    ]
