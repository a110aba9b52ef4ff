"""The findings of the full check, beyond mistakes that prevent loading."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

import pytest

from notify.message import Channel, Receipt, Rendered
from notify.settings.checks.report import ConfigReport, check

Look = Callable[..., ConfigReport]


class Acme:
    """A provider with one needed secret and one option."""

    channel: ClassVar[Channel] = Channel.EMAIL

    def __init__(self, *, api_key: str, sender: str = "", timeout: float = 10.0) -> None:
        raise AssertionError(f"a check builds no provider, yet got {api_key}, {sender}, {timeout}")

    def send(self, message: Rendered, /) -> Receipt:
        """Refuse every message."""
        raise NotImplementedError

    def close(self) -> None:
        """Nothing to give back."""


class Voiceless:
    """No provider: it says no channel."""


SLOW = "providers.acme.breaker.slow_call"
GOOD = f"""
[channels.email]
providers = ["acme"]
[providers.acme]
use = "{__name__}:Acme"
secrets = {{ api_key = "ACME_KEY" }}
"""


@pytest.fixture
def look(tmp_path: Path) -> Look:
    """Check a configuration text with these variables."""

    def _look(text: str, **environ: str) -> ConfigReport:
        file = tmp_path / "notify.toml"
        file.write_text(text, "utf-8")
        return check(file, environ={"ACME_KEY": "k", **environ})

    return _look


def test_a_good_configuration_has_no_findings(look: Look) -> None:
    """Neither a mistake nor a warning, and the settings are there."""
    report = look(GOOD)
    assert report.settings is not None
    assert (report.mistakes, report.warnings) == ([], [])


@pytest.mark.parametrize(
    ("old", "new", "line"),
    [
        (":Acme", ":Acne", "use: the module has no such class; did you mean Acme? (line 5)"),
        (":Acme", ":ACME", "use: the module has no such class; did you mean Acme? (line 5)"),
        (":Acme", ":Zebra", "use: the module has no such class; known are: Acme (line 5)"),
        (f"{__name__}:Acme", "json:Acme", "use: the module has no such class; correct the name"),
        (
            f"{__name__}:Acme",
            "providers.sendgird:SendGrid",
            "use: cannot be imported: no module providers.sendgird; did you mean"
            " providers.sendgrid? (line 5)",
        ),
        (
            f"{__name__}:Acme",
            "provider.sendgrid:SendGrid",
            "use: cannot be imported: no module provider; did you mean providers? (line 5)",
        ),
        (
            f"{__name__}:Acme",
            "providers.sendgrid:Sendgrid",
            "use: the module has no such class; did you mean SendGrid? (line 5)",
        ),
        (":Acme", ":Voiceless", "use: is not a provider: its class has no channel (email, sms"),
        (f"{__name__}:", "no_such:", "use: cannot be imported: no module no_such; install it, or"),
        (
            f"{__name__}:Acme",
            "providers.sendgrid.foo:Y",
            "use: cannot be imported: no module providers.sendgrid.foo; install it, or correct",
        ),
        (
            f"{__name__}:Acme",
            "json.decoder.x.y:A",
            "use: cannot be imported: no module json.decoder.x; install it, or correct",
        ),
        ("{ api", "{ sendr = 'SENDER', api", "secrets.sendr: unknown option; did you mean sender?"),
        ("secrets = { api_key", "options = { x", "options.api_key: is missing: set it, or name it"),
        (
            "ACME_KEY",
            "OTHER_KEY",
            "secrets.api_key: no value for OTHER_KEY; provide it as a file of",
        ),
        ("[providers.acme]", "[providers.acme]\noptions = { sendr = 'x' }", "options.sendr: unkn"),
        (
            "{ api",
            "{ sender = 'SENDER', api",
            "secrets.sender: no value for SENDER; provide it as a file of that name",
        ),
    ],
)
def test_a_provider_that_does_not_fit_is_told(look: Look, old: str, new: str, line: str) -> None:
    """Its class, its options and its secrets are looked at, and nothing is built."""
    told = [str(each) for each in look(GOOD.replace(old, new)).mistakes]
    assert any(each.startswith(f"providers.acme.{line}") for each in told), told


def test_a_provider_of_another_channel_is_told(look: Look) -> None:
    """An email provider cannot serve sms."""
    text = GOOD.replace("[channels.email]", "[channels.sms]\ncountries = ['*']")
    told = [str(each) for each in look(text).mistakes]
    assert told == ["providers.acme.use: sends email, but channels.sms lists it (line 6)"]


def test_an_option_that_is_also_a_secret_is_told(look: Look) -> None:
    """One of the two would be ignored."""
    text = GOOD.replace("{ api", "{ sender = 'ACME_KEY', api") + "options = { sender = 'x' }\n"
    told = [str(each) for each in look(text).mistakes]
    assert told == [
        "providers.acme.secrets.sender: is also under `options`; keep one of them (line 6)"
    ]


def test_providers_are_looked_at_although_the_rest_has_mistakes(look: Look) -> None:
    """One run tells all: a bad heartbeat does not hide a bad class."""
    report = look(GOOD.replace(":Acme", ":Acne") + "[amqp]\nheartbeat = 0\n")
    assert report.settings is None
    assert [each.key for each in report.mistakes] == ["amqp.heartbeat", "providers.acme.use"]


def test_missing_secrets_are_told_with_all_the_rest(look: Look) -> None:
    """A first run needs all of them at once, not the secrets after the file is correct."""
    text = GOOD.replace("ACME_KEY", "OTHER_KEY") + (
        "rat = 5\n[amqp]\nheartbeat = 0\n[templates]\nfolder = '/no/such'\n[privacy]\n"
        "require_keyring = true\n"
    )
    report = look(text)
    assert report.settings is None
    told = {each.key: each.line for each in report.mistakes}
    assert told == {
        "providers.acme.rat": 7,
        "amqp.heartbeat": 9,
        "templates.folder": 11,
        "providers.acme.secrets.api_key": 6,
        "privacy.require_keyring": 13,
    }


def test_a_provider_that_is_no_python_is_told(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The author of a provider sees this first."""
    (tmp_path / "broken_acme.py").write_text("class Acme\n")
    monkeypatch.syspath_prepend(tmp_path)
    told = [str(each) for each in look(GOOD.replace(__name__, "broken_acme")).mistakes]
    assert told == [
        "providers.acme.use: cannot be imported: its module raises SyntaxError; correct the"
        " module (line 5)"
    ]


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("import os; os.environ['NO_SUCH_VARIABLE']", "KeyError"),
        ("open('/no/such/file')", "FileNotFoundError"),
        ("raise RuntimeError('s3cret')", "RuntimeError"),
        ("raise NotImplementedError", "NotImplementedError"),
        ("assert not 's3cret'", "AssertionError"),
        ("1 / 0", "ZeroDivisionError"),
        ("def f(): f()\nf()", "RecursionError"),
        ("raise SystemExit('s3cret')", "SystemExit"),
        ("import sys; sys.exit(0)", "SystemExit"),
        ("from providers.sendgrid import Nope", "ImportError"),
        ("import broken_acme.inner", "ModuleNotFoundError"),
    ],
)
def test_a_provider_whose_module_fails_is_told(
    look: Look, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, error: str
) -> None:
    """Its module reads variables and files of its own; the check lists that as a mistake."""
    (tmp_path / "failing_acme.py").write_text(f"{text}\n")
    monkeypatch.syspath_prepend(tmp_path)
    (told,) = [str(each) for each in look(GOOD.replace(__name__, "failing_acme")).mistakes]
    if error == "ModuleNotFoundError":
        assert "cannot be imported: no module broken_acme; install it" in told
    else:
        assert f"cannot be imported: its module raises {error}; correct the module" in told
    assert "s3cret" not in told


