"""Files as editors write them: with a byte order mark, in UTF-16, with other line ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from notify.errors import ConfigError
from notify.settings import ProviderSettings, load, secrets_of
from notify.settings.sources import credentials

MARK = b"\xef\xbb\xbf"
TOML = b'[amqp]\nheartbeat = 60\n[log]\nlevel = "error"\n'
SECRET = "hunter2canary"


@pytest.mark.parametrize(
    "content",
    [TOML, MARK + TOML, MARK * 2 + TOML, MARK + TOML.replace(b"\n", b"\r\n")],
    ids=["plain", "mark", "two-marks", "mark-and-crlf"],
)
def test_a_byte_order_mark_is_no_part_of_the_configuration(tmp_path: Path, content: bytes) -> None:
    """Editors on Windows write one, and show none."""
    file = tmp_path / "notify.toml"
    file.write_bytes(content)
    settings = load(file, environ={})
    assert (settings.amqp.heartbeat, settings.log.level) == (60, "error")


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("name", ["notify.toml", "ACME_KEY", "secrets.env"])
def test_utf_16_is_refused_by_its_name(tmp_path: Path, encoding: str, name: str) -> None:
    """A secret read in the wrong encoding would be refused by the vendor."""
    file = tmp_path / name
    file.write_text(f"ACME_KEY = '{SECRET}'\n", encoding=encoding)
    place = "NOTIFY_CONFIG" if name == "notify.toml" else "CREDENTIALS_DIRECTORY"
    environ = {place: str(file if place == "NOTIFY_CONFIG" else tmp_path)}
    with pytest.raises(ConfigError, match="is UTF-16 or not text; save it as UTF-8") as caught:
        load(environ=environ)
    assert name in str(caught.value)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        (f"ACME_KEY=2\nACME_KEY={SECRET}", "line 2 sets a name again"),
        (f"ACME_KEY=2\n# and\n ACME_KEY = '2'\nX={SECRET}", "line 3 sets a name again"),
        (f"export NOTIFY_STORE__URL={SECRET}", "line 1 is not NAME=value"),
        (f"A=1\n\n{SECRET}+/==", "line 3 is not NAME=value"),
        (f"={SECRET}", "line 1 is not NAME=value"),
        (f"2A={SECRET}", "line 1 is not NAME=value"),
    ],
)
def test_an_environment_file_sets_each_name_once(tmp_path: Path, text: str, line: str) -> None:
    """Else one of two values, or an option behind `export`, would be ignored silently."""
    (tmp_path / "secrets.env").write_text(text)
    with pytest.raises(ConfigError, match=f"credential secrets.env: {line}") as caught:
        load(environ={"CREDENTIALS_DIRECTORY": str(tmp_path)})
    assert SECRET not in str(caught.value)


def test_two_credentials_do_not_set_the_same_name(tmp_path: Path) -> None:
    """Which of them won would depend on their files' names."""
    (tmp_path / "ACME_KEY").write_text("1")
    (tmp_path / "more.env").write_text("ACME_KEY=1\n")
    with pytest.raises(ConfigError, match=r"credential more\.env: ACME_KEY is also set in another"):
        credentials({"CREDENTIALS_DIRECTORY": str(tmp_path)})


def test_one_file_of_credentials_can_be_chosen(tmp_path: Path) -> None:
    """A machine of workers and web processes has a file for each, with separate users."""
    (tmp_path / "api.env").write_text("NOTIFY_AMQP__HEARTBEAT=7\n")
    chosen = tmp_path / "providers.env"
    chosen.write_text("NOTIFY_AMQP__HEARTBEAT=9\n")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path), "NOTIFY_CREDENTIALS": str(chosen)}
    assert load(environ=environ).amqp.heartbeat == 9
    chosen.unlink()
    with pytest.raises(ConfigError, match=r"providers\.env"):
        load(environ=environ)


def test_an_option_in_two_cases_is_a_mistake(tmp_path: Path) -> None:
    """One of them would be ignored; a credential and a variable have an order, and may differ."""
    (tmp_path / "NOTIFY_AMQP__HEARTBEAT").write_text("60")
    folder = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert load(environ={**folder, "NOTIFY_amqp__heartbeat": "30"}).amqp.heartbeat == 30
    environ = {"NOTIFY_AMQP__HEARTBEAT": "60", "NOTIFY_amqp__heartbeat": "30"}
    text = "NOTIFY_AMQP__HEARTBEAT and NOTIFY_amqp__heartbeat set the same option"
    with pytest.raises(ConfigError, match=text):
        load(environ=environ)


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("x = " + "[" * 5000 + "]" * 5000, "nested too deep"),
        ("x = " + "{a=" * 5000 + "1" + "}" * 5000, "nested too deep"),
        (".".join("a" * 5000) + " = 1", "nested too deep"),
        ("[" + ".".join("a" * 5000) + "]", "nested too deep"),
        ("x = " + "1" * 5000, "too many digits"),
    ],
    ids=["lists", "tables", "key", "head", "number"],
)
def test_a_file_that_no_reader_holds_is_a_mistake(tmp_path: Path, text: str, error: str) -> None:
    """It is TOML, and still no configuration; the command says so, without a traceback."""
    file = tmp_path / "notify.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=error):
        load(file, environ={})


def test_a_mark_is_no_part_of_a_secret(tmp_path: Path) -> None:
    """Neither in a file of its own nor before the first name of an environment file."""
    (tmp_path / "ACME_KEY").write_bytes(MARK + f"{SECRET}\r\n".encode())
    lines = b"SECOND=2\r\n# note=1\r\n" + MARK + b"THIRD='3'\r\n"
    (tmp_path / "more.env").write_bytes(MARK + b"FIRST=1\r\n" + lines)
    (tmp_path / "NOTIFY_AMQP__HEARTBEAT").write_bytes(MARK + b"60")
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    values = credentials(environ)
    assert (values["FIRST"], values["SECOND"], values["THIRD"]) == ("1", "2", "3")
    provider = ProviderSettings(use="a:B", secrets={"key": "ACME_KEY"})
    assert secrets_of(provider, environ=environ)["key"].get_secret_value() == SECRET
    assert load(environ=environ).amqp.heartbeat == 60
