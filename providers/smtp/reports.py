"""Mail that comes back: reports of delivery (RFC 3464) and complaints (ARF, RFC 5965)."""

from __future__ import annotations

import email
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import Message
from email.parser import HeaderParser
from email.utils import getaddresses, parsedate_to_datetime
from typing import Any

from notify.errors import ConfigError
from notify.receipt import (
    Blame,
    DeliveryReceipt,
    Forged,
    Posted,
    ReceiptEvent,
    Report,
    Unreadable,
)
from providers._shared.receipts import listed, text
from providers._shared.smtp_status import blame_of, enhanced_code
from providers.smtp.return_path import BounceKey, Token, find_token

MOST_RECIPIENTS = 10
"""Recipients of one report that are read: a call has one, and a list behind it may have others."""
_STATUS_TYPES = frozenset({"message/delivery-status", "message/global-delivery-status"})
_FEEDBACK_TYPE = "message/feedback-report"
_QUOTED_TYPES = frozenset({"message/rfc822", "message/global", "text/rfc822-headers"})
_LONGEST_FIELD = 1000
_GENERAL = re.compile(r"[245]\.0\.0")
_GROUPS = re.compile(r"\n[ \t]*\n")

_ACTIONS: Mapping[str, ReceiptEvent] = {
    "failed": ReceiptEvent.BOUNCED,
    "delayed": ReceiptEvent.DEFERRED,
    "delivered": ReceiptEvent.DELIVERED,
    # To a server that makes no reports, or to the members of a list.
    "relayed": ReceiptEvent.ACCEPTED,
    "expanded": ReceiptEvent.ACCEPTED,
}
_FEEDBACK: Mapping[str, ReceiptEvent] = {
    "abuse": ReceiptEvent.COMPLAINED,
    "fraud": ReceiptEvent.COMPLAINED,
    "virus": ReceiptEvent.COMPLAINED,
    "other": ReceiptEvent.COMPLAINED,
    "opt-out": ReceiptEvent.OPTED_OUT,
    "opt-out-list": ReceiptEvent.OPTED_OUT,
}


class SmtpReports:
    """
    Verifies and reads mail that came back to a return path, or from a feedback loop.

    The body of a request is one whole message, as a mail server passes it to a program.

    Args:
        public_url: Its address; a mail server does not sign it.
        bounce_keys: The keys of the return paths, all valid at once, so that one can be replaced.

    Raises:
        ConfigError: A key is too short, or there is none.
    """

    def __init__(
        self,
        *,
        public_url: str,  # noqa: ARG002 - every reader has one
        bounce_keys: str | Sequence[str],
    ) -> None:
        self._keys = [BounceKey(each) for each in listed(bounce_keys)]
        if not self._keys:
            raise ConfigError("smtp: bounce_keys has no key")

    def verify(self, posted: Posted, /) -> None:
        """Check that the message has a token of one of the keys: that of its own return path."""
        if find_token(posted.body, self._keys) is None:
            raise Forged("smtp: the message has no valid return path or Message-ID of ours")

    def read(self, posted: Posted, /) -> Report:
        """Read one message; an automatic reply, or any other that is not a report, is ignored."""
        token = find_token(posted.body, self._keys)
        try:
            message = email.message_from_bytes(posted.body)
            parts = [*message.walk()]
        except (RecursionError, ValueError, LookupError):
            raise Unreadable("smtp: the message cannot be parsed") from None
        if token is None:
            raise Unreadable("smtp: the message has no return path of ours")
        reader = _ReturnedMail(token, message, parts)
        receipts = [*reader.deliveries(), *reader.complaints()][:MOST_RECIPIENTS]
        return Report(receipts, ignored=not receipts)


