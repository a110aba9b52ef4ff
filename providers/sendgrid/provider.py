"""SendGrid: email through the v3 Mail Send API."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from notify.errors import (
    ConfigError,
    GroupRefused,
    PermanentError,
    ProviderError,
    Unauthorized,
)
from notify.message import Channel, MailSender, Receipt, Rendered
from notify.receipt import DeliveryReceipt
from providers._shared.answer import Answer
from providers._shared.options import wrong_addresses, wrong_texts
from providers._shared.transport import Transport
from providers.sendgrid.group_request import (
    LARGEST_REQUEST,
    MOST,
    group_body,
    same_content,
    shared_parts,
)
from providers.sendgrid.lists import LISTS, SendGridLists
from providers.sendgrid.refusals import refusal, refusals, until_reset
from providers.sendgrid.request import RequestWriter

PERMISSION = "mail.send"
"""The permission that a key must have."""
UPLOAD_RATE = 1_000_000
"""Bytes a second in which a request is sent at least; a large one has that many more seconds."""

# No control characters, line separators or explicit changes of direction: with them, the name could
# read differently, or begin another header. Half of a surrogate pair is not text.
_NAME = re.compile("[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_NAME_FORM = "must be one plain line, without control characters or bidirectional overrides"
_ADDRESS = re.compile(r"(?=[!-~]+\Z)[^\s@<>\"(),:;\[\]\\]{1,64}@([\w-]+\.)+[\w-]+")


class SendGrid:
    """
    Sends email through SendGrid.

    Args:
        api_key: A key with the *Mail Send* permission.
        sender: The From address: a verified sender identity.
        sender_name: The name shown with it.
        subscription_tracking: Whether SendGrid adds its own unsubscribe links to each email; not
            together with a category that is a subscription.
        base_url: The address of the API; `https://api.eu.sendgrid.com` keeps data in the EU.
        timeout: Seconds for a call.
        connect_timeout: Seconds for a connection.
        pool: The most idle connections to keep.
        clock: Seconds since 1970.

    Raises:
        ConfigError: The key, an address or the name cannot be used.
    """

    channel: ClassVar[Channel] = Channel.EMAIL
    most: ClassVar[int] = MOST

    def __init__(
        self,
        *,
        api_key: str,
        sender: str,
        sender_name: str | None = None,
        subscription_tracking: bool = False,
        base_url: str = "https://api.sendgrid.com",
        timeout: float = 10.0,
        connect_timeout: float = 3.0,
        pool: int = 64,
        clock: Callable[[], float] = time.time,
    ) -> None:
        for name, text in self.wrong_options({"sender": sender, "sender_name": sender_name}):
            raise ConfigError(f"sendgrid: {name} {text}")
        self._writer = RequestWriter(
            MailSender(sender, sender_name), subscription_tracking=subscription_tracking
        )
        self._clock = clock
        self._transport = Transport(
            "sendgrid", base_url, timeout=timeout, connect_timeout=connect_timeout, pool=pool
        )
        bearer = {"Authorization": f"Bearer {api_key}"}
        self._head = self._transport.head(
            "/v3/mail/send", {**bearer, "Content-Type": "application/json"}
        )
        self._question = self._transport.head("/v3/scopes", bearer, method="GET")
        self._lists = SendGridLists(self._transport, bearer, self._failure)

    def send(self, message: Rendered, /) -> Receipt:
        """Send one email; the receipt's id is the beginning of its webhook's `sg_message_id`."""
        body = self._writer.body(message)
        more = len(body) / UPLOAD_RATE if message.attachments else 0.0
        answer = self._transport.post(self._head, body, more=more)
        receipt = self._receipt(answer)
        if receipt is None:
            raise refusal(answer, now=self._clock(), own_sender=message.sender is not None)
        return receipt

    def shares(self, message: Rendered, /) -> Hashable:
        """Return the sender, the options, the attachments, and the content if it is long."""
        return shared_parts(message)

    def send_many(self, messages: Sequence[Rendered], /) -> list[Receipt | ProviderError]:
        """Send many emails in one request; their receipts have the same id."""
        same = same_content(messages)
        if refused := self._with_keys(messages):
            return refused
        body = group_body(self._writer, messages, same=same)
        if len(body) > LARGEST_REQUEST:
            text = "sendgrid: the request is too large; nothing was sent"
            return [GroupRefused(text, provider="sendgrid", code="too_large")] * len(messages)
        answer = self._transport.post(self._head, body, more=len(body) / UPLOAD_RATE)
        receipt = self._receipt(answer)
        if receipt is not None:
            return [receipt] * len(messages)
        own_sender = messages[0].sender is not None
        return [
            *refusals(answer, len(messages), now=self._clock(), own_sender=own_sender, same=same)
        ]

    def _with_keys(self, messages: Sequence[Rendered]) -> list[Receipt | ProviderError]:
        """Return the errors if a message's content begins with an API key; nothing is sent then."""
        found = {}
        for index, message in enumerate(messages):
            try:
                self._writer.check(message)
            except PermanentError as error:
                found[index] = error
        if not found:
            return []
        text = "sendgrid: another message of the request was refused; nothing was sent"
        apart = GroupRefused(text, provider="sendgrid", code="api_key_in_content")
        return [found.get(index, apart) for index in range(len(messages))]

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """Yield the options with which SendGrid would refuse every message."""
        bare = "must be a bare address such as no-reply@example.com; a name goes into sender_name"
        forms = {"sender": (_ADDRESS.fullmatch, bare), "sender_name": (_NAME.fullmatch, _NAME_FORM)}
        yield from wrong_texts(options, forms)
        yield from wrong_addresses(options, "base_url")

    @staticmethod
    def own_unsubscribe(options: Mapping[str, Any], /) -> Iterator[str]:
        """Yield the option with which SendGrid adds its own unsubscribe links."""
        if options.get("subscription_tracking"):
            yield "subscription_tracking"

    def check(self) -> None:
        """Read the key's permissions: https://www.twilio.com/docs/sendgrid/api-reference/api-key-permissions."""
        answer = self._transport.get(self._question)
        scopes = answer.json().get("scopes")
        if answer.status != 200 or not isinstance(scopes, list):
            raise self._failure(answer)
        if PERMISSION not in scopes:
            text = f"sendgrid: the key lacks the permission {PERMISSION}"
            raise Unauthorized(text, provider="sendgrid", status=answer.status)

    def lists(self) -> Sequence[str]:
        """Return the names of SendGrid's own suppression lists."""
        return [*LISTS]

    def listed(self, name: str, /, *, offset: int) -> list[DeliveryReceipt]:
        """Return one page of a list."""
        return self._lists.page(name, offset=offset)

    def unlist(self, name: str, listed: DeliveryReceipt, /) -> None:
        """Delete an address from a list."""
        self._lists.remove(name, listed)

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def _receipt(self, answer: Answer) -> Receipt | None:
        """Return the receipt if SendGrid accepted all of the request; None if it did not."""
        # https://www.twilio.com/docs/sendgrid/api-reference/mail-send: 202 with an empty body.
        if answer.status != 202 or answer.body:
            return None
        last = answer.headers.get("X-RateLimit-Remaining") == "0"
        exhausted_for = until_reset(answer, now=self._clock()) if last else None
        return Receipt(answer.headers.get("X-Message-Id") or "", exhausted_for)

    def _failure(self, answer: Answer) -> ProviderError:
        return refusal(answer, now=self._clock())
