"""Producers' opt-outs: a recipient told the service itself, on its account page or by phone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy import Connection

from notify.contract import Incoming, Limits, ProducerOptOut, read_opt_out
from notify.receipts.received import ReportContent
from notify.store.receipts import OwnNotification, find_own
from notify.suppression import (
    Suppression,
    SuppressionReason,
    category_scope,
    source_scope,
)

log = structlog.get_logger("notify.suppression")


class OptOutReader:
    """Reads `optout.<source>`; a source speaks for its own messages, or for one category."""

    def __init__(self, limits: Limits) -> None:
        """
        Create a reader.

        Args:
            limits: The contract's, as delivery applies them.
        """
        self._limits = limits

    def read(self, incoming: Incoming) -> ProducerOptOut:
        """
        Return the opt-out in a message.

        Raises:
            RequestInvalid: It breaks the contract.
        """
        return read_opt_out(incoming, self._limits)

    def reported(
        self, connection: Connection, read: Sequence[ProducerOptOut], *, now: datetime
    ) -> ReportContent:
        """Return the entries; an opt-out changes no notification, so there are no receipts."""
        own = find_own(connection, [(each.source, each.id) for each in read if each.id])
        items = []
        for each in read:
            found = own.get((each.source, each.id)) if each.id else None
            item = _suppression(each, found, now=now)
            if item is None:
                # Unknown, deleted or erased: the source has to name the address.
                log.warning("notify.optout_unmatched", source=each.source, id=str(each.id))
            else:
                items.append(item)
        return ReportContent(opt_outs=items)


def _suppression(
    asked: ProducerOptOut, found: OwnNotification | None, *, now: datetime
) -> Suppression | None:
    channel = asked.channel or (found.channel if found else None)
    hash_ = found.recipient_hash if found else None
    if channel is None or not (asked.to or hash_):
        return None
    scope = source_scope(asked.source)
    if asked.category:
        scope = category_scope(asked.category, asked.source)
    return Suppression(
        channel=channel,
        reason=SuppressionReason.OPT_OUT,
        since=now,
        recipient=asked.to,
        recipient_hash=hash_,
        scope=scope,
        evidence=" ".join(filter(None, (f"optout.{asked.source}", asked.note))),
    )
