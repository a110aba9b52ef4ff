"""
A provider of email for Acme, a vendor that does not exist.

It translates one message into Acme's request, and Acme's answer into a receipt or an error. It has
no retry, limit, circuit, log or store: the service adds those.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from notify.errors import InvalidRecipient, Throttled, Unauthorized
from notify.message import Channel, Receipt, Rendered
from providers._shared import verdict
from providers._shared.options import wrong_addresses
from providers._shared.transport import Transport

# Acme's codes, https://acme.example/docs/errors. The HTTP status decides about all others.
_KINDS = {
    "no_such_mailbox": InvalidRecipient,
    "quota_exceeded": Throttled,
    "sender_not_verified": Unauthorized,
}


class Acme:
    """
    Sends email through Acme.

    Args:
        api_key: A key of the account.
        sender: The From address.
        base_url: The address of the API.
        timeout: Seconds for a call.
        connect_timeout: Seconds for a connection.
        pool: The most idle connections to keep.
        clock: Seconds since 1970.
    """

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
        """Send one email; the receipt has Acme's own id."""
        sender = message.sender.address if message.sender else self._sender
        mail = {
            "from": sender,
            "to": message.to,
            "reply_to": message.reply_to,
            "subject": message.subject,
            "text": message.text,
            "html": message.html,
            "headers": dict(message.headers),
            "files": [
                {"name": each.name, "type": each.type, "content": each.content}
                for each in message.attachments
            ],
            # Acme returns it with each event: receipts are matched by it.
            "reference": f"{message.notification_id}/{message.attempt_id}",
        }
        answer = self._transport.post(self._head, json.dumps(mail).encode())
        found = answer.json()
        if answer.status == 200 and isinstance(found.get("id"), str):
            return Receipt(found["id"])
        code = found.get("code")
        raise verdict.failure(
            "acme",
            answer,
            # An answer without a code is not Acme's: a proxy in between made it.
            genuine=isinstance(code, str),
            now=self._clock(),
            kind=_KINDS.get(code) if isinstance(code, str) else None,
        )

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """Yield the options with which every call would fail; `notify config check` asks."""
        yield from wrong_addresses(options, "base_url")

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()
