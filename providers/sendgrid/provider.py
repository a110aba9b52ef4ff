"""SendGrid: email through the v3 Mail Send API."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from notify.errors import (
    ConfigError,
    InvalidRecipient,
    PermanentError,
    ProviderError,
    Throttled,
    Unauthorized,
)
from notify.message import Channel, MailSender, Receipt, Rendered
from notify.receipt import DeliveryReceipt
from providers._shared import verdict
from providers._shared.answer import Answer
from providers._shared.options import wrong_addresses, wrong_texts
from providers._shared.transport import Transport
from providers.sendgrid.lists import LISTS, SendGridLists
from providers.sendgrid.request import RequestWriter

PERMISSION = "mail.send"
"""The permission that a key must have."""

# SendGrid has no codes: `field` names the place of the mistake, if it is a path into the request.
_FIELD = re.compile(r"[a-z_][a-z0-9_]*(\.[a-z0-9_]+)*")
_LONGEST_FIELD = 64
# No control characters, line separators or explicit changes of direction: with them, the name could
# read differently, or begin another header. Half of a surrogate pair is not text.
_NAME = re.compile("[^\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]+")
_NAME_FORM = "must be one plain line, without control characters or bidirectional overrides"
_ADDRESS = re.compile(r"(?=[!-~]+\Z)[^\s@<>\"(),:;\[\]\\]{1,64}@([\w-]+\.)+[\w-]+")
_SENDER = re.compile(r"(personalizations\.(\d+\.)?)?from(\.[a-z_]+)*")
_RECIPIENT = re.compile(r"personalizations\.(\d+\.)?to\.(\d+\.)?email")


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
        answer = self._transport.post(self._head, self._writer.body(message))
        # https://www.twilio.com/docs/sendgrid/api-reference/mail-send: 202 with an empty body.
        if answer.status == 202 and not answer.body:
            return Receipt(answer.headers.get("X-Message-Id") or "", self._exhausted_for(answer))
        raise self._failure(answer, own_sender=message.sender is not None)

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

    def _failure(self, answer: Answer, *, own_sender: bool = False) -> ProviderError:
        errors = _errors(answer)
        # If several are listed, one about the sender counts first: it applies to every message.
        error = next(filter(_blames_the_sender, errors), errors[0] if errors else {})
        field = error.get("field")
        code = field if isinstance(field, str) and _is_path(field) else None
        return verdict.failure(
            "sendgrid",
            answer,
            genuine="message" in error,
            now=self._clock(),
            kind=_kind(answer.status, error, code, own_sender=own_sender),
            code=code,
            pause=self._until_reset(answer),
        )

    def _exhausted_for(self, answer: Answer) -> float | None:
        last = answer.headers.get("X-RateLimit-Remaining") == "0"
        return self._until_reset(answer) if last else None

    def _until_reset(self, answer: Answer) -> float | None:
        # https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/rate-limits
        reset = answer.headers.get("X-RateLimit-Reset") or ""
        if not reset.isdecimal() or len(reset) > len("1800000000"):
            return None
        return min(max(int(reset) - self._clock(), 0.0), verdict.LONGEST_WAIT)


def _is_path(field: str) -> bool:
    return len(field) <= _LONGEST_FIELD and _FIELD.fullmatch(field) is not None


def _errors(answer: Answer) -> list[dict[str, Any]]:
    listed = answer.json().get("errors")
    return [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []


def _blames_the_sender(error: dict[str, Any]) -> bool:
    field = error.get("field")
    return isinstance(field, str) and _SENDER.fullmatch(field) is not None


def _kind(
    status: int, error: dict[str, Any], field: str | None, *, own_sender: bool
) -> type[ProviderError] | None:
    if own_sender and status in (400, 403) and _blames_the_sender(error):
        # The From of one category: the provider's other mail is not affected.
        return PermanentError
    if status == 400 and _blames_the_sender(error):
        # The From address is the same for every message: an operator must correct it.
        return Unauthorized
    if status == 400 and field and _RECIPIENT.fullmatch(field):
        return InvalidRecipient
    if status == 403 and "message" in error:
        # Two meanings and no code: a pause after many bad requests, or a missing sender identity or
        # permission. Only the text distinguishes them.
        return Throttled if "temporarily" in str(error["message"]).lower() else Unauthorized
    return None
