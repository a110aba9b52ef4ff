"""`notify config`, as its user sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from notify.cli import notify

EXAMPLE = Path(__file__).parents[3] / "config" / "notify.toml"
CANARY = "hunter2canary"
SECRETS = {
    "SENDGRID_API_KEY": CANARY,
    "TWILIO_ACCOUNT_SID": CANARY,
    "TWILIO_AUTH_TOKEN": CANARY,
    "FCM_SERVICE_ACCOUNT": CANARY,
}


def run(*args: str, **environ: str) -> Result:
    """Run the command line with these variables."""
    return CliRunner().invoke(notify, ["config", *args], env=environ)


def test_the_shipped_example_is_good() -> None:
    """With its secrets there, one line sums it up."""
    result = run("check", str(EXAMPLE), **SECRETS)
    assert result.exit_code == 0, result.exception
    assert result.stdout == (
        f"the configuration is valid: 3 channels, 3 lanes, 3 pools, 3 providers ({EXAMPLE})\n"
        "recipients and bodies are recorded in clear: NOTIFY_KEYRING is not set\n"
    )
    assert result.stderr == ""


def test_mistakes_go_to_stderr_and_the_exit_code_is_1(tmp_path: Path) -> None:
    """As a person or a deployment script runs it: no traceback, each mistake a line."""
    file = tmp_path / "notify.toml"
    file.write_text("[amqp]\nurll = 'x'\nheartbeat = 0\n")
    command = [sys.executable, "-m", "notify", "config", "check", str(file)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines() == [
        f"notify: the configuration ({file}) has 2 mistakes:",
        "  amqp.heartbeat: must be greater than or equal to 1 (line 3)",
        "  amqp.urll: unknown option; did you mean url? (line 2)",
    ]


def test_warnings_do_not_fail_a_check(tmp_path: Path) -> None:
    """They are printed before the summary, on stderr."""
    file = tmp_path / "notify.toml"
    file.write_text("")
    result = run("check", str(file))
    assert result.exit_code == 0
    assert (
        result.stderr == "warning: channels: none has a provider, so nothing can be sent; add one\n"
    )
    assert result.stdout.startswith("the configuration is valid: 0 channels, 3 lanes, 3 pools, 0 p")


def test_show_prints_every_option_with_its_origin_and_no_secret() -> None:
    """Passwords are left out of addresses; secrets show their names only."""
    url = f"pyamqp://u:{CANARY}@h:1//"
    result = run("show", str(EXAMPLE), NOTIFY_AMQP__URL=url, **SECRETS)
    assert result.exit_code == 0, result.exception
    rows = {line.split()[0]: line.split()[1:] for line in result.stdout.splitlines()}
    assert rows["amqp.url"] == ["pyamqp://…@h:1//", "environment", "NOTIFY_AMQP__URL"]
    assert rows["amqp.ca_file"] == ["-", "default"]
    assert rows["providers.sendgrid.secrets.api_key"][:2] == ["SENDGRID_API_KEY", "file"]
    assert CANARY not in result.output


@pytest.mark.parametrize("args", [[], ["check"], ["show"]])
def test_the_help_has_an_example(args: list[str]) -> None:
    """Every command has an example."""
    result = run(*args, "--help")
    assert result.exit_code == 0
    assert "Example:\n" in result.stdout
