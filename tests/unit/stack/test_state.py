"""The stack's folder: what it writes, who may read it, who holds it."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from google.oauth2 import service_account

from notify.errors import ConfigError
from notify.message import Channel
from notify.sandbox.ledger import SandboxLedger
from notify.sandbox.posting import EventKey
from notify.service.gateway import open_gateway
from notify.settings import load
from notify.stack.dummies import new_keyring
from notify.stack.endpoints import Endpoints, ReceiptEndpoint
from notify.stack.process import Process, stop_all
from notify.stack.state import StackState, folder_or_temporary
from notify.store import Store

ENDPOINTS = Endpoints(
    amqp='pyamqp://guest:pa"ss@127.0.0.1:5672//',
    database="sqlite:////tmp/ä/notify.db",
    sandbox="http://127.0.0.1:8080",
    metrics={"email": 9001, "dead": 9002},
)
WITH_RECEIPTS = replace(ENDPOINTS, receipts=ReceiptEndpoint(8480, EventKey.new().public))


@pytest.fixture
def state(tmp_path: Path) -> Iterator[StackState]:
    """A state folder with everything written."""
    state = StackState(tmp_path / "state")
    state.write(ENDPOINTS)
    yield state
    state.release()


def test_the_configuration_holds_the_endpoints_whatever_their_letters(state: StackState) -> None:
    """Quotes in a password and umlauts in a path survive."""
    config = tomllib.loads(state.config.read_text())
    assert config["amqp"]["url"] == ENDPOINTS.amqp
    assert config["store"]["url"] == ENDPOINTS.database
    assert config["providers"]["sendgrid"]["options"]["base_url"] == ENDPOINTS.sandbox


@pytest.mark.parametrize("channel", Channel)
def test_the_configuration_builds_each_channels_provider(
    state: StackState, channel: Channel
) -> None:
    """The sandbox's addresses and the dummy keys are such as the real providers take."""
    environ = state.environ({})
    settings = load(environ=environ)
    open_gateway(settings, channel, environ=environ).close()


def test_a_stack_with_receipts_knows_their_address_and_keys(state: StackState) -> None:
    """Twilio is called back at the intake, and the sandbox's key verifies SendGrid's events."""
    endpoints = replace(WITH_RECEIPTS, database=state.database)
    state.write(endpoints)
    environ = state.environ({})
    settings = load(environ=environ)
    assert settings.receipts.public_url == "http://127.0.0.1:8480"
    assert settings.receipts.port == 8480
    callback = settings.providers["twilio"].options["status_callback"]
    assert callback == "http://127.0.0.1:8480/receipts/twilio"
    readers = {name: each.receipts for name, each in settings.providers.items()}
    assert readers["sendgrid"] is not None
    assert readers["sendgrid"].options == {"keys": [endpoints.receipts.sendgrid_key]}  # type: ignore[union-attr]
    assert readers["twilio"] is not None
    assert readers["twilio"].secrets == {"auth_tokens": "TWILIO_RECEIPTS_TOKEN"}
    written = json.loads((state.folder / "endpoints.json").read_text())
    assert written["receipts"] == "http://127.0.0.1:8480/receipts"
    assert written["sendgrid_key"] == endpoints.receipts.sendgrid_key  # type: ignore[union-attr]
    assert settings.categories["newsletter"].subscription


def test_a_stacks_own_record_is_sealed_with_a_keyring_that_stays(state: StackState) -> None:
    """Another start in the folder opens what the first one sealed."""
    state.write(replace(ENDPOINTS, database=state.database))
    first = state.keyring()
    assert first.current == "stack"
    state.write(ENDPOINTS)
    assert state.keyring().current is None
    state.write(replace(ENDPOINTS, database=state.database))
    assert state.keyring().proofs() == first.proofs()
    assert (state.folder / "keyring").stat().st_mode & 0o777 == 0o600


