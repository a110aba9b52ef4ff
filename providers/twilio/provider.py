"""Twilio: SMS through the Messages API."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar

from twilio.base import values
from twilio.rest import Client

from notify.errors import (
    ConfigError,
    OutcomeUnknown,
    PermanentError,
    ProviderError,
    Unauthorized,
)
from notify.message import Channel, Receipt, Rendered, SmsSenderKind
from notify.receipt import DeliveryReceipt
from providers._shared.options import wrong_addresses, wrong_texts
from providers._shared.transport import Transport
from providers.twilio.callback import StatusCallback
from providers.twilio.client import Carrier
from providers.twilio.codes import OF_SENDER
from providers.twilio.receipts import status_receipts

LONGEST_VALIDITY = 36_000
"""Seconds: the highest value of Twilio's ValidityPeriod."""

ACTIVE = "active"
"""The status of an account that may send: https://www.twilio.com/docs/iam/api/account."""

PAGE = 100
"""Messages on one page of a list."""

LONGEST_LIST = 1_000
"""The most messages to one recipient that a look-up reads."""

# https://www.twilio.com/docs/glossary/what-alphanumeric-sender-id for the name.
_SENDER = re.compile(
    r"\+[1-9]\d{6,14}|\d{3,8}|(?=[ \d+_&-]*[A-Za-z])[A-Za-z\d+_&-][A-Za-z\d +_&-]{0,10}", re.ASCII
)
_SERVICE = re.compile(r"MG[0-9a-fA-F]{32}")
_ACCOUNT = re.compile(r"AC[0-9a-fA-F]{32}")
_API_KEY = re.compile(r"SK[0-9a-fA-F]{32}")


