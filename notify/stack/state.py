"""The folder of a stack: its configuration, dummy credentials, record, logs and ledger."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from notify.errors import ConfigError, NotifyError
from notify.private import private
from notify.stack.dummies import dummies

_CONFIG = """\
# Written by `notify up` each time it starts; to try other settings, copy it first.

[amqp]
url = {amqp}

[store]
url = {database}

[metrics]
ports = {ports}
{templates}
# Short waits and few attempts, so that a user can watch retries.
[lanes.normal]
attempts = 3
first_wait = 0.5
longest_wait = 2

[channels.email]
providers = ["sendgrid"]

[channels.sms]
providers = ["twilio"]
# The sandbox sends no real SMS, so every country is allowed.
countries = ["*"]
lookup_after = 2

[channels.push]
providers = ["fcm"]

# The sandbox plays the vendors; the keys are dummies, in the folder "credentials".
[providers.sendgrid]
use = "providers.sendgrid:SendGrid"
options = {{ base_url = {sandbox}, sender = "notify@sandbox.test" }}
secrets = {{ api_key = "SENDGRID_API_KEY" }}

[providers.twilio]
use = "providers.twilio:Twilio"
secrets = {{ account_sid = "TWILIO_ACCOUNT_SID", auth_token = "TWILIO_AUTH_TOKEN" }}

[providers.twilio.options]
base_url = {sandbox}
sender = "+15005550006"
# No server is there: its query puts the notification and attempt ids into the sandbox's ledger.
status_callback = "https://notify.sandbox.test/twilio"

[providers.fcm]
use = "providers.fcm:Fcm"
options = {{ base_url = {sandbox}, project = "sandbox" }}
secrets = {{ service_account = "FCM_SERVICE_ACCOUNT" }}
"""


_LOCK = "lock"
ENDPOINTS = "endpoints.json"
"""The file next to notify.toml with the addresses of a stack's parts."""
_FOLDERS = ("logs", "ready", "credentials", "rabbitmq")
_FILES = ("lock", "notify.toml", ENDPOINTS, "ledger.jsonl", "notify.db*", "logs/*.log")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The addresses of the parts of a running stack."""

    amqp: str
    """The broker's address, with its password."""
    database: str
    """The store's SQLAlchemy address."""
    sandbox: str
    """The provider sandbox's root, `http://127.0.0.1:PORT`."""
    metrics: Mapping[str, int] = field(default_factory=dict)
    """The port of each pool's metrics, on 127.0.0.1."""


class StackState:
    """
    A stack's folder, locked by one stack at a time.

    Attributes:
        folder: The folder itself.
        config: The complete notify.toml.
        credentials: One file a secret; readable by the owner only.
        ledger: The sandbox's effects and answers, one JSON line for each.
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
        """Write the files for the processes and other commands: configuration, secrets, endpoints.

        Args:
            templates: The folder of the user's own templates, if there is one.
        """
        values = {
            "amqp": endpoints.amqp,
            "database": endpoints.database,
            "sandbox": endpoints.sandbox,
        }
        quoted = {name: json.dumps(value) for name, value in values.items()}
        ports = ", ".join(f"{pool} = {port}" for pool, port in endpoints.metrics.items())
        folder = f"\n[templates]\nfolder = {json.dumps(str(templates))}\n" if templates else ""
        text = _CONFIG.format(**quoted, ports=f"{{ {ports} }}", templates=folder)
        _write_private(self.config, text)
        addresses = values | {
            "metrics": {
                pool: f"http://127.0.0.1:{port}/metrics" for pool, port in endpoints.metrics.items()
            }
        }
        _write_private(self.folder / ENDPOINTS, json.dumps(addresses, indent=2) + "\n")
        for name, secret in dummies(endpoints.sandbox).items():
            _write_private(self.credentials / name, secret)

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
        for pattern in _FILES:
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
