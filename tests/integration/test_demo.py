"""`notify up` and `notify demo` as a newcomer runs them."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
import time
import tomllib
import urllib.request
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from uuid import UUID

import httpx
import psutil
import pytest
from click.testing import CliRunner

from notify.cli import notify
from notify.stack import Stack
from tests.support.patience import PATIENCE
from tests.support.rig import until
from tests.support.services import Vhosts
from tests.support.up import NOTIFY, ROOT, Up, run

SAMPLES = ROOT / "examples" / "samples"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory, vhosts: Vhosts) -> Iterator[Up]:
    """A stack that the tests of this file share, email only; asked to, it stops all it started."""
    templates = tmp_path_factory.mktemp("templates")
    (templates / "hello").mkdir()
    (templates / "hello" / "email.subject.j2").write_text("Hello")
    (templates / "hello" / "email.text.j2").write_text("Hello {{ name }}")
    up = Up(
        tmp_path_factory.mktemp("up") / "state",
        *("--amqp", vhosts.fresh_url(), "--pools", "email", "--templates", str(templates)),
    )
    try:
        up.wait_ready()
        yield up
        children = up.children()
    finally:
        code = up.stop(signal.SIGTERM)
    assert code == 0, up.text
    assert len(children) >= 3
    assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []


def test_a_stack_tells_where_its_parts_are(up: Up) -> None:
    """Programs read endpoints.json, people the lines on the screen."""
    endpoints = json.loads((up.folder / "endpoints.json").read_text())
    assert set(endpoints) == {
        *("amqp", "database", "sandbox", "metrics", "api", "console", "console_login"),
    }
    assert set(endpoints["metrics"]) == {"email", "api", "console"}
    with urllib.request.urlopen(endpoints["sandbox"]) as inbox:  # noqa: S310 - our own server
        assert inbox.status == 200
    assert f"NOTIFY_CONFIG={up.folder / 'notify.toml'}" in up.text
    login = endpoints["console_login"]
    assert f"{endpoints['api']}/v1/docs" in up.text
    with urllib.request.urlopen(f"{endpoints['api']}/v1/openapi.json") as described:  # noqa: S310
        assert described.status == 200
    assert f"{endpoints['console']} for {login['user']}, password {login['password']}" in up.text


def test_the_login_of_a_stack_opens_the_console(up: Up) -> None:
    """The overview shows what the workers do, and another password opens nothing."""
    url, login = up.endpoints["console"], up.endpoints["console_login"]
    headers = {"Origin": url.rstrip("/")}
    form = {"name": login["user"], "password": login["password"]}
    with httpx.Client(
        base_url=url, headers=headers, follow_redirects=True, timeout=PATIENCE
    ) as browser:
        assert browser.post("/sign-in", data=form | {"password": "wrong"}).status_code == 401
        overview = browser.post("/sign-in", data=form)
        assert overview.status_code == 200
        assert "email.critical" in overview.text
        # While a snapshot is read, pages show the one before, from before the worker started.
        until(lambda: "1 consuming" in browser.get(overview.url.path).text)


def test_other_commands_work_against_a_stack_by_its_configuration_alone(up: Up) -> None:
    """What `notify up` prints can be pasted as it is."""
    assert up.notify("topology", "diff").returncode == 0
    listed = up.notify("ls")
    assert listed.returncode == 0, listed.stderr


def test_doctor_finds_a_stack_healthy(up: Up) -> None:
    """With the exports that it printed, all but the pools that were not asked for."""
    told = json.loads(up.notify("doctor", "--json").stdout)
    failed = [each for each in told["findings"] if each["verdict"] == "fail"]
    assert [each for each in failed if "no consumer" not in each["found"]] == []
    assert not any(each["found"].startswith("email:") for each in failed)


def test_the_sandbox_of_a_stack_is_switched_without_its_address(up: Up) -> None:
    """endpoints.json, beside the configuration in force, has it; --url overrides it."""
    assert "down" in up.notify("sandbox", "switch", "--vendor", "fcm", "--behaviour", "down").stdout
    shown = up.notify("sandbox", "switch", "--vendor", "fcm", "--behaviour", "none")
    assert shown.returncode == 0, shown.stderr
    assert up.notify("sandbox", "switch", "--url", "http://127.0.0.1:1").returncode == 1


def _last(up: Up) -> str:
    """The text of the newest mail in the sandbox's inbox."""
    url = json.loads((up.folder / "endpoints.json").read_text())["sandbox"]
    with urllib.request.urlopen(f"{url}/api/messages?limit=1") as answer:  # noqa: S310 - our own
        return str(json.load(answer)[0]["text"])


def _send_hello(up: Up) -> str:
    sent = up.notify(
        *("send", "email.critical.shop", "--to", "ada@sandbox.test"),
        *("--template", "hello", "--data", '{"name": "Ada"}'),
    )
    assert sent.returncode == 0, sent.stderr
    found = re.search(r"[0-9a-f-]{36}", sent.stdout)
    assert found is not None, sent.stdout
    assert up.status(found[0], wanted="sent") == "sent"
    return _last(up)


