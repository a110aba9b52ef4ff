"""Asking a provider what it took: once more the message of a lost call, and when it was made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from notify import contract
from notify.contract import Incoming
from notify.delivery import LEASE, normalize, rendered
from notify.errors import ProviderError, TemplateError
from notify.gateway import Gateway
from notify.message import Notification, Receipt
from notify.store.delivery import LONGEST_ID, LONGEST_REASON
from notify.store.reconcile import LostCall
from notify.store.relays import Due
from notify.templating import Templates
from notify.topology import routing_key

MARGIN = timedelta(seconds=15)
"""How far the vendor's clock may be from ours, and how late it may take up a request."""
LONGEST_CALL = 2 * LEASE
"""How long after its claim a call has ended at the latest, whoever notices that, and when."""

log = structlog.get_logger("notify.reconcile")


@dataclass(frozen=True, slots=True)
class LookupResult:
    """What came of asking a provider."""

    why: str
    """Why the rule decides, if it must."""
    found: Sequence[str] = ()
    """The vendor's ids of messages that may be this one, oldest first."""
    later: bool = False
    """Whether it could not be asked now and may be later."""
    retry_after: float | None = None


def look_up_call(
    notification: Notification, lost: LostCall, *, gateway: Gateway, templates: Templates
) -> LookupResult:
    """
    Ask the provider which messages it took that may be this one; never raises.

    The words are those that the templates make now: a template that was changed in between hides
    the message.
    """
    line = gateway.provider(lost.provider)
    if line is None or not line.can_find:
        return LookupResult("the answer was lost; this provider cannot be asked")
    since, until = search_window(lost)
    try:
        message = rendered(notification, lost.attempt_id, templates=templates)
        found = [_id(each) for each in line.find(message, since=since, until=until)]
    except TemplateError:
        return LookupResult("the answer was lost, and so is the template that it was made of")
    except ProviderError as error:
        why = normalize.text(str(error), longest=LONGEST_REASON) or ""
        wait = normalize.seconds(getattr(error, "retry_after", None))
        return _cannot_ask(notification, lost, why, wait)
    except Exception as error:  # noqa: BLE001 - a fault in a provider must not end the thread
        # Its text could hold anything, so only its kind is told.
        why = f"a fault in the provider {lost.provider}: {type(error).__name__}"
        return _cannot_ask(notification, lost, why, None)
    return LookupResult("the answer was lost; the provider's list has no such message", found)


def _id(receipt: Receipt) -> str:
    """
    Return the id of a message that the vendor lists, as it is on record where it is known.

    Raises:
        ValueError: It has none, so that nobody can tell which call it belongs to.
    """
    id_ = normalize.text(receipt.provider_id, longest=LONGEST_ID)
    if id_ is None:
        raise ValueError("a message without an id")
    return id_


def decode_again(row: Due) -> Notification:
    """
    Read a request again, under its row's id; it was within all limits when it was taken.

    Raises:
        DecodeError: It was written for another version.
    """
    incoming = Incoming(
        row.body,
        routing_key(row.channel, row.lane, row.source),
        content_type="application/json",
        message_id=str(row.public_id),
        traceparent=row.traceparent,
    )
    limits = contract.Limits(max_body_bytes=len(row.body), max_recipients=1)
    (notification,) = contract.decode(incoming, limits)
    return replace(notification, id=row.id)


def search_window(lost: LostCall) -> tuple[datetime, datetime]:
    """Tell when the vendor took the call's message, if it did."""
    until = min(lost.ended_at, lost.started_at + LONGEST_CALL)
    return lost.started_at - MARGIN, until + MARGIN


def _cannot_ask(
    notification: Notification, lost: LostCall, why: str, retry_after: float | None
) -> LookupResult:
    log.warning(
        "notify.lookup_failed",
        **notification.ids,
        attempt_id=str(lost.attempt_id),
        provider=lost.provider,
        reason=why,
    )
    text = "the answer was lost, and the provider could not be asked in time"
    return LookupResult(text, later=True, retry_after=retry_after)
