"""Amazon SES: email through its API v2."""

from __future__ import annotations

import base64
import json
import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, ClassVar

from notify.errors import ConfigError, PermanentError, ProviderError, Unauthorized
from notify.message import Channel, MailSender, Receipt, Rendered
from notify.receipt import DeliveryReceipt
from providers._shared.answer import Answer
from providers._shared.mime import mime_message
from providers._shared.mime_parts import HeaderUnfit
from providers._shared.options import wrong_addresses, wrong_texts
from providers._shared.senders import SENDER_FORMS
from providers._shared.transport import Transport
from providers.ses.lists import LISTS, SesLists
from providers.ses.refusals import refusal
from providers.ses.signing import Signer

UPLOAD_RATE = 1_000_000
"""Bytes a second in which a request is sent at least; a large one has that many more seconds."""

_PATH = "/v2/email/outbound-emails"
_REGION = re.compile(r"[a-z]{2}(-[a-z]+){1,3}-\d{1,2}")
_SET = re.compile(r"[A-Za-z0-9_-]{1,64}")
_FORMS: Mapping[str, tuple[Callable[[str], object], str]] = {
    **SENDER_FORMS,
    "region": (_REGION.fullmatch, "must be a region such as eu-central-1"),
    "configuration_set": (_SET.fullmatch, "must be letters, digits, - and _, at most 64"),
}


class Ses:
    """
    Sends email through Amazon SES.

    Args:
        region: The region of the account's identities.
        access_key_id: The id of a key that may `ses:SendEmail`.
        secret_access_key: The key.
        sender: The From address: a verified identity.
        sender_name: The name shown with it.
        configuration_set: The configuration set, whose events are published to SNS.
        base_url: The address of the API, if it is not that of the region.
        timeout: Seconds for a call.
        connect_timeout: Seconds for a connection.
        pool: The most idle connections to keep.
        clock: Seconds since 1970, for the message's date; signatures have the machine's time.

    Raises:
        ConfigError: An option cannot be used.
    """

    channel: ClassVar[Channel] = Channel.EMAIL

    def __init__(
        self,
        *,
        region: str,
        access_key_id: str,
        secret_access_key: str,
        sender: str,
        sender_name: str | None = None,
        configuration_set: str | None = None,
        base_url: str | None = None,
        timeout: float = 10.0,
        connect_timeout: float = 3.0,
        pool: int = 64,
        clock: Callable[[], float] = time.time,
    ) -> None:
        given = {
            "region": region,
            "sender": sender,
            "sender_name": sender_name,
            "configuration_set": configuration_set,
        }
        for name, text in self.wrong_options(given):
            raise ConfigError(f"ses: {name} {text}")
        suffix = ".cn" if region.startswith("cn-") else ""
        address = base_url or f"https://email.{region}.amazonaws.com{suffix}"
        self._transport = Transport(
            "ses", address, timeout=timeout, connect_timeout=connect_timeout, pool=pool
        )
        self._signer = Signer(
            self._transport,
            address,
            region=region,
            access_key_id=access_key_id,
            secret_access_key=secret_access_key,
        )
        self._lists = SesLists(self._transport, self._signer, self._failure)
        self._sender = MailSender(sender, sender_name)
        self._options = {"ConfigurationSetName": configuration_set} if configuration_set else {}
        self._clock = clock

    def send(self, message: Rendered, /) -> Receipt:
        """Send one email; the receipt's id is the `messageId` of its events."""
        body = self._body(message)
        head = self._signer.head(_PATH, body)
        answer = self._transport.post(head, body, more=len(body) / UPLOAD_RATE)
        sent = answer.json().get("MessageId")
        if answer.status != 200 or not isinstance(sent, str) or not sent:
            own = message.sender is not None
            raise refusal(answer, now=self._clock(), own_sender=own)
        return Receipt(sent)

    def _body(self, message: Rendered) -> bytes:
        sender = message.sender or self._sender
        domain = sender.address.rpartition("@")[2]
        try:
            # SES replaces Message-ID and Date.
            content = mime_message(
                message,
                sender=sender,
                message_id=f"{message.attempt_id}@{domain}",
                now=self._clock(),
            )
        except HeaderUnfit as error:
            raise PermanentError(f"ses: {error}", provider="ses", code="header") from None
        request = {
            "FromEmailAddress": sender.address,
            "Destination": {"ToAddresses": [message.to]},
            "Content": {"Raw": {"Data": base64.b64encode(content).decode("ascii")}},
            # Not personal: AWS shows tags in metrics. They are repeated in every event.
            "EmailTags": [
                {"Name": "notify_id", "Value": str(message.notification_id)},
                {"Name": "attempt_id", "Value": str(message.attempt_id)},
            ],
            **self._options,
        }
        return json.dumps(request, separators=(",", ":")).encode("ascii")

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """Yield the options with which SES would refuse every message."""
        yield from wrong_texts(options, _FORMS)
        yield from wrong_addresses(options, "base_url")

    def check(self) -> None:
        """Read the account, which needs `ses:GetAccount`."""
        path = "/v2/email/account"
        answer = self._transport.get(self._signer.head(path, b"", method="GET"))
        account = answer.json()
        if answer.status != 200 or "SendingEnabled" not in account:
            raise self._failure(answer)
        if account["SendingEnabled"] is not True:
            raise Unauthorized("ses: sending is paused for the account", provider="ses")
        if account.get("ProductionAccessEnabled") is False:
            text = "ses: the account is in the sandbox of SES, which refuses most recipients"
            raise Unauthorized(text, provider="ses")

    def lists(self) -> Sequence[str]:
        """Return the names of the account's list, by reason."""
        return [*LISTS]

    def listed(self, name: str, /, *, offset: int) -> list[DeliveryReceipt]:
        """Return one page of a list."""
        return self._lists.page(name, offset=offset)

    def unlist(self, name: str, listed: DeliveryReceipt, /) -> None:  # noqa: ARG002 - one list
        """Delete an address from the account's list."""
        self._lists.remove(listed)

    def _failure(self, answer: Answer) -> ProviderError:
        return refusal(answer, now=self._clock())

    def close(self) -> None:
        """Close the idle connections."""
        self._transport.close()
