"""The options of the HTTP API: where it listens, and what each of its keys may use."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, Field, ValidationInfo, field_validator

from notify.settings.flow import Burst, Rate
from notify.settings.metrics import Port, address
from notify.settings.words import Section


class ApiSettings(Section):
    """
    The HTTP API.

    Attributes:
        rate: Notifications and requests a second of each key.
        burst: The same at once, after a pause.
        keep: Days in which a repeat of an idempotency key is recognised before a worker has
            claimed its request.
        max_body_bytes: The largest body of a request, which may have many notifications.
        cert_file: The certificate for TLS without a proxy, with its chain.
        key_file: Its private key.
    """

    listen: Annotated[str, AfterValidator(address)] = "127.0.0.1"
    port: Port = 8481
    rate: Rate = 500
    burst: Burst = 1000
    keep: Annotated[float, Field(ge=1, le=90, allow_inf_nan=False)] = 7
    max_body_bytes: Annotated[int, Field(ge=1024, le=268_435_456)] = 16 * 1024 * 1024
    cert_file: Path | None = None
    key_file: Path | None = Field(default=None, validate_default=True)

    @field_validator("key_file")
    @classmethod
    def _both(cls, key: Path | None, info: ValidationInfo) -> Path | None:
        if (key is None) != (info.data.get("cert_file") is None):
            raise ValueError("api.cert_file and api.key_file belong together: set both, or none")
        return key