def test_another_database_has_the_keyring_of_the_environment(
    state: StackState, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may have been sealed by another stack; unsubscribing needs a keyring."""
    state.write(WITH_RECEIPTS)
    assert state.keyring().current is None
    assert load(environ=state.environ({})).categories == {}
    monkeypatch.setenv("NOTIFY_KEYRING", new_keyring())
    state.write(WITH_RECEIPTS)
    assert state.keyring().current == "stack"


def modes(folder: Path) -> dict[str, int]:
    """The mode of everything in a folder, by its path, and of the folder itself."""
    found = {str(path.relative_to(folder)): path for path in [folder, *folder.rglob("*")]}
    return {name: path.stat().st_mode & 0o777 for name, path in found.items()}


def test_nobody_else_reads_a_stacks_folder(tmp_path: Path) -> None:
    """Record, ledger and logs name recipients; notify.toml has the broker's password."""
    before = os.umask(0o000)
    try:
        state = StackState(tmp_path / "deep" / "state")
        state.write(ENDPOINTS)
        store = Store.open(state.database)
        store.migrate()
        ledger = SandboxLedger(state.ledger)
        process = Process(
            "x", ["--version"], log=state.log("x"), ready_file=state.ready_file("x"), environ={}
        )
        found = modes(state.folder)
    finally:
        os.umask(before)
        stop_all([process], timeout=10)
        ledger.close()
        store.close()
        state.release()
    assert {"notify.db", "notify.db-wal", "ledger.jsonl", "logs/x.log", "lock"} <= set(found)
    assert {name: mode for name, mode in found.items() if mode & 0o077} == {}


def test_what_an_older_stack_left_readable_is_closed(tmp_path: Path) -> None:
    """An upgrade does not leave yesterday's recipients open."""
    folder = tmp_path / "state"
    (folder / "logs").mkdir(parents=True)
    for name in ("notify.db", "notify.db-wal", "ledger.jsonl", "logs/worker-email.log"):
        (folder / name).touch()
        (folder / name).chmod(0o644)
    folder.chmod(0o755)
    StackState(folder).release()
    assert {name: mode for name, mode in modes(folder).items() if mode & 0o077} == {}


def test_a_folder_with_other_folders_in_it_keeps_its_mode(tmp_path: Path) -> None:
    """A caller may name /tmp: its mode and foreign files must not change."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other").chmod(0o755)
    tmp_path.chmod(0o755)
    state = StackState(tmp_path)
    state.write(ENDPOINTS)
    state.release()
    found = modes(tmp_path)
    assert found.pop(".") == 0o755
    assert found.pop("other") == 0o755
    assert {name: mode for name, mode in found.items() if mode & 0o077} == {}


def test_programs_find_the_endpoints_in_a_json_file(state: StackState) -> None:
    """endpoints.json is part of the command's contract."""
    endpoints = json.loads((state.folder / "endpoints.json").read_text())
    assert endpoints == {
        "amqp": ENDPOINTS.amqp,
        "database": ENDPOINTS.database,
        "sandbox": ENDPOINTS.sandbox,
        "metrics": {
            "email": "http://127.0.0.1:9001/metrics",
            "dead": "http://127.0.0.1:9002/metrics",
        },
    }


def test_every_secret_that_the_configuration_names_is_a_private_file(state: StackState) -> None:
    """The workers can read their keys, and no other user can."""
    config = tomllib.loads(state.config.read_text())
    named = {name for one in config["providers"].values() for name in one["secrets"].values()}
    assert {path.name for path in state.credentials.iterdir()} == named
    assert state.credentials.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in state.credentials.iterdir()} == {0o600}
    assert state.config.stat().st_mode & 0o777 == 0o600


def test_the_service_account_is_one_that_googles_library_accepts(state: StackState) -> None:
    """A real key, made for this run, and a token address in the sandbox."""
    info = json.loads((state.credentials / "FCM_SERVICE_ACCOUNT").read_text())
    account = service_account.Credentials.from_service_account_info(info)
    assert account.project_id == "sandbox"
    assert info["token_uri"].startswith(ENDPOINTS.sandbox)


def test_the_processes_see_only_the_stacks_own_settings(state: StackState) -> None:
    """A NOTIFY_ variable of the caller's shell must not reach into the stack."""
    environ = state.environ({"PATH": "/bin", "NOTIFY_AMQP__URL": "pyamqp://elsewhere//"})
    assert environ == {
        "PATH": "/bin",
        "NOTIFY_CONFIG": str(state.config),
        "CREDENTIALS_DIRECTORY": str(state.credentials),
    }


def test_a_folder_belongs_to_one_stack_at_a_time(state: StackState) -> None:
    """Two stacks in one folder would overwrite each other's configuration."""
    with pytest.raises(ConfigError, match="another stack is running"):
        StackState(state.folder)
    state.release()
    StackState(state.folder).release()


def test_a_folder_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    """One line, not a traceback."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="cannot write to"):
        StackState(tmp_path / "file" / "state")


def test_a_temporary_folder_is_removed_unless_the_stack_failed() -> None:
    """The logs of a failure stay, to be read."""
    with folder_or_temporary(None) as gone:
        assert gone.is_dir()
    assert not gone.exists()

    with pytest.raises(ConfigError), folder_or_temporary(None) as kept:
        raise ConfigError("the broker did not start")
    assert kept.is_dir()
    kept.rmdir()


def test_a_named_folder_stays(tmp_path: Path) -> None:
    """A folder that the caller named is kept."""
    with folder_or_temporary(tmp_path) as folder:
        assert folder == tmp_path
    assert tmp_path.is_dir()
