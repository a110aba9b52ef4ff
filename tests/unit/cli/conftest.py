"""Fixtures for the commands that work on a record."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from notify.cli import main
from notify.store import Store
from tests.support.commands import Done, Notify
from tests.support.migrated import migrated

CONFIG = """
[channels.email]
providers = ["first", "second"]

[channels.push]
providers = ["only"]

[providers]
first = { use = "providers.memory:Memory", options = { channel = "email" } }
second = { use = "providers.memory:Memory", options = { channel = "email" } }
only = { use = "providers.memory:Memory", options = { channel = "push" } }
"""


@pytest.fixture
def configure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Configure the commands with the text of a file, and an operator's name."""

    def write(text: str) -> None:
        config = tmp_path / "notify.toml"
        config.write_text(text)
        monkeypatch.setenv("NOTIFY_CONFIG", str(config))
        monkeypatch.setenv("SUDO_USER", "ann")

    return write


@pytest.fixture
def three_providers(configure: Callable[[str], None]) -> None:
    """Configure three providers, two of them for email."""
    configure(CONFIG)


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The address of a database without tables, which the commands are configured for."""
    url = f"sqlite:///{tmp_path}/notify.db"
    monkeypatch.setenv("NOTIFY_STORE__URL", url)
    return url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    """The record that the commands work on."""
    store = migrated(url)
    yield store
    store.close()


@pytest.fixture
def notify(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Notify:
    """Call the command line as the console script does."""

    def call(*arguments: object) -> Done:
        capsys.readouterr()
        monkeypatch.setattr(sys, "argv", ["notify", *map(str, arguments)])
        with pytest.raises(SystemExit) as caught:
            main()
        captured = capsys.readouterr()
        return Done(int(caught.value.code or 0), captured.out, captured.err)

    return call