def test_what_a_variable_says_has_no_line(look: Look) -> None:
    """The file may hold the same option, and be right."""
    report = look(GOOD + "[amqp]\nheartbeat = 60\n", NOTIFY_AMQP__HEARTBEAT="0")
    assert [(each.key, each.line) for each in report.mistakes] == [
        ("amqp.heartbeat (environment NOTIFY_AMQP__HEARTBEAT)", None)
    ]


def test_a_warning_has_its_line_too(look: Look) -> None:
    """It can run, but an operator must find the place."""
    (warning,) = look(f"{GOOD}\n[limits.account]\nrate = 9\n").warnings
    assert (warning.key, warning.line) == ("limits.account", 8)


def test_folders_and_certificates_that_are_not_there_are_told(look: Look) -> None:
    """They would stop a worker's start."""
    report = look(
        GOOD + "[templates]\nfolder = '/no/such'\n"
        "[amqp]\nurl = 'pyamqp://h:5671//'\ntls = true\nca_file = '/no/such'\n"
    )
    assert [str(each) for each in report.mistakes] == [
        "amqp.ca_file: no such file; correct the path (line 12)",
        "templates.folder: no such folder; create it, or remove the line (line 8)",
    ]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        (
            "[pools.email]\nlanes = ['bulk', 'normal']",
            "lanes.critical: no pool consumes email.crit",
        ),
        ("[pools]\nemail = false\n[lanes]\nbulk = false", "lanes.critical: no pool consumes email"),
        ("[pools.sms]\nchannel = 'sms'", "pools.sms: cannot start: channels.sms has no provid"),
        (
            "[limits.account]\nrate = 9",
            "limits.account: no provider lists it, so it limits nothing",
        ),
        ("[providers.acme.breaker]\nslow_call = 10", f"{SLOW}: not below the provider's timeout"),
        ("[providers.acme.options]\ntimeout = 3", f"{SLOW}: not below the provider's timeout"),
        ("[providers.b]\nuse = 'x:Y'", "providers.b: no channel lists it, so it is never used"),
        (
            "[store]\nurl = 'postgresql+psycopg://u:p@h/d'",
            "store.url: a password in a file that every user can read; move it to a credential",
        ),
        (
            "[amqp]\nurl = 'pyamqp://rabbit/v'\n[contract]\nrequire_user_id = true",
            "amqp.tls: the password and all messages are sent unencrypted",
        ),
        (
            "[amqp]\nurl = 'pyamqp://10.0.0.1:5671/v'\ntls = true",
            "contract.require_user_id: any publisher may use any source's name",
        ),
        (
            "[store]\nurl = 'postgresql+psycopg://h/d?sslmode=require'",
            "store.url: the database's certificate is not checked; add ?sslmode=verify-full",
        ),
        (
            "[api]\nlisten = '0.0.0.0'",
            "api.listen: keys and messages of `notify web api` cross the network unencrypted",
        ),
    ],
)
def test_a_doubtful_point_is_a_warning(look: Look, more: str, line: str) -> None:
    """It can run, but an operator should know."""
    told = [str(each) for each in look(f"{GOOD}\n{more}\n").warnings]
    assert told
    assert told[0].startswith(line)