class Twilio:
    """
    Sends SMS through Twilio.

    Args:
        account_sid: The account, `AC...`.
        auth_token: The account's auth token; with `api_key_sid`, that key's secret.
        api_key_sid: An API key, `SK...`, to use instead of the account's own token.
        sender: The number, short code or name to send from.
        messaging_service_sid: A messaging service, `MG...`, instead of a sender.
        status_callback: The URL to which Twilio reports a message's later status; the service's
            own receipts, if None.
        receipts_url: The address of the service's own receipts.
        base_url: The address of the API.
        timeout: Seconds for a call.
        connect_timeout: Seconds for a connection.
        pool: The most idle connections to keep.
        clock: Seconds since 1970.

    Raises:
        ConfigError: There is not exactly one sender, or an address or key cannot be used.
    """

    channel: ClassVar[Channel] = Channel.SMS
    can_find: ClassVar[bool] = True
    can_track: ClassVar[bool] = True

    def __init__(
        self,
        *,
        account_sid: str,
        auth_token: str,
        api_key_sid: str | None = None,
        sender: str | None = None,
        messaging_service_sid: str | None = None,
        status_callback: str | None = None,
        receipts_url: str | None = None,
        base_url: str = "https://api.twilio.com",
        timeout: float = 10.0,
        connect_timeout: float = 3.0,
        pool: int = 64,
        clock: Callable[[], float] = time.time,
    ) -> None:
        if bool(sender) == bool(messaging_service_sid):
            raise ConfigError("twilio: set exactly one of sender and messaging_service_sid")
        if not account_sid.isalnum() or not account_sid.isascii() or not auth_token:
            raise ConfigError("twilio: account_sid or auth_token is missing or malformed")
        self.sender = sender or messaging_service_sid or ""
        self._sender = _fields_of(sender or "", messaging_service_sid or "")
        callback = status_callback or receipts_url
        self._callback = StatusCallback(callback) if callback else None
        self._clock = clock
        self._transport = Transport(
            "twilio", base_url, timeout=timeout, connect_timeout=connect_timeout, pool=pool
        )
        client = Client(
            api_key_sid or account_sid,
            auth_token,
            account_sid,
            http_client=Carrier(self._transport, clock),
            # Not the process's environment: TWILIO_EDGE and TWILIO_REGION would change the host.
            environment={"TWILIO_REGION": ""},
        )
        client.api.base_url = ""  # the transport has the host
        self._messages = client.messages
        # Unlike the account's own token, an API key has no permission to read the account.
        self._account = None if api_key_sid else client.api.v2010.account

    def send(self, message: Rendered, /) -> Receipt:
        """Send one SMS; the receipt's id is the message's sid."""
        callback = self._callback.url(message) if self._callback else values.unset
        try:
            created = self._messages.create(
                to=message.to,
                body=message.text,
                status_callback=callback,
                validity_period=self._validity(message),
                **self._sender_fields(message),
            )
        except Unauthorized as error:
            # Twilio refuses the sender that this message names: others are not affected.
            if message.sms_sender is None or error.code not in OF_SENDER:
                raise
            text = f"twilio refused the message's sender (HTTP {error.status}, {error.code})"
            raise PermanentError(
                text, provider="twilio", status=error.status, code=error.code
            ) from None
        return Receipt(created.sid)

    def sender_of(self, message: Rendered, /) -> str:
        """Return the number, name or messaging service that a message comes from."""
        own = message.sms_sender
        return self.sender if own is None else own.value

    def find(self, message: Rendered, /, *, since: datetime, until: datetime) -> list[Receipt]:
        """
        Search Twilio's list of all messages to the recipient.

        It is not filtered by DateSent: a message that still waits in the sender's queue has none.
        Twilio has accepted every message in it, whatever the status; it may still fail later.
        """
        wanted = _as_sent(message.text).strip()
        listed = list(self._messages.stream(to=message.to, limit=LONGEST_LIST, page_size=PAGE))
        created = [each.date_created for each in listed if each.date_created is not None]
        if len(listed) == LONGEST_LIST and since <= min(created, default=since):
            text = "twilio: too many messages to this recipient to find one"
            raise OutcomeUnknown(text, provider="twilio")
        # Twilio's times are whole seconds.
        since -= timedelta(seconds=1)
        found = [
            (each.date_created, each.sid)
            for each in listed
            if each.date_created is not None
            and since <= each.date_created <= until
            and str(each.direction).startswith("outbound")
            and str(each.body).strip() == wanted
        ]
        return [Receipt(sid) for _, sid in sorted(found)]

    def track(self, provider_id: str, /) -> list[DeliveryReceipt]:
        """Read one message, whose fields are those of the status callback."""
        try:
            found = self._messages(provider_id).fetch()
        except ProviderError as error:
            if error.status != 404:
                raise
            text = "twilio: the account has no such message"
            raise PermanentError(text, provider="twilio", status=404) from None
        form = {
            "MessageSid": provider_id,
            "MessageStatus": found.status,
            "ErrorCode": found.error_code,
            "To": found.to,
            "From": found.from_,
            "MessagingServiceSid": found.messaging_service_sid,
        }
        return status_receipts({name: str(text) for name, text in form.items() if text})

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """Yield the options with which Twilio would refuse every message."""
        if ("sender" in options) == ("messaging_service_sid" in options):
            yield "sender", "set exactly one of sender and messaging_service_sid"
        yield from wrong_texts(
            options,
            {
                "sender": (
                    _SENDER.fullmatch,
                    "must be a number such as +15005550006, a short code of digits, or a name of at"
                    " most 11 letters, digits, spaces and - _ + &, with a letter in it",
                ),
                "messaging_service_sid": (
                    _SERVICE.fullmatch,
                    "must be MG and 32 hexadecimal digits",
                ),
                "account_sid": (_ACCOUNT.fullmatch, "must be AC and 32 hexadecimal digits"),
                "api_key_sid": (_API_KEY.fullmatch, "must be SK and 32 hexadecimal digits"),
            },
        )
        yield from wrong_addresses(options, "base_url")

    def check(self) -> None:
        """Read the account, or with an API key one page of its messages."""
        if self._account is None:
            self._messages.list(limit=1)
            return
        status = self._account.fetch().status
        if status != ACTIVE:
            text = "twilio: the account is not active; see Twilio's console"
            raise Unauthorized(text, provider="twilio")

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()

    def _sender_fields(self, message: Rendered) -> dict[str, Any]:
        own = message.sms_sender
        if own is None:
            return self._sender
        service = own.kind is SmsSenderKind.MESSAGING_SERVICE
        return _fields_of("" if service else own.value, own.value if service else "")

    def _validity(self, message: Rendered) -> Any:
        if message.expires_at is None:
            return values.unset
        seconds = int(message.expires_at.timestamp() - self._clock())
        return min(max(seconds, 1), LONGEST_VALIDITY)


def _fields_of(number: str, service: str) -> dict[str, Any]:
    return {
        "from_": number or values.unset,
        "messaging_service_sid": service or values.unset,
    }


def _as_sent(text: str) -> str:
    """Replace what cannot be encoded, such as half of a surrogate pair, as sending does."""
    return text.encode(errors="replace").decode()
