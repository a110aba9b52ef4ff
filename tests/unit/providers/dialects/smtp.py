"""An SMTP relay in the vendors' words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from notify.message import Channel
from notify.provider import Provider
from providers.smtp import Smtp
from tests.support.smtp_relay import Action, SmtpRelay, reset
from tests.support.vendor import Vendor
from tests.unit.providers.dialects.dialect import ECHO

BOUNCE_KEY = "canary-key-of-the-return-path-000000"
_REPLIES: dict[str, tuple[str, Action]] = {
    "accepted": ("DATA", "250 2.0.0 Ok: queued as id-1"),
    "transient": ("RCPT", f"451 4.3.0 {ECHO}"),
    "throttled": ("MAIL", f"450 4.7.1 too many messages {ECHO}"),
    "unauthorized": ("RCPT", f"554 5.7.1 Relay access denied {ECHO}"),
    "permanent": ("DATA", f"554 5.6.0 {ECHO}"),
    "invalid": ("RCPT", f"550 5.1.1 {ECHO}"),
    "unknown": ("DATA", reset),
}


def smtp(relay: SmtpRelay, **options: Any) -> Smtp:
    """A provider for a relay on loopback, without TLS unless the options say so."""
    fixed = {"tls": "none", "sender": "no-reply@example.com"}
    return Smtp(host="127.0.0.1", port=relay.port, **{**fixed, **options})


class _WithRelay(Smtp):
    """A provider that ends its relay too."""

    def __init__(self, relay: SmtpRelay, **options: Any) -> None:
        super().__init__(
            host="127.0.0.1",
            port=relay.port,
            tls="none",
            sender="no-reply@example.com",
            **options,
        )
        self._relay = relay

    def close(self) -> None:
        super().close()
        self._relay.__exit__(None, None, None)


@dataclass(frozen=True, slots=True)
class Relaying:
    """The SMTP provider in the same words; it has a relay instead of a vendor."""

    name: str = "smtp"
    channel: Channel = Channel.EMAIL

    def build(self, _vendor: Vendor, word: str, _headers: object = None, **_: Any) -> Provider:
        """A provider whose relay will answer so, once for a refusal."""
        relay = SmtpRelay().__enter__()
        command, reply = _REPLIES[word]
        relay.on(command, *[reply] * 64)
        return _WithRelay(relay, return_path="bounces@bounces.example.com", bounce_key=BOUNCE_KEY)
