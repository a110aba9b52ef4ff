"""SendGrid's Event Webhook: the later events of each email."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from notify.errors import ConfigError
from notify.receipt import Blame, DeliveryReceipt, Posted, ReceiptEvent, Report, Unreadable
from providers._shared.receipts import listed, moment, text, uuid
from providers._shared.smtp_status import enhanced_code
from providers.sendgrid import blame
from providers.sendgrid.signature import check_bearer, public_key, verify

Event = Mapping[str, Any]


_LONGEST_NUMBER = 20
_GROUP = re.compile("[0-9]{1,20}")


class SendGridReceipts:
    """
    Verifies and reads SendGrid's Event Webhook.

    Args:
        public_url: Its address; SendGrid does not sign it.
        keys: The webhooks' verification keys, base64 as SendGrid shows them. All are valid at once,
            so that a new webhook can replace an old one.
        bearer: The access token that SendGrid must present too, if the webhook uses OAuth 2.0.

    Raises:
        ConfigError: A key cannot be used, or there is none.
    """

    def __init__(
        self,
        *,
        public_url: str,  # noqa: ARG002 - every reader has one
        keys: str | Sequence[str],
        bearer: str | None = None,
    ) -> None:
        self._keys = [public_key(each) for each in listed(keys)]
        if not self._keys:
            raise ConfigError("sendgrid: keys has no verification key")
        self._bearer = bearer

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """Yield the options with which every request would be refused."""
        keys = options.get("keys")
        if keys is None:
            return
        try:
            SendGridReceipts(public_url="", keys=keys)
        except (ConfigError, TypeError):
            yield "keys", "must list verification keys as SendGrid shows them, base64 of DER"

    def verify(self, posted: Posted, /) -> None:
        """Check the access token, if one is configured, and the signature."""
        if self._bearer is not None:
            check_bearer(posted, self._bearer)
        verify(posted, self._keys)

    def read(self, posted: Posted, /) -> Report:
        """Read an array of events; count elements of another form, and read the others."""
        receipts: list[DeliveryReceipt] = []
        unreadable = ignored = 0
        for element in _elements(posted.body):
            word = element.get("event") if isinstance(element, dict) else None
            if not isinstance(word, str) or not word:
                unreadable += 1
                continue
            reading = _READINGS.get(word)
            found = reading(element) if reading is not None else ()
            receipts += found
            ignored += not found
        return Report(receipts, unreadable=unreadable, ignored=ignored)


def _elements(body: bytes) -> list[Any]:
    try:
        found = json.loads(body, parse_int=_number)
    except (ValueError, RecursionError):
        raise Unreadable("sendgrid: the body is not JSON") from None
    if not isinstance(found, list):
        raise Unreadable("sendgrid: the body is not an array of events")
    return found


def _number(digits: str) -> int | None:
    """Return a whole number; None for one that Python would refuse, or need long for."""
    return int(digits) if len(digits) <= _LONGEST_NUMBER else None


def _receipt(event: Event, kind: ReceiptEvent, **others: Any) -> DeliveryReceipt:
    return DeliveryReceipt(
        event=kind,
        word=text(event["event"]),
        notification_id=uuid(event.get("notify_id")),
        attempt_id=uuid(event.get("attempt_id")),
        # Its beginning is the X-Message-Id of the answer to the call.
        provider_id=text(event.get("sg_message_id")).partition(".")[0],
        event_id=text(event.get("sg_event_id")),
        recipient=text(event.get("email")),
        at=moment(event.get("timestamp")),
        **others,
    )


def _simply(kind: ReceiptEvent) -> Callable[[Event], list[DeliveryReceipt]]:
    return lambda event: [_receipt(event, kind)]


def _code(event: Event) -> str | None:
    texts = (event.get("status"), event.get("reason"), event.get("response"))
    return enhanced_code(*map(text, texts))


def _deferred(event: Event) -> list[DeliveryReceipt]:
    return [_receipt(event, ReceiptEvent.DEFERRED, blame=Blame.MOMENT, code=_code(event))]


def _bounce(event: Event) -> list[DeliveryReceipt]:
    kind, code = text(event.get("type")).lower(), _code(event)
    classified = blame.classification(text(event.get("bounce_classification")))
    whose = blame.of_bounce(kind=kind, classified=classified, code=code)
    reason = classified or ("blocked" if kind == "blocked" else None)
    return [_receipt(event, ReceiptEvent.BOUNCED, blame=whose, code=code, reason=reason)]


def _dropped(event: Event) -> list[DeliveryReceipt]:
    reason = blame.drop_reason(text(event.get("reason")))
    whose = blame.DROPS[reason] if reason else Blame.MOMENT
    end = _receipt(event, ReceiptEvent.BOUNCED, blame=whose, reason=reason)
    if reason not in blame.OPTED_OUT:
        return [end]
    # SendGrid's list applies to this vendor only; ours must stop the next one too.
    return [end, _receipt(event, ReceiptEvent.OPTED_OUT, reason=reason, scope=_group(event))]


def _group(event: Event) -> str:
    number = event.get("asm_group_id")
    if isinstance(number, str):
        number = int(number) if _GROUP.fullmatch(number) else None
    return f"group-{number}" if isinstance(number, int) and not isinstance(number, bool) else ""


def _left_group(event: Event) -> list[DeliveryReceipt]:
    """Return an opt-out; of everything, if the group cannot be read."""
    return [_receipt(event, ReceiptEvent.OPTED_OUT, scope=_group(event))]


def _joined_group(event: Event) -> list[DeliveryReceipt]:
    """Return an opt-in; none if the group cannot be read, since it would end every opt-out."""
    group = _group(event)
    return [_receipt(event, ReceiptEvent.OPTED_IN, scope=group)] if group else []


def _account(event: Event) -> list[DeliveryReceipt]:
    change = _word(event.get("type")) or ""
    if "reactivat" in change or "warn" in change:
        # The account may send: https://support.sendgrid.com/hc/en-us/articles/360041790293
        return []
    return [_receipt(event, ReceiptEvent.ACCOUNT, reason=change or None)]


def _word(value: object) -> str | None:
    word = text(value)
    return word if word.replace("_", "").isalnum() and word.isascii() and len(word) < 64 else None


_READINGS: Mapping[str, Callable[[Event], list[DeliveryReceipt]]] = {
    "processed": _simply(ReceiptEvent.ACCEPTED),
    "deferred": _deferred,
    "delivered": _simply(ReceiptEvent.DELIVERED),
    "bounce": _bounce,
    "blocked": _bounce,
    "dropped": _dropped,
    "spamreport": _simply(ReceiptEvent.COMPLAINED),
    "unsubscribe": _simply(ReceiptEvent.OPTED_OUT),
    "resubscribe": _simply(ReceiptEvent.OPTED_IN),
    "group_unsubscribe": _left_group,
    "group_resubscribe": _joined_group,
    "account_status_change": _account,
}
