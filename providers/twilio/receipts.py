"""Twilio's status callback: the later status of each SMS, and replies of STOP and START."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qsl

from notify.errors import ConfigError
from notify.receipt import DeliveryReceipt, Forged, Posted, ReceiptEvent, Report, Unreadable
from providers._shared.receipts import listed, text, uuid
from providers.twilio import blame
from providers.twilio.signature import Fields, verify

MOST_FIELDS = 200
"""Fields of a form; Twilio sends about twenty."""

_EVENTS: Mapping[str, ReceiptEvent] = {
    "accepted": ReceiptEvent.ACCEPTED,
    "scheduled": ReceiptEvent.ACCEPTED,
    "queued": ReceiptEvent.ACCEPTED,
    "sending": ReceiptEvent.ACCEPTED,
    "sent": ReceiptEvent.ACCEPTED,
    "partially_delivered": ReceiptEvent.ACCEPTED,
    "delivered": ReceiptEvent.DELIVERED,
    "read": ReceiptEvent.DELIVERED,
    "undelivered": ReceiptEvent.BOUNCED,
    "failed": ReceiptEvent.BOUNCED,
    "canceled": ReceiptEvent.BOUNCED,
}
_REPLIES: Mapping[str, ReceiptEvent] = {
    "STOP": ReceiptEvent.OPTED_OUT,
    "START": ReceiptEvent.OPTED_IN,
}


class TwilioReceipts:
    """
    Verifies and reads Twilio's status callbacks, and the replies that Twilio reports as opt-outs.

    Args:
        public_url: The address of the callback as Twilio knows it, without its query.
        auth_tokens: The account's auth tokens, separated by white space or commas: all are valid at
            once, so that the token can be changed. An API key signs nothing.
        signing_keys: The secrets of shared keys, for webhooks that are signed with one.

    Raises:
        ConfigError: There is no secret.
    """

    def __init__(
        self,
        *,
        public_url: str,
        auth_tokens: str | Sequence[str] = (),
        signing_keys: str | Sequence[str] = (),
    ) -> None:
        self._url = public_url
        self._tokens = listed(auth_tokens)
        self._keys = listed(signing_keys)
        if not self._tokens and not self._keys:
            raise ConfigError("twilio: set auth_tokens or signing_keys under receipts.secrets")

    def verify(self, posted: Posted, /) -> None:
        """Check the signature over the public address and the sorted fields."""
        url = f"{self._url}?{posted.query}" if posted.query else self._url
        try:
            fields = _fields(posted)
        except Unreadable as error:
            raise Forged(str(error)) from None
        verify(posted, fields, url=url, tokens=self._tokens, keys=self._keys)

    def read(self, posted: Posted, /) -> Report:
        """Read one callback: usually one receipt, and more if it also says why."""
        form = dict(_fields(posted))
        if form.get("OptOutType"):
            return _reply(form)
        status, sid = form.get("MessageStatus") or form.get("SmsStatus"), _sid(form)
        if not status or not sid:
            raise Unreadable("twilio: the form has no MessageStatus or MessageSid")
        event = _EVENTS.get(status)
        if event is None:
            return Report((), ignored=1)
        return Report(_receipts(event, status, form, dict(_pairs(posted.query))))


def status_receipts(form: Mapping[str, str]) -> list[DeliveryReceipt]:
    """Return the receipts that a callback with these fields reports; none if they are unknown."""
    status = form.get("MessageStatus", "")
    event = _EVENTS.get(status)
    return _receipts(event, status, form, {}) if event is not None else []


def _receipts(
    event: ReceiptEvent, status: str, form: Mapping[str, str], ids: Mapping[str, str]
) -> list[DeliveryReceipt]:
    code = _code(form.get("ErrorCode", ""))

    def receipt(kind: ReceiptEvent, *, scope: str = "") -> DeliveryReceipt:
        bounced = kind is ReceiptEvent.BOUNCED
        return DeliveryReceipt(
            event=kind,
            word=text(status),
            notification_id=uuid(ids.get("notify_id")),
            attempt_id=uuid(ids.get("attempt_id")),
            provider_id=text(_sid(form)),
            recipient=text(form.get("To")),
            blame=blame.of_code(code) if bounced else None,
            code=None if code is None else str(code),
            scope=scope,
        )

    found = [receipt(event)]
    if code == blame.OPTED_OUT:
        found.append(receipt(ReceiptEvent.OPTED_OUT, scope=_scope(form, form.get("From"))))
    if code == blame.SUSPENDED:
        found.append(receipt(ReceiptEvent.ACCOUNT))
    return found


def _reply(form: Mapping[str, str]) -> Report:
    """Read a message of a recipient: https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out."""
    word = form["OptOutType"]
    event = _REPLIES.get(word.upper())
    if event is None:
        return Report((), ignored=1)
    reply = DeliveryReceipt(
        event=event,
        word=text(word),
        event_id=text(_sid(form)),
        recipient=text(form.get("From")),
        scope=_scope(form, form.get("To")),
    )
    return Report([reply])


def _scope(form: Mapping[str, str], number: str | None) -> str:
    """Return the messaging service that an opt-out is limited to, else our number."""
    return text(form.get("MessagingServiceSid")) or text(number)


def _sid(form: Mapping[str, str]) -> str:
    return form.get("MessageSid") or form.get("SmsSid") or ""


def _code(digits: str) -> int | None:
    return int(digits) if digits.isascii() and digits.isdecimal() and 0 < len(digits) < 7 else None


def _fields(posted: Posted) -> Fields:
    try:
        return _pairs(posted.body.decode("utf-8"))
    except UnicodeDecodeError:
        raise Unreadable("twilio: the form is not UTF-8") from None


def _pairs(form: str) -> Fields:
    try:
        return parse_qsl(form, keep_blank_values=True, max_num_fields=MOST_FIELDS)
    except ValueError:
        raise Unreadable("twilio: the form has too many fields") from None
