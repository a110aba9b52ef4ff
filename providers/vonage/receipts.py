"""Vonage's delivery receipts: the later status of each SMS, and replies of STOP and START."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from notify.errors import ConfigError
from notify.receipt import Blame, DeliveryReceipt, Forged, Posted, ReceiptEvent, Report, Unreadable
from providers._shared.receipts import listed, text, uuid
from providers.vonage import blame
from providers.vonage.signature import METHODS, check_age, verify

MOST_FIELDS = 200
"""Parameters of a webhook; Vonage sends about fifteen."""

_EVENTS: Mapping[str, ReceiptEvent] = {
    "accepted": ReceiptEvent.ACCEPTED,
    "unknown": ReceiptEvent.ACCEPTED,
    "buffered": ReceiptEvent.DEFERRED,
    "delivered": ReceiptEvent.DELIVERED,
    "expired": ReceiptEvent.BOUNCED,
    "failed": ReceiptEvent.BOUNCED,
    "rejected": ReceiptEvent.BOUNCED,
    "undelivered": ReceiptEvent.BOUNCED,
}

# A reply that is one of these words and nothing else.
_STOP = frozenset(
    {"STOP", "STOPALL", "STOP ALL", "UNSUBSCRIBE", "CANCEL", "END", "QUIT", "REVOKE", "OPTOUT"}
)
_START = frozenset({"START", "UNSTOP"})


class VonageReceipts:
    """
    Verifies and reads Vonage's delivery receipts, and replies that opt out or in.

    Args:
        public_url: The address of the webhook as Vonage knows it; it is not signed.
        signature_secrets: The account's signature secrets, separated by white space or commas: all
            are valid at once, so that the secret can be changed.
        method: The method of the account's settings: `sha256` or `sha512` (both HMAC).
        clock: Seconds since 1970.

    Raises:
        ConfigError: There is no secret, or the method is not accepted.
    """

    def __init__(
        self,
        *,
        public_url: str,  # noqa: ARG002 - Vonage does not sign it
        signature_secrets: str | Sequence[str],
        method: str = "sha256",
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._secrets = listed(signature_secrets)
        self._method = method
        self._clock = clock
        if not self._secrets:
            raise ConfigError("vonage: set signature_secrets under receipts.secrets")
        if method not in METHODS:
            raise ConfigError(f"vonage: method must be one of {', '.join(METHODS)}")

    def verify(self, posted: Posted, /) -> None:
        """Check the signature over the sorted parameters, and its age."""
        try:
            fields = _fields(posted.body)
        except Unreadable as error:
            raise Forged(str(error)) from None
        verify(fields, secrets=self._secrets, method=self._method)
        check_age(fields, now=self._clock())

    def read(self, posted: Posted, /) -> Report:
        """Read one delivery receipt, or one reply of a recipient."""
        fields = _fields(posted.body)
        if "status" not in fields:
            return _reply(fields)
        status, message_id = fields["status"], fields.get("messageId", "")
        if not status or not message_id:
            raise Unreadable("vonage: the receipt has no status or messageId")
        event = _EVENTS.get(status)
        return Report((), ignored=1) if event is None else Report(_receipts(event, fields))


def _receipts(event: ReceiptEvent, fields: Mapping[str, str]) -> list[DeliveryReceipt]:
    code = fields.get("err-code", "")
    notify_id, _, attempt_id = fields.get("client-ref", "").partition("/")

    def receipt(kind: ReceiptEvent, *, scope: str = "") -> DeliveryReceipt:
        return DeliveryReceipt(
            event=kind,
            word=text(fields["status"]),
            notification_id=uuid(notify_id),
            attempt_id=uuid(attempt_id),
            provider_id=text(fields["messageId"]),
            recipient=_number(fields.get("msisdn", "")),
            at=_time(fields.get("message-timestamp", "")),
            blame=_blame(kind, code),
            code=_code(code),
            scope=scope,
        )

    found = [receipt(event)]
    if code == blame.OPTED_OUT and event is ReceiptEvent.BOUNCED:
        found.append(receipt(ReceiptEvent.OPTED_OUT, scope=text(fields.get("to"))))
    return found


def _blame(event: ReceiptEvent, code: str) -> Blame | None:
    if event is ReceiptEvent.DEFERRED:
        return Blame.MOMENT
    return blame.of_code(code) if event is ReceiptEvent.BOUNCED else None


def _reply(fields: Mapping[str, str]) -> Report:
    """
    Read an SMS of a recipient: https://developer.vonage.com/messaging/sms/guides/inbound-sms.

    Raises:
        Unreadable: It is not an SMS either.
    """
    message_id, words = fields.get("messageId", ""), fields.get("text")
    if not message_id or not fields.get("msisdn"):
        raise Unreadable("vonage: neither a delivery receipt nor an SMS")
    word = (words or "").strip().rstrip(".!").upper()
    if word not in _STOP | _START:
        return Report((), ignored=1)
    reply = DeliveryReceipt(
        event=ReceiptEvent.OPTED_OUT if word in _STOP else ReceiptEvent.OPTED_IN,
        word=word,
        event_id=text(message_id),
        recipient=_number(fields["msisdn"]),
        at=_time(fields.get("message-timestamp", "")),
        scope=text(fields.get("to")),
    )
    return Report([reply])


def _number(digits: str) -> str:
    """Return a number in E.164 form: Vonage writes it without the plus."""
    return f"+{digits}" if digits.isascii() and digits.isdecimal() else text(digits)


def _code(code: str) -> str | None:
    plain = code.isascii() and code.isdecimal() and len(code) < 4
    return code if plain and int(code) else None


def _time(stamp: str) -> datetime | None:
    """Return a time of Vonage, which writes UTC without a zone; None if it is not one."""
    try:
        return datetime.strptime(stamp, "%Y-%m-%d %H:%M:%S").replace(tzinfo=UTC)
    except ValueError:
        return None


def _fields(body: bytes) -> dict[str, str]:
    """
    Return the parameters of a webhook, which is JSON or a form by the account's settings.

    Raises:
        Unreadable: It is neither, or a parameter is there twice.
    """
    try:
        words = body.decode("utf-8")
        pairs = _json_pairs(words) if words.lstrip().startswith("{") else _form_pairs(words)
    except (ValueError, TypeError, RecursionError):
        raise Unreadable("vonage: neither JSON nor a form") from None
    fields = dict(pairs)
    if len(fields) != len(pairs):
        raise Unreadable("vonage: a parameter is there twice")
    return fields


def _form_pairs(words: str) -> list[tuple[str, str]]:
    return parse_qsl(words, keep_blank_values=True, max_num_fields=MOST_FIELDS)


def _json_pairs(words: str) -> list[tuple[str, str]]:
    pairs: list[tuple[str, Any]] = json.loads(words, object_pairs_hook=list)
    if len(pairs) > MOST_FIELDS:
        raise ValueError
    return [(name, _plain(value)) for name, value in pairs]


def _plain(value: object) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise TypeError