def _until(up: Up, words: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while words not in up.text:
        assert up.process.poll() is None, up.text
        assert time.monotonic() < deadline, up.text
        time.sleep(0.1)


def test_your_own_templates_are_sent_and_each_change_of_them(up: Up) -> None:
    """Without a restart: that is how they are written."""
    assert _send_hello(up) == "Hello Ada"
    log = up.folder / "logs" / "worker-email.log"
    reloads = log.read_text().count("notify.reloaded")
    config = tomllib.loads((up.folder / "notify.toml").read_text())
    # In one step: the worker could read a file that is truncated, but not yet written.
    (up.folder / "changed").write_text("Bonjour {{ name }}")
    (up.folder / "changed").replace(Path(config["templates"]["folder"], "hello", "email.text.j2"))
    _until(up, "templates changed")
    deadline = time.monotonic() + PATIENCE
    while log.read_text().count("notify.reloaded") == reloads:
        assert time.monotonic() < deadline, up.text
        time.sleep(0.1)
    assert _send_hello(up) == "Bonjour Ada"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_worker_that_ends_is_started_again(up: Up, number: signal.Signals) -> None:
    """Stopping one is how its guarantees are tried: that must not end the stack."""
    worker = next(child for child in up.children() if child.cmdline()[-4:-2] == ["worker", "email"])
    seen = up.text.count("worker email ended with")
    worker.send_signal(number)
    psutil.wait_procs([worker], timeout=PATIENCE)
    deadline = time.monotonic() + PATIENCE
    while up.text.count("worker email ended with") == seen:
        assert time.monotonic() < deadline, up.text
        time.sleep(0.1)
    assert _send_hello(up).endswith(" Ada")


def test_the_python_example_delivers(up: Up) -> None:
    """A producer written in Python with our publisher."""
    amqp = json.loads((up.folder / "endpoints.json").read_text())["amqp"]
    sent = run(sys.executable, "examples/send.py", "anna@sandbox.test", AMQP_URL=amqp)
    assert sent.returncode == 0, sent.stderr
    assert up.status(str(UUID(sent.stdout.strip())), wanted="sent") == "sent"


def test_the_shell_example_delivers(up: Up) -> None:
    """A producer that shares no line of code with us: rabbitmq-c's own amqp-publish."""
    amqp = json.loads((up.folder / "endpoints.json").read_text())["amqp"]
    sent = run("examples/send.sh", "anna@sandbox.test", AMQP_URL=amqp)
    if sent.returncode == 127 and "CI" not in os.environ:
        pytest.skip("amqp-publish is not installed: apt-get install amqp-tools")
    assert sent.returncode == 0, sent.stderr
    assert up.status(str(UUID(sent.stdout.strip())), wanted="sent") == "sent"


def test_two_stacks_do_not_share_a_folder(up: Up) -> None:
    """The second says so in one line."""
    second = run(*NOTIFY, "up", "--state-dir", str(up.folder))
    assert second.returncode == 1
    assert second.stderr.startswith("notify: another stack is running")


def test_a_part_that_dies_ends_the_stack_with_its_last_words(
    tmp_path: Path, broker_url: str
) -> None:
    """The reason is printed; another user's broker keeps running."""
    up = Up(tmp_path / "state", "--pools", "email", "--amqp", broker_url, "--no-web")
    up.wait_ready()
    children = up.children()
    next(child for child in children if "--ledger" in child.cmdline()).kill()
    assert up.process.wait(PATIENCE) == 1
    assert "sandbox ended with SIGKILL" in up.text
    assert str(up.folder / "logs" / "sandbox.log") in up.text
    assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []


def test_a_killed_stack_leaves_nothing_behind(tmp_path: Path) -> None:
    """Even kill -9 of the stack ends broker, sandbox and workers."""
    up = Up(tmp_path / "state", "--pools", "push", "--no-web")
    up.wait_ready()
    children = up.children()
    up.stop(signal.SIGKILL)
    assert psutil.wait_procs(children, timeout=PATIENCE)[1] == []


def test_every_sample_ends_as_its_file_says() -> None:
    """The newcomer's first command, `make run`."""
    shown = run(*NOTIFY, "demo", "--timeout", str(PATIENCE))
    assert shown.returncode == 0, shown.stdout + shown.stderr
    count = len(list(SAMPLES.glob("*.json")))
    assert f"All {count} samples ended as expected" in shown.stdout
    assert "100 delivered" in shown.stdout


def test_a_sample_that_ends_otherwise_fails_the_demonstration(
    tmp_path: Path, broker_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code can be trusted."""
    # The parts that its sample needs: a start of all takes most of a minute.
    monkeypatch.setattr(
        "notify.cli.demo.Stack", partial(Stack, amqp=broker_url, pools=("email",), web=False)
    )
    sample = json.loads((SAMPLES / "email-own-words.json").read_text())
    sample["expect"] = {"status": "failed", "dead": True}
    (tmp_path / "hopeless.json").write_text(json.dumps(sample))
    shown = CliRunner().invoke(notify, ["demo", "--examples", str(tmp_path), "--timeout", "4"])
    assert shown.exit_code == 1, shown.output
    assert "Not as expected" in shown.output
    assert "hopeless" in shown.output.rpartition("Not as expected")[2]
