"""The consequences of receipts: a suppressed recipient, or a provider's open circuit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy import Connection

from notify.categories import UnsubscribeTokens
from notify.flow import overrides
from notify.message import Channel
from notify.receipt import ReceiptEvent
from notify.receipts.matcher import ReceiptMatch
from notify.receipts.received import ReceivedReceipt
from notify.receipts.unsubscribe import UNSUBSCRIBE, opted_out
from notify.store import Actor
from notify.suppression import (
    BOUNCE_LASTS,
    Lift,
    Suppression,
    consequence,
    lift,
    log_added,
    suppress,
)

ACTOR = "notify worker receipts"
"""The actor of an audit row that no operator caused."""

log = structlog.get_logger("notify.receipts")


class Consequences:
    """Writes what follows from receipts that are new on record, in their transaction."""

    def __init__(
        self,
        channels: Mapping[str, Channel],
        *,
        bounce_lasts: timedelta = BOUNCE_LASTS,
        tokens: UnsubscribeTokens | None = None,
    ) -> None:
        """
        Create it.

        Args:
            channels: The channel of each configured provider.
            bounce_lasts: How long a bounce suppresses.
            tokens: Reads the tokens of one-click unsubscribe; None without a keyring.
        """
        self._channels = dict(channels)
        self._bounce_lasts = bounce_lasts
        self._tokens = tokens

    def follow(
        self,
        connection: Connection,
        matches: Sequence[ReceiptMatch],
        opt_outs: Sequence[Suppression] = (),
        *,
        now: datetime,
    ) -> None:
        """
        Suppress recipients, lift opt-outs, and open circuits, as new receipts require.

        Producers' *opt_outs* are added with the others: in one order, after the notifications are
        locked, so that two workers do not deadlock.

        A receipt that matches no notification suppresses too: retention deletes rows before the
        last complaint comes.
        """
        found = [each for match in matches if (each := self._listed(match, now=now))]
        suppressions = [*opt_outs, *(each for each in found if isinstance(each, Suppression))]
        log_added(suppress(connection, suppressions, now=now))
        lift(connection, [each for each in found if isinstance(each, Lift)], now=now)
        reports = {
            match.received.provider: match.received.receipt
            for match in matches
            if match.received.receipt.event is ReceiptEvent.ACCOUNT
        }
        for provider, receipt in sorted(reports.items()):
            if provider not in self._channels:
                continue
            words = " ".join(each for each in (receipt.word, receipt.code) if each)
            reason = f"the vendor reports about the account: {words}"
            overrides.open_circuit(connection, provider, Actor(ACTOR, reason))
            # Only an operator can settle it, and this line alerts them.
            log.error("notify.account_event", provider=provider, reason=reason)

    def _listed(self, match: ReceiptMatch, *, now: datetime) -> Suppression | Lift | None:
        received, notification = match.received, match.notification
        if received.provider == UNSUBSCRIBE:
            return self._one_click(received)
        channel = notification.channel if notification else self._channels.get(received.provider)
        if channel is None:
            return None
        hash_ = notification.recipient_hash if notification else match.recipient_hash
        receipt = received.receipt
        return consequence(
            # The arrival orders a STOP and a START, which have no time.
            replace(receipt, at=receipt.at or received.received_at),
            channel=channel,
            provider=received.provider,
            now=now,
            recipient_hash=hash_,
            bounce_lasts=self._bounce_lasts,
        )

    def _one_click(self, received: ReceivedReceipt) -> Suppression | None:
        """Return the entry for an opt-out that travelled as a receipt, with its token."""
        token = received.receipt.provider_id
        opt_out = self._tokens.read(token) if self._tokens is not None else None
        return None if opt_out is None else opted_out(opt_out, at=received.received_at)
