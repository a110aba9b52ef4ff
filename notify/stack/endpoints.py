"""The addresses of the parts of a running stack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class ReceiptEndpoint:
    """The intake of receipts, which listens on 127.0.0.1."""

    port: int
    sendgrid_key: str
    """The public key that verifies the sandbox's SendGrid events, base64 of DER."""

    @property
    def root(self) -> str:
        """The address that vendors and recipients reach."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The address of the receipts; a provider's name follows it."""
        return receipts_url(self.port)


@dataclass(frozen=True, slots=True)
class ConsoleEndpoint:
    """The console, which listens on 127.0.0.1, and its login."""

    port: int
    user: str
    password: str

    @property
    def url(self) -> str:
        """The address of its first page."""
        return f"http://127.0.0.1:{self.port}/"


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
    """The port of each process's metrics, on 127.0.0.1."""
    receipts: ReceiptEndpoint | None = None
    """The intake of receipts; None if it was not started."""

    console: ConsoleEndpoint | None = None
    """The console; None if it was not started."""
    api_port: int | None = None
    """The port of the HTTP API, on 127.0.0.1; None if it was not started."""

    @property
    def api(self) -> str:
        """The root of the HTTP API's addresses."""
        return f"http://127.0.0.1:{self.api_port}"

    def as_dict(self) -> dict[str, Any]:
        """Return the addresses as JSON values."""
        values: dict[str, Any] = {
            "amqp": self.amqp,
            "database": self.database,
            "sandbox": self.sandbox,
            "metrics": {
                name: f"http://127.0.0.1:{port}/metrics" for name, port in self.metrics.items()
            },
        }
        if self.receipts is not None:
            values["receipts"] = self.receipts.url
            values["sendgrid_key"] = self.receipts.sendgrid_key
        if self.api_port is not None:
            values["api"] = self.api
        if self.console is not None:
            values["console"] = self.console.url
            values["console_login"] = {
                "user": self.console.user,
                "password": self.console.password,
            }
        return values


def receipts_url(port: int) -> str:
    """Return the address of the receipts of an intake on this machine."""
    return f"http://127.0.0.1:{port}/receipts"
