"""What is asked of a message, whatever it says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a message may be at most, and whom it may come from."""

    max_body_bytes: int
    max_recipients: int
    require_user_id: bool
    trusted_user: str | None = None
    """The AMQP user whose word is taken for any source: the service's own."""