@dataclass(frozen=True, slots=True)
class _ReturnedMail:
    """One message that came back."""

    token: Token
    message: Message
    parts: Sequence[Message]

    def deliveries(self) -> Iterator[DeliveryReceipt]:
        for part in self.parts:
            if part.get_content_type() in _STATUS_TYPES:
                groups = _groups(part)
                at = _time(*(_field(each, "Arrival-Date") for each in groups[:1]))
                for group in groups:
                    if _field(group, "Action"):
                        yield from self._delivery(group, at)

    def _delivery(self, group: Message, at: datetime | None) -> Iterator[DeliveryReceipt]:
        word = _field(group, "Action").partition(" ")[0].lower()
        event = _ACTIONS.get(word)
        if event is None:
            return
        named = [_address(group, each) for each in ("Original-Recipient", "Final-Recipient")]
        ours = next((each for each in named if each and self.token.proves(each)), "")
        status = enhanced_code(_field(group, "Status"))
        diagnosed = enhanced_code(_field(group, "Diagnostic-Code"))
        code = diagnosed if diagnosed and (not status or _GENERAL.fullmatch(status)) else status
        blame = None
        if event is ReceiptEvent.BOUNCED:
            blame = blame_of(code)
            if blame is Blame.RECIPIENT and not ours:
                # The address behind a forward does not exist; the recipient's own may.
                blame = Blame.MOMENT
        elif event is ReceiptEvent.DEFERRED:
            blame = Blame.MOMENT
        yield self._receipt(
            event,
            word,
            ours,
            at=_time(_field(group, "Last-Attempt-Date")) or at,
            blame=blame,
            code=code,
        )

    def complaints(self) -> Iterator[DeliveryReceipt]:
        for part in self.parts:
            if part.get_content_type() != _FEEDBACK_TYPE:
                continue
            fields = _groups(part)[0]
            word = _field(fields, "Feedback-Type").lower()
            event = _FEEDBACK.get(word)
            if event is None:
                continue
            at = _time(_field(fields, "Arrival-Date"), _field(fields, "Received-Date"))
            yield self._receipt(event, word, self._complainant(fields), at=at)

    def _complainant(self, fields: Message) -> str:
        """Return the call's recipient, if the report or the quoted message names it."""
        named = [_bare(each) for each in fields.get_all("Original-Rcpt-To", [])]
        for part in self.parts:
            if part.get_content_type() in _QUOTED_TYPES:
                named += _quoted_recipients(part)
        return next((each for each in named[:50] if self.token.proves(each)), "")

    def _receipt(
        self, event: ReceiptEvent, word: str, recipient: str, **others: Any
    ) -> DeliveryReceipt:
        at = others.pop("at", None) or _time(_field(self.message, "Date"))
        return DeliveryReceipt(
            event=event,
            word=text(word),
            attempt_id=self.token.attempt_id,
            recipient=recipient,
            at=at,
            **others,
        )


def _groups(part: Message) -> list[Message]:
    """Return the groups of fields of a report's part; the first is about the whole message."""
    payload = part.get_payload()
    if isinstance(payload, list):
        whole = "\n\n".join(str(each) for each in payload)
    else:
        whole = str(payload)
    parse = HeaderParser().parsestr
    found = [parse(each.strip("\n")) for each in _GROUPS.split(whole) if each.strip()]
    return found[: MOST_RECIPIENTS + 1] or [Message()]


def _quoted_recipients(part: Message) -> list[str]:
    payload = part.get_payload()
    quoted = (
        payload[0]
        if isinstance(payload, list) and payload
        else HeaderParser().parsestr(str(payload))
    )
    if not isinstance(quoted, Message):
        return []
    fields = [str(each) for each in quoted.get_all("To", [])][:10]
    return [address for _, address in getaddresses(each[:_LONGEST_FIELD] for each in fields)]


def _field(fields: Message, name: str) -> str:
    return str(fields.get(name) or "")[:_LONGEST_FIELD].strip()


def _address(fields: Message, name: str) -> str:
    """Return the address of a field such as `rfc822; ann@example.com`."""
    return _bare(_field(fields, name).rpartition(";")[2])


def _bare(value: object) -> str:
    return str(value)[:_LONGEST_FIELD].strip().strip("<>")


def _time(*values: str) -> datetime | None:
    for value in values:
        try:
            at = parsedate_to_datetime(value)
        except (ValueError, TypeError, IndexError, OverflowError):
            continue
        return at if at.tzinfo else at.replace(tzinfo=UTC)
    return None
