"""A minimal provider, added as CONTRIBUTING.md describes."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import ClassVar

from notify.errors import InvalidRecipient
from notify.message import Channel, Receipt, Rendered
from providers._shared import verdict
from providers._shared.transport import Transport


class Acme:
    """Sends email through a vendor that does not exist."""

    channel: ClassVar[Channel] = Channel.EMAIL

    def __init__(
        self,
        *,
        api_key: str,
        sender: str,
        base_url: str = "https://api.acme.example",
        timeout: float = 10.0,
        connect_timeout: float = 3.0,
        pool: int = 64,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._sender = sender
        self._clock = clock
        self._transport = Transport(
            "acme", base_url, timeout=timeout, connect_timeout=connect_timeout, pool=pool
        )
        self._head = self._transport.head("/messages", {"Authorization": f"Bearer {api_key}"})

    def send(self, message: Rendered, /) -> Receipt:
        """Send one email to Acme; the receipt has Acme's own id."""
        mail = {
            "from": self._sender,
            "to": message.to,
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
            "reference": f"{message.notification_id}/{message.attempt_id}",
        }
        answer = self._transport.post(self._head, json.dumps(mail).encode())
        told = answer.json()
        if answer.status == 200 and isinstance(told.get("id"), str):
            return Receipt(told["id"])
        code = told.get("code")
        raise verdict.failure(
            "acme",
            answer,
            genuine=isinstance(code, str),
            now=self._clock(),
            kind=InvalidRecipient if code == "no_such_mailbox" else None,
        )

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()
