"""Looking up a lost call: the provider is asked for messages that may be its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from notify import contract
from notify.categories import Categories
from notify.contract import Incoming
from notify.delivery import LEASE, rendered
from notify.errors import ProviderError, TemplateError
from notify.gateway import Gateway
from notify.message import Notification, Receipt
from notify.policies import normalize
from notify.store.delivery import LONGEST_ID, LONGEST_REASON
from notify.store.reconcile import LostCall
from notify.store.relays import Due
from notify.templating import Templates
from notify.topology import routing_key

MARGIN = timedelta(seconds=15)
"""Tolerance for the vendor's clock, and for its delay before it records a request."""
LONGEST_CALL = 2 * LEASE
"""The longest time from a call's claim to its end, whenever the end is noticed."""

log = structlog.get_logger("notify.reconcile")


@dataclass(frozen=True, slots=True)
class LookupResult:
    """The result of asking a provider."""

    why: str
    """Why the lane's rule decides, if nothing is found."""
    found: Sequence[str] = ()
    """The vendor's ids of messages that may be this one, oldest first."""
    later: bool = False
    """Whether it could not be asked now, but may be later."""
    retry_after: float | None = None


def look_up_call(
    notification: Notification,
    lost: LostCall,
    *,
    gateway: Gateway,
    templates: Templates,
    categories: Categories,
) -> LookupResult:
    """
    Ask the provider which accepted messages may be this one; never raises.

    The text to search for is rendered again: if the template has changed, the message is not found.
    """
    line = gateway.provider(lost.provider)
    if line is None or not line.can_find:
        return LookupResult("the answer was lost; this provider has no look-up")
    since, until = search_window(lost)
    try:
        message = rendered(
            notification, lost.attempt_id, templates=templates, categories=categories
        )
        found = [_id(each) for each in line.find(message, since=since, until=until)]
    except TemplateError:
        return LookupResult("the answer was lost, and its template no longer renders")
    except ProviderError as error:
        why = normalize.text(str(error), longest=LONGEST_REASON) or ""
        wait = normalize.seconds(getattr(error, "retry_after", None))
        return _cannot_ask(notification, lost, why, wait)
    except Exception as error:  # noqa: BLE001 - a fault in a provider must not end the thread
        # The error's text could hold anything, so only its kind is logged.
        why = f"a fault in the provider {lost.provider}: {type(error).__name__}"
        return _cannot_ask(notification, lost, why, None)
    return LookupResult("the answer was lost; the provider's list has no such message", found)


def _id(receipt: Receipt) -> str:
    """
    Return the vendor's id of a listed message, in the form that the record stores.

    Raises:
        ValueError: It has no id, so it cannot be matched to a call.
    """
    id_ = normalize.text(receipt.provider_id, longest=LONGEST_ID)
    if id_ is None:
        raise ValueError("a message without an id")
    return id_


def decode_again(row: Due) -> Notification:
    """
    Decode a row's request, under the row's id; no limits apply, since it was accepted before.

    Raises:
        DecodeError: Another version wrote it.
    """
    incoming = Incoming(
        row.body,
        routing_key(row.channel, row.lane, row.source),
        content_type="application/json",
        message_id=str(row.public_id),
        traceparent=row.traceparent,
    )
    size = len(row.body)
    limits = contract.Limits(max_body_bytes=size, max_attachment_bytes=size, max_recipients=1)
    (notification,) = contract.decode(incoming, limits)
    return replace(notification, id=row.id, category=row.category)


def search_window(lost: LostCall) -> tuple[datetime, datetime]:
    """Return the first and last time at which the vendor may have accepted the message."""
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
