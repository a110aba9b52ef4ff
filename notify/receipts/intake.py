"""The use case of a vendor's request: verify it, read it, store its receipts, then answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Protocol
from uuid import uuid4

import structlog

from notify.contract import ReceiptMessage
from notify.errors import NotifyError, StoreError
from notify.publisher import Outgoing, Publisher, PublishResult
from notify.receipt import (
    DeliveryReceipt,
    Forged,
    Posted,
    ReceiptReader,
    Report,
    Unreadable,
    Unverified,
)
from notify.receipts.intake_metrics import IntakeMetrics
from notify.receipts.reminder import Reminder
from notify.topology import RECEIPTS

BROKER_PAUSE = 2.0
"""Seconds after an unconfirmed message in which requests go to the inbox at once."""

log = structlog.get_logger("notify.receipts")


class UnknownReader(NotifyError):
    """No receipts of this provider are configured."""


class NotStored(NotifyError):
    """Neither the broker nor the record has stored the receipts: the vendor must post again."""


class ReceiptInbox(Protocol):
    """Keeps messages while the broker is away; another part publishes them later."""

    def put(self, messages: Sequence[ReceiptMessage]) -> None:
        """
        Store messages in one transaction.

        Raises:
            StoreError: The record cannot be used; nothing was stored.
        """
        ...


class ReceiptIntake:
    """
    Stores the receipts of vendors' requests. Thread-safe.

    A request that `accept` returns for is stored by the broker or by the record. A request may be
    stored twice, as a vendor may post it twice: the receipt workers apply each receipt once.
    """

    def __init__(
        self,
        readers: Mapping[str, ReceiptReader],
        *,
        publisher: Publisher,
        inbox: ReceiptInbox,
        metrics: IntakeMetrics,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Wire an intake.

        Args:
            readers: By the provider's name.
            publisher: Its confirms must be quick: a vendor waits for the answer.
            clock: Returns the time of arrival.
            monotonic: Seconds that never go back.
        """
        self._readers = readers
        self._publisher = publisher
        self._inbox = inbox
        self._metrics = metrics
        self._clock = clock
        self._monotonic = monotonic
        self._broker_away_until = 0.0
        self._forgeries, self._losses = Reminder(monotonic), Reminder(monotonic)

    def accept(self, provider: str, posted: Posted) -> int:
        """
        Verify, read and store one request; return the number of its receipts.

        Raises:
            UnknownReader: The provider is not configured.
            Forged: The vendor did not make the request.
            Unreadable: The vendor made it, in a format that is not known.
            Unverified: It cannot be verified or acted on now.
            NotStored: Broker and record are both away.
        """
        report = self._read(provider, posted)
        self._keep(provider, report)
        return len(report.receipts)

    def accept_all(self, provider: str, requests: Sequence[Posted], /) -> list[Exception | None]:
        """
        Verify, read and store requests; their receipts share AMQP messages, and one confirm.

        Returns:
            For each request, in order: None, or what `accept` would raise for it.
        """
        reports = [self._tried(provider, each) for each in requests]
        read = [each for each in reports if isinstance(each, Report)]
        error: Exception | None = None
        try:
            if read:
                self._keep(provider, Report.joined(read))
        except NotStored as not_stored:
            error = not_stored
        return [error if isinstance(each, Report) else each for each in reports]

    def _tried(self, provider: str, posted: Posted) -> Report | Exception:
        try:
            return self._read(provider, posted)
        except Exception as error:  # noqa: BLE001 - an unexpected one is its own request's answer
            return error

    def _reader(self, provider: str) -> ReceiptReader:
        reader = self._readers.get(provider)
        if reader is None:
            raise UnknownReader("there are no receipts of this name")
        return reader

    def _keep(self, provider: str, report: Report) -> None:
        received_at = self._clock()
        self.store(provider, report.receipts, received_at=received_at)
        self._metrics.stored(provider, report, received_at=received_at)

    def store(
        self,
        provider: str,
        receipts: Sequence[DeliveryReceipt],
        *,
        received_at: datetime | None = None,
    ) -> None:
        """
        Store receipts that need no verification.

        Args:
            received_at: The time of arrival; the present if None.

        Raises:
            NotStored: Broker and record are both away.
        """
        at = received_at or self._clock()
        self._store(list(ReceiptMessage.split(receipts, provider=provider, received_at=at)))

    def _read(self, provider: str, posted: Posted) -> Report:
        reader = self._reader(provider)
        try:
            return self._verified(provider, reader, posted)
        except Unverified as error:
            log.warning("notify.receipts_unverified", provider=provider, reason=str(error))
            raise

    def _verified(self, provider: str, reader: ReceiptReader, posted: Posted) -> Report:
        try:
            reader.verify(posted)
        except Forged as error:
            self._metrics.forged(provider)
            count = self._forgeries.due(provider)
            if count:
                log.warning(
                    "notify.receipts_forged", provider=provider, count=count, reason=str(error)
                )
            raise
        try:
            report = reader.read(posted)
        except Unreadable as error:
            self._metrics.unreadable(provider)
            log.error("notify.receipts_unreadable", provider=provider, reason=str(error))
            raise
        if report.unreadable:
            log.error("notify.receipts_unreadable", provider=provider, count=report.unreadable)
        return report

    def _store(self, messages: Sequence[ReceiptMessage]) -> None:
        left = messages
        if messages and self._monotonic() >= self._broker_away_until:
            left = self._publish(messages)
        if not left:
            return
        try:
            self._inbox.put(left)
        except StoreError as error:
            count = self._losses.due("")
            if count:
                log.error("notify.receipts_not_stored", count=count, reason=str(error))
            raise NotStored("neither the broker nor the record is up; post it again") from None
        self._metrics.in_inbox(len(left))

    def _publish(self, messages: Sequence[ReceiptMessage]) -> Sequence[ReceiptMessage]:
        """Publish messages; return those that the broker has not confirmed."""
        result = PublishResult.publish(messages, self._publisher, outgoing=outgoing)
        if result.error is not None:
            self._broker_away_until = self._monotonic() + BROKER_PAUSE
            log.warning("notify.receipts_to_inbox", reason=str(result.error))
        return result.unconfirmed


def outgoing(message: ReceiptMessage) -> Outgoing:
    """Return the AMQP message of receipts, for the receipt workers."""
    return Outgoing(
        body=message.model_dump_json().encode(),
        routing_key=message.routing_key,
        message_id=str(uuid4()),
        exchange=RECEIPTS,
    )
