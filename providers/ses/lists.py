"""The suppression list of an SES account: read page by page, and corrected after a lift."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from notify.errors import ProviderError
from notify.receipt import Blame, DeliveryReceipt, ReceiptEvent
from providers._shared.answer import Answer
from providers._shared.receipts import moment, text
from providers._shared.transport import Transport
from providers.ses.signing import Signer

PAGE = 500
"""Entries on one page; SES returns 1,000 at most."""
_PATH = "/v2/email/suppression/addresses"

# https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
LISTS: Mapping[str, tuple[str, ReceiptEvent]] = {
    "bounces": ("BOUNCE", ReceiptEvent.BOUNCED),
    "complaints": ("COMPLAINT", ReceiptEvent.COMPLAINED),
}


class SesLists:
    """
    The account's list by reason, through its provider's transport; for one reader at a time.

    SES continues a list by a token and not by an offset: the one of the last page is kept.
    """

    def __init__(
        self, transport: Transport, signer: Signer, failure: Callable[[Answer], ProviderError]
    ) -> None:
        self._transport = transport
        self._signer = signer
        self._failure = failure
        self._next: dict[str, str | None] = {}

    def page(self, name: str, *, offset: int) -> list[DeliveryReceipt]:
        """
        Return the first page of a list if *offset* is 0, else the next one; empty at its end.

        Raises:
            ProviderError: SES could not be asked.
        """
        reason, event = LISTS[name]
        token = self._next.get(name) if offset else None
        if offset and token is None:
            return []
        path = f"{_PATH}?PageSize={PAGE}&Reason={reason}"
        if token is not None:
            path += f"&NextToken={quote(token, safe='')}"
        answer = self._transport.get(self._signer.head(path, b"", method="GET"))
        found = answer.json()
        entries = found.get("SuppressedDestinationSummaries")
        if answer.status != 200 or not isinstance(entries, list):
            raise self._failure(answer)
        following = found.get("NextToken")
        self._next[name] = following if isinstance(following, str) and following else None
        return [_receipt(name, event, each) for each in entries if isinstance(each, dict)]

    def remove(self, listed: DeliveryReceipt) -> None:
        """
        Delete an address from the list; one that is not on it any more is fine.

        Raises:
            ProviderError: SES did not delete it.
        """
        path = f"{_PATH}/{quote(listed.recipient, safe='')}"
        answer = self._transport.post(self._signer.head(path, b"", method="DELETE"), b"")
        if answer.status not in (200, 404):
            raise self._failure(answer)


def _receipt(name: str, event: ReceiptEvent, entry: Mapping[str, Any]) -> DeliveryReceipt:
    return DeliveryReceipt(
        event=event,
        word=f"list {name}",
        recipient=text(entry.get("EmailAddress")),
        at=moment(entry.get("LastUpdateTime")),
        blame=Blame.RECIPIENT if event is ReceiptEvent.BOUNCED else None,
    )
