"""Decoding a message into the notifications to deliver."""

from __future__ import annotations

from datetime import datetime

import structlog

from notify import contract
from notify.arrival import Arrival, Dead
from notify.contract import Limits
from notify.delivery.plan import DeliveryItem
from notify.delivery.settlement import Settlement
from notify.errors import DecodeError
from notify.telemetry.tracing import Tracing

log = structlog.get_logger("notify.delivery")


class Decoder:
    """Decodes messages within the contract's limits, and starts their traces."""

    def __init__(self, limits: Limits, tracing: Tracing) -> None:
        self._limits = limits
        self._tracing = tracing

    def decode(self, arrival: Arrival, *, now: datetime) -> DeliveryItem | None:
        """Return the first notification with the others; None if the message is settled as dead."""
        try:
            first, *others = contract.decode(arrival.incoming, self._limits, now=now)
        except DecodeError as error:
            log.warning(
                "notify.dead",
                cause="contract",
                reason=str(error),
                routing_key=arrival.incoming.routing_key,
                message_id=arrival.incoming.message_id,
            )
            arrival.settle(Dead())
            return None
        settlement = Settlement(arrival.settle, 1 + len(others))
        return DeliveryItem.begin(first, settlement, self._tracing, others=others)
