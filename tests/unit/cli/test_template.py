"""`notify template`: what it prints, and how it fails."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from notify.cli.template import template
from notify.errors import NotifyError, TemplateError


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An operator's folder that the configuration names."""
    folder = tmp_path / "ours"
    (folder / "t").mkdir(parents=True)
    (folder / "t" / "sms.text.j2").write_text("Hi {{ name }}")
    configuration = tmp_path / "notify.toml"
    configuration.write_text(f'[templates]\nfolder = "{folder}"\ndefault_locale = "de"\n')
    monkeypatch.setenv("NOTIFY_CONFIG", str(configuration))
    return folder


def run(*words: str, stdin: str | None = None) -> Result:
    """Run `notify template` with these words."""
    return CliRunner(env={"COLUMNS": "120"}).invoke(template, words, input=stdin)


def error(*words: str, kind: type[NotifyError] = TemplateError) -> str:
    """The text of the known error that these words end in."""
    result = run(*words)
    assert isinstance(result.exception, kind), result.output
    return str(result.exception)


@pytest.mark.usefixtures("folder")
def test_templates_are_listed_in_a_table() -> None:
    """The folder's and the packaged ones, one line each, with their variables."""
    result = run("ls")
    lines = [line.split() for line in result.output.splitlines()]
    assert result.exit_code == 0
    assert lines[0] == ["NAME", "CHANNELS", "LOCALES", "VARIABLES", "ORIGIN"]
    assert ["t", "sms", "-", "name", "operator"] in lines
    packaged = next(line for line in lines if line[0] == "login_code")
    assert " ".join(packaged[1:]) == "email sms push de en code minutes product packaged"


@pytest.mark.usefixtures("folder")
def test_templates_are_listed_as_json() -> None:
    """The same, for programs."""
    listed = {each["name"]: each for each in json.loads(run("ls", "--json").output)}
    assert listed["t"] == {
        "name": "t",
        "channels": ["sms"],
        "locales": [],
        "variables": ["name"],
        "origin": "operator",
    }
    assert len(listed) == 6


def test_a_listing_ends_with_the_broken_templates(folder: Path) -> None:
    """The table is still printed; the exit code is 1."""
    (folder / "t" / "push.title.j2").write_text("{{")
    text = error("ls")
    assert "t/push.title.j2, line 1: " in text
    assert "t: push.body.j2 is missing" in text
    assert "login_code" in run("ls").output


@pytest.mark.usefixtures("folder")
def test_a_preview_uses_the_templates_sample_and_the_default_locale() -> None:
    """Without any option there is something to see."""
    result = run("preview", "invoice")
    assert result.exit_code == 0
    assert result.output.startswith("Subject: Ihre Rechnung 2026-0042 von Acme: 112,87 €\n\nGuten")
    assert "(HTML: " in result.output


@pytest.mark.usefixtures("folder")
def test_a_preview_reads_data_from_its_option_a_file_or_standard_input(tmp_path: Path) -> None:
    """All three print the same."""
    text = '{"name": "Ada"}'
    file = tmp_path / "data.json"
    file.write_text(text)
    for data, stdin in ((text, None), (f"@{file}", None), ("@-", text)):
        result = run("preview", "t", "--channel", "sms", "--data", data, stdin=stdin)
        assert result.output == "Hi Ada\n\n(1 segment)\n"


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("part", "begin"), [("title", "Your Acme code: 493817\n"), ("body", "Valid for 10 minutes.")]
)
def test_one_part_is_printed_alone(part: str, begin: str) -> None:
    """As it is, without a heading."""
    result = run("preview", "login_code", "--channel", "push", "--locale", "en", "--part", part)
    assert result.output.startswith(begin)


@pytest.mark.usefixtures("folder")
def test_a_push_preview_calls_its_title_a_title() -> None:
    """Not a subject."""
    result = run("preview", "welcome", "--channel", "push", "--locale", "en")
    assert result.output == (
        "Title: Welcome to Acme\n\nYour account is ready. Tap to get started.\n"
    )


@pytest.mark.usefixtures("folder")
def test_html_is_written_to_a_file(tmp_path: Path) -> None:
    """To be looked at in a browser."""
    page = tmp_path / "page.html"
    result = run("preview", "welcome", "--html", str(page))
    assert f"in {page})" in result.output
    assert page.read_text("utf-8").startswith("<!doctype html>")


@pytest.mark.usefixtures("folder")
def test_a_part_that_a_version_lacks_is_a_clear_error(tmp_path: Path) -> None:
    """And no file is made."""
    page = tmp_path / "page.html"
    assert error("preview", "welcome", "--channel", "sms", "--part", "html") == (
        "this version has no html"
    )
    assert "no html" in error("preview", "welcome", "--channel", "sms", "--html", str(page))
    assert not page.exists()


@pytest.mark.usefixtures("folder")
def test_missing_data_is_a_clear_error() -> None:
    """It names the file, the line and the name."""
    assert error("preview", "t", "--channel", "sms", "--data", "{}") == (
        "t/sms.text.j2, line 1: missing data: 'name' is undefined"
    )


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize(
    ("data", "reason"),
    [("{", "not JSON"), ("[1]", "must be a JSON object"), ("@/nowhere", "cannot read /nowhere")],
)
def test_data_that_is_no_json_object_is_a_usage_error(data: str, reason: str) -> None:
    """Exit code 2, with the reason."""
    result = run("preview", "t", "--data", data)
    assert result.exit_code == 2
    assert reason in result.output


def test_a_preview_has_an_example_of_the_unsubscribe_link(folder: Path) -> None:
    """The real one is a recipient's own; data of that name are shown as they are."""
    (folder / "t" / "sms.text.j2").write_text("Stop: {{ unsubscribe_url }}")
    words = ("preview", "t", "--channel", "sms", "--part", "text", "--data")
    assert run(*words, "{}").output == "Stop: https://notify.example.com/u/EXAMPLE\n"
    given = run(*words, '{"unsubscribe_url": "https://x.example"}')
    assert given.output == "Stop: https://x.example\n"
    assert "unsubscribe_url" in run("ls").output
