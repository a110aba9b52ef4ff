"""Vonage: SMS through the SMS API."""

from __future__ import annotations

import re
import time
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar
from urllib.parse import urlencode

from notify.errors import ConfigError, OutcomeUnknown, ProviderError
from notify.message import Channel, Receipt, Rendered, SmsSenderKind
from notify.segments import beyond_gsm7
from providers._shared import verdict
from providers._shared.answer import Answer
from providers._shared.options import wrong_addresses, wrong_texts
from providers._shared.transport import BASE_URL, Transport, is_base_url
from providers.vonage.codes import ACCEPTED, meaning

SHORTEST_LIFE = 20_000
LONGEST_LIFE = 604_800_000
"""Milliseconds: the limits of Vonage's `ttl`."""
LONGEST_CALLBACK = 100
"""Characters of the address of a callback."""
PAUSE = 1.0
"""Seconds to wait if Vonage throttles without a `Retry-After`: its rates are by the second."""

_SENDER = re.compile(
    r"\+?[1-9]\d{6,14}|\d{3,8}|(?=[ \d]*[A-Za-z])[A-Za-z\d][A-Za-z\d ]{0,10}", re.ASCII
)
_KEY = re.compile(r"[A-Za-z0-9]{1,64}")
_STATUS = re.compile(r"[0-9]{1,3}")


class Vonage:
    """
    Sends SMS through Vonage.

    Args:
        api_key: The account's key.
        api_secret: Its secret.
        sender: The number, short code or name to send from.
        callback: The address to which Vonage posts delivery receipts; the service's own receipts,
            if None.
        receipts_url: The address of the service's own receipts.
        base_url: The address of the API.
        timeout: Seconds for a call.
        connect_timeout: Seconds for a connection.
        pool: The most idle connections to keep.
        clock: Seconds since 1970.

    Raises:
        ConfigError: A key, the sender or an address cannot be used.
    """

    channel: ClassVar[Channel] = Channel.SMS

    def __init__(
        self,
        *,
        api_key: str,
        api_secret: str,
        sender: str,
        callback: str | None = None,
        receipts_url: str | None = None,
        base_url: str = "https://rest.nexmo.com",
        timeout: float = 10.0,
        connect_timeout: float = 3.0,
        pool: int = 64,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if not _KEY.fullmatch(api_key) or not api_secret:
            raise ConfigError("vonage: api_key or api_secret is missing or malformed")
        if not _SENDER.fullmatch(sender):
            raise ConfigError("vonage: sender is not a number, a short code or a name")
        address = callback or receipts_url
        if address is not None and not _is_callback(address):
            raise ConfigError(f"vonage: callback {BASE_URL}, and have at most 100 characters")
        self.sender = as_sender(sender)
        self._callback = {} if address is None else {"callback": address}
        self._clock = clock
        self._transport = Transport(
            "vonage", base_url, timeout=timeout, connect_timeout=connect_timeout, pool=pool
        )
        credentials = b64encode(f"{api_key}:{api_secret}".encode()).decode()
        self._key = {"Authorization": f"Basic {credentials}", "Accept": "application/json"}
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self._head = self._transport.head("/sms/json", {**self._key, **form})

    def send(self, message: Rendered, /) -> Receipt:
        """Send one SMS; the receipt's id is that of its first part."""
        answer = self._transport.post(self._head, self._body(message))
        parts = _parts(answer) if answer.status == 200 else []
        if parts and all(status == ACCEPTED for status, _ in parts):
            return Receipt(parts[0][1])
        own_sender = message.sms_sender is not None
        raise self._failure(answer, [status for status, _ in parts], own_sender=own_sender)

    def sender_of(self, message: Rendered, /) -> str:
        """Return the number or name that a message comes from; Twilio's services are unknown."""
        own = message.sms_sender
        if own is None or own.kind is SmsSenderKind.MESSAGING_SERVICE:
            return self.sender
        return as_sender(own.value)

    def check(self) -> None:
        """Read the account's balance."""
        head = self._transport.head("/account/get-balance", self._key, method="GET")
        answer = self._transport.get(head)
        value = answer.json().get("value")
        if answer.status == 200 and isinstance(value, int | float) and not isinstance(value, bool):
            return
        raise self._failure(answer, [], own_sender=False)

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """Yield the options with which Vonage would refuse every message."""
        yield from wrong_texts(
            options,
            {
                "sender": (
                    _SENDER.fullmatch,
                    "must be a number such as +15005550006, a short code of digits, or a name of at"
                    " most 11 letters, digits and spaces, with a letter in it",
                ),
                "callback": (_is_callback, f"{BASE_URL}, and have at most 100 characters"),
            },
        )
        yield from wrong_addresses(options, "base_url")

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def _body(self, message: Rendered) -> bytes:
        fields = {
            "from": self.sender_of(message),
            "to": message.to.removeprefix("+"),
            "text": message.text,
            # Returned with each receipt; at most 100 characters.
            "client-ref": f"{message.notification_id}/{message.attempt_id}",
            **self._callback,
        }
        if beyond_gsm7(message.text):
            fields["type"] = "unicode"
        if message.expires_at is not None:
            life = int((message.expires_at.timestamp() - self._clock()) * 1000)
            fields["ttl"] = str(min(max(life, SHORTEST_LIFE), LONGEST_LIFE))
        return urlencode(fields, errors="replace").encode("ascii")

    def _failure(self, answer: Answer, statuses: list[str], *, own_sender: bool) -> ProviderError:
        refused = [status for status in statuses if status != ACCEPTED]
        if not refused:
            # Vonage's account API, and the gateways in front of both.
            genuine = _is_vonages(answer.json()) and answer.status >= 400
            return verdict.failure(
                "vonage", answer, genuine=genuine, now=self._clock(), pause=PAUSE
            )
        # Some parts of the SMS were accepted: it may arrive in part, and must not be sent again.
        partly = len(refused) < len(statuses)
        return verdict.failure(
            "vonage",
            answer,
            genuine=True,
            now=self._clock(),
            kind=OutcomeUnknown if partly else meaning(refused[0], own_sender=own_sender),
            code=refused[0],
            pause=PAUSE,
        )


def as_sender(sender: str) -> str:
    """Return a sender as Vonage writes it, also in receipts: no plus, and no spaces in a name."""
    return sender.removeprefix("+").replace(" ", "")


def _is_callback(address: str) -> bool:
    return is_base_url(address) and len(address) <= LONGEST_CALLBACK


def _parts(answer: Answer) -> list[tuple[str, str]]:
    """Return status and id of each part of the SMS; none if it is not Vonage's answer."""
    found = answer.json().get("messages")
    parts = []
    for each in found if isinstance(found, list) else []:
        status = str(each.get("status")) if isinstance(each, dict) else ""
        identity = each.get("message-id") if isinstance(each, dict) else None
        if not _STATUS.fullmatch(status):
            return []
        if status == ACCEPTED and not isinstance(identity, str):
            return []
        parts.append((status, str(identity or "")))
    return parts


def _is_vonages(found: Mapping[str, Any]) -> bool:
    """Whether an error has one of the forms of Vonage's APIs: its own, or RFC 9457."""
    if isinstance(found.get("error-code"), str):
        return True
    kind = found.get("type")
    return isinstance(kind, str) and ("vonage.com/" in kind or "nexmo.com/" in kind)
