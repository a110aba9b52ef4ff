"""`notify send` with a broker behind it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import amqp
import pytest
from click.testing import CliRunner, Result

from notify.cli import notify
from tests.support import queues

REQUEST = {"to": "ann@example.com", "template": "welcome"}


@pytest.fixture(autouse=True)
def _settings(broker_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Point the command at this test's broker."""
    monkeypatch.setenv("NOTIFY_AMQP__URL", broker_url)


def run(*arguments: str, stdin: str = "") -> Result:
    """Call `notify send` with `stdin` as its input."""
    return CliRunner().invoke(notify, ["send", *arguments], input=stdin)


def test_one_notification_is_in_its_queue(channel: amqp.Channel) -> None:
    """As plain JSON, with its id inside and outside."""
    result = run(
        "sms.critical.shop", "--to", "+4915112345678", "--text", "Your code is 1", "--json"
    )
    assert result.exit_code == 0
    told = json.loads(result.stdout)
    message = channel.basic_get("notify.sms.critical", no_ack=True)
    assert told == {"line": 0, "id": message.properties["message_id"], "status": "confirmed",
                    "error": ""}  # fmt: skip
    assert json.loads(message.body) == {
        "id": told["id"], "to": "+4915112345678", "text": "Your code is 1",
    }  # fmt: skip
    assert message.properties["content_type"] == "application/json"


def test_a_file_is_published_except_its_invalid_lines(broker_url: str, tmp_path: Path) -> None:
    """The good ones are confirmed, the bad one is named, and the exit code is 1."""
    file = tmp_path / "batch.jsonl"
    lines = [json.dumps(REQUEST)] * 1000
    lines[499] = json.dumps({**REQUEST, "to": "nobody"})
    file.write_text("\n".join(lines))
    result = run("email.bulk.shop", "--file", str(file))
    assert result.exit_code == 1
    assert result.stdout.startswith("999 confirmed, 1 invalid in ")
    assert result.stderr.startswith("line 500: ")
    assert queues.waiting(broker_url, "notify.email.bulk") == 999


def test_a_dry_run_publishes_nothing(broker_url: str) -> None:
    """Not even a good one."""
    assert (
        run("email.bulk.shop", "--file", "-", "--dry-run", stdin=json.dumps(REQUEST)).exit_code == 0
    )
    assert queues.waiting(broker_url, "notify.email.bulk") == 0


def test_unchecked_requests_reach_the_queue(channel: amqp.Channel) -> None:
    """The workers will put them with the dead letters."""
    assert run("email.bulk.shop", "--file", "-", "--unchecked", stdin='{"x": 1}').exit_code == 0
    assert channel.basic_get("notify.email.bulk", no_ack=True) is not None


def test_a_broker_that_is_down_is_one_clear_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the id, the reason and the fix."""
    monkeypatch.setenv("NOTIFY_AMQP__URL", "pyamqp://guest:guest@127.0.0.1:1//")
    monkeypatch.setenv("NOTIFY_AMQP__CONFIRM_TIMEOUT", "0.2")
    result = run("email.normal.shop", "--file", "-", stdin=json.dumps(REQUEST))
    assert result.exit_code == 1
    assert "not confirmed: connection refused; publish it again" in result.stderr


def test_a_broker_that_accepts_nothing_ends_a_long_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the last line, so that the rest can be sent later."""
    monkeypatch.setenv("NOTIFY_AMQP__URL", "pyamqp://guest:guest@127.0.0.1:1//")
    monkeypatch.setenv("NOTIFY_AMQP__CONFIRM_TIMEOUT", "0.2")
    stdin = "\n".join([json.dumps(REQUEST)] * 2000)
    result = run("email.normal.shop", "--file", "-", stdin=stdin)
    assert result.exit_code == 1
    stopped = re.search(r"nothing after line (\d+) was published", result.stderr)
    assert stopped
    # Each request that was tried is reported.
    assert f"{stopped[1]} unconfirmed" in result.stdout
    assert 256 <= int(stopped[1]) < 2000
