"""The use case of one-click unsubscribe: read the token, write the opt-out, then answer."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

import structlog

from notify.categories import OptOut, UnsubscribeTokens
from notify.errors import StoreError
from notify.receipt import DeliveryReceipt, ReceiptEvent
from notify.receipts.intake import ReceiptIntake
from notify.store import Store
from notify.suppression import Suppression, SuppressionReason, category_scope, suppress

UNSUBSCRIBE = "_unsubscribe"
"""The provider of opt-outs that travel as receipts; no configured provider can have the name."""
ONE_CLICK = "one-click unsubscribe"
"""The evidence of the suppression."""

log = structlog.get_logger("notify.receipts")


class Unsubscriber:
    """
    Writes opt-outs, at once if the record is up. Thread-safe.

    While the record is away, an opt-out travels as a receipt, which the receipt workers apply: one
    for which `unsubscribe` returned is never lost.
    """

    def __init__(
        self,
        tokens: UnsubscribeTokens | None,
        *,
        store: Store,
        intake: ReceiptIntake,
        arrival_clock: Callable[[], datetime],
    ) -> None:
        """
        Wire it.

        Args:
            tokens: None without a keyring: then no token is valid.
            arrival_clock: Returns the time for an opt-out that arrives while the record, whose
                clock is used else, is away.
        """
        self._tokens = tokens
        self._store = store
        self._intake = intake
        self._arrival_clock = arrival_clock

    def read(self, token: str) -> OptOut | None:
        """Return the opt-out of a token; None if this service did not write it."""
        return None if self._tokens is None else self._tokens.read(token)

    def unsubscribe(self, token: str, opt_out: OptOut) -> None:
        """
        Write the opt-out of a valid token; repeating it changes nothing.

        Raises:
            NotStored: Neither the record nor the broker is up.
        """
        try:
            now = self._store.clock()
            with self._store.writing() as connection:
                added = suppress(connection, [opted_out(opt_out, at=now)], now=now)
        except StoreError as error:
            log.warning("notify.unsubscribe_deferred", reason=str(error))
            self._intake.store(UNSUBSCRIBE, [_as_receipt(token, at=self._arrival_clock())])
            return
        log.info(
            "notify.unsubscribed",
            scope=category_scope(opt_out.category, opt_out.source),
            channel=opt_out.channel.value,
            repeated=not added,
        )


def opted_out(opt_out: OptOut, *, at: datetime) -> Suppression:
    """Return the entry of the suppression list for an opt-out."""
    return Suppression(
        channel=opt_out.channel,
        reason=SuppressionReason.OPT_OUT,
        since=at,
        recipient_hash=opt_out.recipient_hash,
        scope=category_scope(opt_out.category, opt_out.source),
        evidence=ONE_CLICK,
    )


def _as_receipt(token: str, *, at: datetime) -> DeliveryReceipt:
    """Return the receipt in which a token travels: it is its own proof."""
    return DeliveryReceipt(event=ReceiptEvent.OPTED_OUT, word="one-click", provider_id=token, at=at)
