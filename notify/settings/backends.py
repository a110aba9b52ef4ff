"""RabbitMQ and the record: how to reach them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, Field, SecretStr

from notify.settings.urls import broker_url, store_url
from notify.settings.words import Section


class AmqpSettings(Section):
    """How to reach RabbitMQ."""

    url: Annotated[SecretStr, AfterValidator(broker_url)] = SecretStr(
        "pyamqp://guest:guest@127.0.0.1:5672//"
    )
    confirm_timeout: float = Field(default=5.0, gt=0, le=300, allow_inf_nan=False)
    heartbeat: int = Field(default=30, ge=1, le=600)
    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None

    @property
    def user(self) -> str:
        """The service's own AMQP user, from `url`."""
        return unquote(urlsplit(self.url.get_secret_value()).username or "guest")

    @property
    def vhost(self) -> str:
        """The virtual host, from `url`."""
        return unquote(urlsplit(self.url.get_secret_value()).path[1:]) or "/"


class StoreSettings(Section):
    """Where notifications are recorded."""

    url: Annotated[SecretStr, AfterValidator(store_url)] = SecretStr(
        "sqlite:////var/lib/notify/notify.db"
    )