@pytest.mark.parametrize(
    ("broker", "store", "environ"),
    [
        ("pyamqp://127.0.0.1:5672/v", "postgresql+psycopg://u@127.0.0.1/d", {}),
        ("pyamqp://localhost/v", "postgresql+psycopg:///d?host=/var/run/postgresql", {}),
        ("pyamqp://[::1]/v", "postgresql+psycopg://u@h/d?sslmode=verify-full", {}),
        ("pyamqp://u:p@localhost/v", "postgresql+psycopg://u@h/d", {"PGSSLMODE": "verify-full"}),
        ("pyamqp://localhost/v", "sqlite:////d", {}),
    ],
)
def test_what_stays_on_this_machine_or_is_verified_needs_no_warning(
    look: Look, broker: str, store: str, environ: dict[str, str]
) -> None:
    """TLS is for the way between machines."""
    text = f"{GOOD}\n[amqp]\nurl = '{broker}'\n[store]\nurl = '{store}'\n"
    told = {each.key for each in look(text, **environ).warnings}
    assert told <= {"amqp.url"}


@pytest.mark.parametrize("name", ["HTTPS_PROXY", "http_proxy", "ALL_PROXY"])
def test_a_proxy_that_is_not_used_is_a_warning(look: Look, name: str) -> None:
    """An operator who set it expects the calls to use it; its address may contain a password."""
    report = look(GOOD, **{name: "http://user:canary@proxy.example.com:3128", "NO_PROXY": "x"})
    (warning,) = map(str, report.warnings)
    assert warning.startswith(f"{name}: is not used for providers")
    assert "canary" not in warning
    assert report.mistakes == []


def test_without_providers_nothing_can_be_sent() -> None:
    """The bare defaults are valid and useless, and it is said."""
    report = check(environ={})
    assert report.mistakes == []
    assert [each.key for each in report.warnings] == ["channels"]


def test_a_credential_that_others_may_read_is_a_warning(look: Look, tmp_path: Path) -> None:
    """Only its owner should; files the service does not read do not count."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    for name, mode in (("ACME_KEY", 0o400), ("OTHER_KEY", 0o440), ("x.env", 0o404), ("y", 0o444)):
        (folder / name).write_text("k")
        (folder / name).chmod(mode)
    told = [str(each) for each in look(GOOD, CREDENTIALS_DIRECTORY=str(folder)).warnings]
    assert told == [
        "credential OTHER_KEY: readable by more than its owner; chmod 0400 it",
        "credential x.env: readable by more than its owner; chmod 0400 it",
    ]
