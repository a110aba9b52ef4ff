"""SendGrid's own suppression lists: read page by page, and corrected after a lift."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple
from urllib.parse import quote

from notify.errors import ProviderError
from notify.receipt import Blame, DeliveryReceipt, ReceiptEvent
from providers._shared.answer import Answer
from providers._shared.receipts import moment, text
from providers._shared.smtp_status import enhanced_code
from providers._shared.transport import Transport

PAGE = 500
"""Entries on one page, the most that SendGrid returns."""


class _List(NamedTuple):
    """A list's path to read, its path to delete an address from, and its entries' event."""

    read: str
    delete: str
    event: ReceiptEvent


# https://www.twilio.com/docs/sendgrid/api-reference: bounces, invalid emails, spam reports and
# global unsubscribes. Blocks are about the sender, so they are not read.
LISTS: Mapping[str, _List] = {
    "bounces": _List("/v3/suppression/bounces", "/v3/suppression/bounces/{}", ReceiptEvent.BOUNCED),
    "invalid_emails": _List(
        "/v3/suppression/invalid_emails", "/v3/suppression/invalid_emails/{}", ReceiptEvent.BOUNCED
    ),
    "spam_reports": _List(
        "/v3/suppression/spam_reports", "/v3/suppression/spam_reports/{}", ReceiptEvent.COMPLAINED
    ),
    "unsubscribes": _List(
        "/v3/suppression/unsubscribes", "/v3/asm/suppressions/global/{}", ReceiptEvent.OPTED_OUT
    ),
    "groups": _List(
        "/v3/asm/suppressions", "/v3/asm/groups/{group}/suppressions/{}", ReceiptEvent.OPTED_OUT
    ),
}


class SendGridLists:
    """The lists of one account, through its provider's transport."""

    def __init__(
        self,
        transport: Transport,
        headers: Mapping[str, str],
        failure: Callable[[Answer], ProviderError],
    ) -> None:
        self._transport = transport
        self._headers = headers
        self._failure = failure

    def page(self, name: str, *, offset: int) -> list[DeliveryReceipt]:
        """
        Return one page of a list; an empty one is its end.

        Raises:
            ProviderError: SendGrid could not be asked.
        """
        chosen = LISTS[name]
        path = f"{chosen.read}?limit={PAGE}&offset={offset}"
        answer = self._transport.get(self._transport.head(path, self._headers, method="GET"))
        entries = _entries(answer)
        if answer.status != 200 or entries is None:
            raise self._failure(answer)
        return [_receipt(name, chosen.event, entry) for entry in entries]

    def remove(self, name: str, listed: DeliveryReceipt) -> None:
        """
        Delete an address from a list; one that is not on it any more is fine.

        Raises:
            ProviderError: SendGrid did not delete it.
        """
        group = listed.scope.removeprefix("group-")
        address = quote(listed.recipient, safe="")
        path = LISTS[name].delete.format(address, group=group)
        head = self._transport.head(path, self._headers, method="DELETE")
        answer = self._transport.post(head, b"")
        if answer.status not in (200, 204, 404):
            raise self._failure(answer)


def _entries(answer: Answer) -> list[dict[str, Any]] | None:
    try:
        found = json.loads(answer.body)
    except ValueError:
        return None
    return [each for each in found if isinstance(each, dict)] if isinstance(found, list) else None


def _receipt(name: str, event: ReceiptEvent, entry: Mapping[str, Any]) -> DeliveryReceipt:
    group = entry.get("group_id")
    bounced = event is ReceiptEvent.BOUNCED
    code = enhanced_code(text(entry.get("status")), text(entry.get("reason")))
    return DeliveryReceipt(
        event=event,
        word=f"list {name}",
        recipient=text(entry.get("email")),
        at=moment(entry.get("created") or entry.get("created_at")),
        blame=Blame.RECIPIENT if bounced and _is_recipients(code) else None,
        code=code if bounced else None,
        scope=f"group-{group}" if isinstance(group, int) else "",
    )


def _is_recipients(code: str | None) -> bool:
    """Whether a bounce is the recipient's fault: 5.1.x, or one without a code on this list."""
    return code is None or code.startswith("5.1.")
