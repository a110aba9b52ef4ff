"""Make HTTP requests of planned events: batches of SendGrid, callbacks of others, one click."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import urlencode, urlsplit

from notify.sandbox.behaviour import ReceiptFault, Vendor
from notify.sandbox.inbox import Message
from notify.sandbox.posting.post import (
    CallbackRule,
    Never,
    PlannedEvent,
    UntilAccepted,
    WebhookPost,
)
from notify.sandbox.posting.script import StepKind
from notify.sandbox.posting.sendgrid_events import MOST_EVENTS, body_of, event_of, poisoned
from notify.sandbox.posting.signing import EventKey, twilio_headers, vonage_signed
from notify.sandbox.vonage import receipt_of, reply_of

_FORM = "application/x-www-form-urlencoded"
_LINK = re.compile(r"<(https?://[^<>\s]+)>")
_FEW = MOST_EVENTS // 2
"""Events of a poisoned post, so that it has room for others."""


@dataclass(frozen=True, slots=True)
class Composer:
    """
    Makes the posts to one service; no address of another host is used.

    Args:
        root: The address of the service's receipts; a vendor's account follows it.
        key: Signs SendGrid's events.
        clock: The time, in UTC.
        new_id: Returns a new id of 32 hexadecimal digits.
    """

    root: str
    key: EventKey
    clock: Callable[[], datetime]
    new_id: Callable[[], str]

    def posts(self, events: Iterable[PlannedEvent]) -> Iterator[WebhookPost]:
        """Yield the requests for events that are due, in their order."""
        batches: defaultdict[tuple[str, ReceiptFault | None], list[PlannedEvent]]
        batches = defaultdict(list)
        for each in events:
            if each.step.kind is StepKind.ONE_CLICK:
                yield from self._one_click(each)
            elif each.message.vendor is Vendor.TWILIO:
                yield from self._callback(each)
            elif each.message.vendor is Vendor.VONAGE:
                yield from self._webhook(each)
            else:
                batches[each.message.account, each.fault].append(each)
        for (account, fault), batch in batches.items():
            most = _FEW if fault is ReceiptFault.POISONED else MOST_EVENTS
            for start in range(0, len(batch), most):
                yield self._batch(account, fault, batch[start : start + most])

    def unsubscribe_url(self, message: Message) -> str | None:
        """Return the address of one-click unsubscribing in a mail's headers, if it is allowed."""
        given = message.details.get("headers", {})
        headers = {str(name).lower(): str(text) for name, text in given.items()}
        if headers.get("list-unsubscribe-post", "").strip() != "List-Unsubscribe=One-Click":
            return None
        links = _LINK.findall(headers.get("list-unsubscribe", ""))
        return next(filter(self._is_allowed, links), None)

    def _is_allowed(self, url: str) -> bool:
        return _origin(url) == _origin(self.root)

    def _batch(
        self, account: str, fault: ReceiptFault | None, batch: Sequence[PlannedEvent]
    ) -> WebhookPost:
        elements = [event_of(each, self.new_id()) for each in batch]
        if fault is ReceiptFault.POISONED:
            elements = poisoned(elements, self.new_id)
        body, forged = body_of(elements), fault is ReceiptFault.FORGED
        now = int(self.clock().timestamp())
        return WebhookPost(
            url=f"{self.root}/{account}",
            body=body,
            headers={
                "Content-Type": "application/json",
                "User-Agent": "SendGrid Event API",
                **self.key.headers(body, now, forged=forged),
            },
            events=tuple(batch),
            rule=Never() if forged else UntilAccepted(),
        )

    def _callback(self, planned: PlannedEvent) -> Iterator[WebhookPost]:
        message = planned.message
        reply = planned.step.kind is StepKind.REPLY
        target = f"{self.root}/{message.account}" if reply else _callback_url(message)
        if not self._is_allowed(target):
            return
        url, _, fragment = target.partition("#")
        form = _reply(planned, self.new_id()) if reply else _status(planned)
        forged = planned.fault is ReceiptFault.FORGED
        yield WebhookPost(
            url=url,
            body=urlencode(form).encode(),
            headers={
                "Content-Type": f"{_FORM}; charset=UTF-8",
                "User-Agent": "TwilioProxy/1.1",
                "I-Twilio-Idempotency-Token": self.new_id(),
                **twilio_headers(url, form, message.token, forged=forged),
            },
            events=(planned,),
            rule=Never() if forged else CallbackRule.of(fragment),
        )

    def _webhook(self, planned: PlannedEvent) -> Iterator[WebhookPost]:
        """Yield Vonage's receipt, to the callback that the request names, or a reply."""
        message, step = planned.message, planned.step
        reply = step.kind is StepKind.REPLY
        own = f"{self.root}/{message.account}"
        url = own if reply else str(message.details.get("callback") or own)
        if not self._is_allowed(url):
            return
        at = datetime.fromtimestamp(planned.at, UTC)
        fields = (
            reply_of(message, text=step.word, identity=self.new_id(), at=at)
            if reply
            else receipt_of(message, status=step.word, code=step.fields["err-code"], at=at)
        )
        stamped = {**fields, "nonce": self.new_id(), "timestamp": str(int(planned.at))}
        forged = planned.fault is ReceiptFault.FORGED
        yield WebhookPost(
            url=url,
            body=json.dumps(vonage_signed(stamped, message.token, forged=forged)).encode(),
            headers={"Content-Type": "application/json", "User-Agent": "Nexmo/MessagingHUB/v1.0"},
            events=(planned,),
            rule=Never() if forged else UntilAccepted(),
        )

    def _one_click(self, planned: PlannedEvent) -> Iterator[WebhookPost]:
        url = self.unsubscribe_url(planned.message)
        if url is not None:
            headers = {"Content-Type": _FORM, "User-Agent": "Mail program"}
            body = b"List-Unsubscribe=One-Click"
            yield WebhookPost(url, body, headers, (planned,), Never())


def _origin(url: str) -> tuple[str, str | None, int | None] | None:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    return parts.scheme, parts.hostname, port


def _callback_url(message: Message) -> str:
    return str(message.details.get("StatusCallback", ""))


def _status(planned: PlannedEvent) -> Mapping[str, str]:
    """Return the form of a status callback."""
    message, step = planned.message, planned.step
    service = message.details.get("MessagingServiceSid")
    done = datetime.fromtimestamp(planned.at, UTC).strftime("%y%m%d%H%M")
    return {
        "AccountSid": message.details.get("account", ""),
        "ApiVersion": "2010-04-01",
        "From": message.sender,
        "MessageSid": message.provider_id,
        "MessageStatus": step.word,
        "SmsSid": message.provider_id,
        "SmsStatus": step.word,
        "To": message.to,
        **({"MessagingServiceSid": service} if service else {}),
        **({} if step.word == "sent" else {"RawDlrDoneDate": done}),
        **step.fields,
    }


def _reply(planned: PlannedEvent, new_id: str) -> Mapping[str, str]:
    """Return the form of an incoming SMS that Twilio's opt-out management has read."""
    message, word = planned.message, planned.step.word
    service = message.details.get("MessagingServiceSid")
    return {
        "AccountSid": message.details.get("account", ""),
        "ApiVersion": "2010-04-01",
        "Body": word,
        "From": message.to,
        "MessageSid": f"SM{new_id}",
        "OptOutType": word,
        "SmsSid": f"SM{new_id}",
        "SmsStatus": "received",
        "To": message.sender,
        **({"MessagingServiceSid": service} if service else {}),
    }
