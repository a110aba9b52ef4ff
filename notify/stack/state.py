"""The folder of a stack: its configuration, dummy credentials, record, logs and ledger."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from notify.errors import ConfigError, NotifyError
from notify.keyring import NAME, Keyring
from notify.private import private
from notify.settings import PrivacySettings, keyring_of
from notify.stack.config_file import config_text
from notify.stack.dummies import dummies, new_keyring
from notify.stack.endpoints import Endpoints

_LOCK = "lock"
ENDPOINTS = "endpoints.json"
"""The file next to notify.toml with the addresses of a stack's parts."""
_FOLDERS = ("logs", "ready", "credentials", "rabbitmq")
_FILES = ("lock", "notify.toml", ENDPOINTS, "keyring", "ledger.jsonl", "receipts.jsonl")
_PATTERNS = (*_FILES, "notify.db*", "logs/*.log")


class StackState:
    """
    A stack's folder, locked by one stack at a time.

    Attributes:
        folder: The folder itself.
        config: The complete notify.toml.
        credentials: One file a secret; readable by the owner only.
        ledger: The sandbox's effects and answers, one JSON line for each.
        receipts_ledger: The events that the sandbox posted, likewise.
    """

    def __init__(self, folder: Path) -> None:
        """
        Create the folder if it is missing, and lock it until `release`.

        Raises:
            ConfigError: Another stack runs in it, or it cannot be written.
        """
        self.folder = folder.resolve()
        self.config = self.folder / "notify.toml"
        self.credentials = self.folder / "credentials"
        self.ledger = self.folder / "ledger.jsonl"
        self.receipts_ledger = self.folder / "receipts.jsonl"
        self._keyring = self.folder / "keyring"
        self._lock = self._locked()

    @property
    def database(self) -> str:
        """The address of the folder's own SQLite store."""
        return f"sqlite:///{self.folder / 'notify.db'}"

    @property
    def broker(self) -> Path:
        """The folder of the private broker."""
        return self.folder / "rabbitmq"

    def log(self, name: str) -> Path:
        """Return the log file of the process `name`."""
        return self.folder / "logs" / f"{name}.log"

    def ready_file(self, name: str) -> Path:
        """Return the file that the process `name` writes once it is ready."""
        return self.folder / "ready" / name

    def write(self, endpoints: Endpoints, *, templates: Path | None = None) -> None:
        """
        Write the files for the processes and other commands: configuration, secrets, endpoints.

        The folder's own record is sealed with the folder's own keyring, which stays in it. Another
        database may have been sealed by another stack: only the keyring of the environment is used.

        Args:
            templates: The folder of the user's own templates, if there is one.
        """
        sealed = self._write_keyring(own=endpoints.database == self.database)
        text = config_text(endpoints, sealed=sealed, templates=templates)
        _write_private(self.config, text)
        addresses = json.dumps(endpoints.as_dict(), indent=2)
        _write_private(self.folder / ENDPOINTS, addresses + "\n")
        for name, secret in dummies(endpoints.sandbox).items():
            if f'"{name}"' in text:
                _write_private(self.credentials / name, secret)

    def keyring(self) -> Keyring:
        """Return the keyring of the processes, once `write` has written it."""
        return keyring_of(PrivacySettings(), environ=self.environ({}))

    def environ(self, outer: Mapping[str, str]) -> dict[str, str]:
        """Return the environment of the processes: the outer one, with the stack's own NOTIFY_*."""
        kept = {name: value for name, value in outer.items() if not name.startswith("NOTIFY_")}
        return kept | {
            "NOTIFY_CONFIG": str(self.config),
            "CREDENTIALS_DIRECTORY": str(self.credentials),
        }

    def release(self) -> None:
        """Unlock the folder, so that another stack can use it."""
        self._lock.close()

    def _write_keyring(self, *, own: bool) -> bool:
        """Write the keyring for the processes; return whether there is one."""
        if own and not self._keyring.exists():
            _write_private(self._keyring, new_keyring())
        text = self._keyring.read_text() if own else os.environ.get(NAME, "")
        if text:
            _write_private(self.credentials / NAME, text)
        else:
            (self.credentials / NAME).unlink(missing_ok=True)
        return bool(text)

    def _locked(self) -> IO[str]:
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            others = {each.name for each in self.folder.iterdir() if each.is_dir()}
            for name in _FOLDERS:
                (self.folder / name).mkdir(mode=0o700, exist_ok=True)
            lock = open(self.folder / _LOCK, "w", opener=private)  # noqa: SIM115
            self._keep_private(whole=others <= set(_FOLDERS))
        except OSError as error:
            raise ConfigError(f"cannot write to {self.folder}: {error.strerror}") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            raise ConfigError(
                f"another stack is running in {self.folder}; stop it or name another folder"
            ) from None
        return lock

    def _keep_private(self, *, whole: bool) -> None:
        """Remove other users' permissions, which an older stack or the umask may have left.

        Args:
            whole: Whether the folder is the stack's own, and not one with other folders in it.
        """
        if whole and self.folder.stat().st_uid == os.geteuid():
            self.folder.chmod(0o700)
        for name in _FOLDERS:
            (self.folder / name).chmod(0o700)
        for pattern in _PATTERNS:
            for path in self.folder.glob(pattern):
                path.chmod(0o600)


@contextmanager
def folder_or_temporary(folder: Path | None) -> Iterator[Path]:
    """
    Yield the named folder, or a temporary one that is removed afterwards.

    A temporary one is kept if a part of the stack failed, so that its logs can be read.
    """
    if folder is not None:
        yield folder
        return
    temporary = Path(tempfile.mkdtemp(prefix="notify-"))
    keep = False
    try:
        yield temporary
    except NotifyError:
        keep = True
        raise
    finally:
        if not keep:
            shutil.rmtree(temporary, ignore_errors=True)


def _write_private(path: Path, text: str) -> None:
    """Write a whole file atomically, readable by the owner only."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    with os.fdopen(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(text)
    fresh.replace(path)
