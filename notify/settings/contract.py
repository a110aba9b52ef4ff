"""The options of the contract with producers."""

from __future__ import annotations

from pydantic import Field

from notify.contract import DEFAULT_LIMITS
from notify.settings.words import Section


class ContractSettings(Section):
    """Limits on producers' messages."""

    max_body_bytes: int = Field(default=DEFAULT_LIMITS.max_body_bytes, ge=1, le=134_217_728)
    max_attachment_bytes: int = Field(
        default=DEFAULT_LIMITS.max_attachment_bytes, ge=0, le=20_000_000
    )
    max_recipients: int = Field(default=DEFAULT_LIMITS.max_recipients, ge=1, le=100_000)
    require_user_id: bool = DEFAULT_LIMITS.require_user_id
