"""Publishing the producer's outbox in order; a row is deleted once it is confirmed."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import DateTime, Engine, Row, Table, delete, func, or_, select, update
from sqlalchemy.exc import SQLAlchemyError

from notify.errors import PublishError
from notify.publisher import Outgoing, Publisher, PublishResult

PERIOD = 0.5
"""Seconds between two reads of the table while it is empty."""
PAUSE = 1.0
"""Seconds until the next attempt if broker or database is away; an attempt takes some itself."""
HOLD = timedelta(seconds=30)
"""Length of a lease: how long a relay may take to publish a batch, and a dead one delays it."""
LONGEST_HOLD = timedelta(minutes=10)
"""
The longest lease: relays take over a row that is leased for longer, since it was leased before the
database's clock was set back.
"""
BATCH_SIZE = 256

# The producer's own logging.
log = logging.getLogger("notify.outbox")


class OutboxRelay:
    """
    Publishes requests that producers have committed. Any number of relays share the work.

    The engine must be the producer's database, PostgreSQL or SQLite. Leases use its clock, so hosts
    with different clocks share the work too.
    """

    def __init__(
        self,
        engine: Engine,
        table: Table,
        publisher: Publisher,
        *,
        hold: timedelta = HOLD,
        clock: Callable[[], datetime] | None = None,
    ) -> None:
        """
        Prepare a relay; it connects later.

        Args:
            engine: The producer's database.
            table: The outbox.
            publisher: The publisher of the requests.
            hold: The length of a lease, at most `LONGEST_HOLD`.
            clock: Replaces the database's clock.

        Raises:
            ValueError: *hold* is not positive, or longer than `LONGEST_HOLD`.
        """
        if not timedelta() < hold <= LONGEST_HOLD:
            raise ValueError(f"hold must be above 0 and at most {LONGEST_HOLD}, not {hold}")
        self._engine = engine
        self._table = table
        self._publisher = publisher
        self._hold = hold
        self._clock = clock
        self._limit = BATCH_SIZE

    def run(self, stop: threading.Event) -> None:
        """Publish until *stop* is set; broker or database may be away for any time."""
        pause = 0.0
        while not stop.wait(pause):
            try:
                pause = 0.0 if self.relay() else PERIOD
            except PublishError as error:
                log.warning("outbox waits for the broker: %s", error)
                pause = PAUSE
            except SQLAlchemyError as error:
                # Its text could show a request.
                log.warning("outbox waits for the database: %s", type(error).__name__)
                pause = PAUSE

    def relay(self) -> int:
        """
        Publish one batch in the order of writing; return how many were confirmed and deleted.

        Raises:
            PublishError: The broker confirmed none; the text says why. They are tried again.
            SQLAlchemyError: The database cannot be used. Requests that were published are published
                again later, under the same ids.
        """
        rows = self._take()
        if not rows:
            return 0
        result = PublishResult.publish(rows, self._publisher, outgoing=_outgoing)
        self._settle([row.id for row in result.confirmed], [row.id for row in result.unconfirmed])
        if result.error is not None and not result.confirmed:
            raise result.error
        return len(result.confirmed)

    def _take(self) -> Sequence[Row[Any]]:
        columns, now = self._table.c, self._now()
        free = (columns.held_until.is_(None), columns.held_until <= now)
        chosen = (
            select(columns.id)
            .where(or_(*free, columns.held_until > now + LONGEST_HOLD))
            .order_by(columns.id)
            .limit(self._limit)
            .with_for_update(skip_locked=True)
            .cte("chosen")
        )
        taken = (
            update(self._table)
            .where(columns.id.in_(select(chosen.c.id)))
            .values(held_until=now + self._hold)
            # Without the time, which drivers cannot read in every DateStyle.
            .returning(*(column for column in columns if column is not columns.held_until))
        )
        with self._engine.begin() as connection:
            return sorted(connection.execute(taken).all(), key=lambda row: int(row.id))

    def _now(self) -> Any:
        """Return the database's time, or the expression for it."""
        if self._clock is not None:
            return self._clock()
        if self._engine.dialect.name == "postgresql":
            return func.clock_timestamp(type_=DateTime(timezone=True))
        # A SQLite database is on this host.
        return datetime.now(UTC)

    def _settle(self, done: Sequence[int], failed: Sequence[int]) -> None:
        """
        Delete confirmed rows, and release the others.

        The broker closes the channel on a message whose key the user may not publish with, so the
        rest of its batch fails too. After a batch without a confirm the next ones are single rows,
        and a row that fails alone stays leased, so that the others pass.
        """
        columns = self._table.c
        alone = self._limit == 1
        self._limit = BATCH_SIZE if done else 1
        with self._engine.begin() as connection:
            if done:
                connection.execute(delete(self._table).where(columns.id.in_(done)))
            if failed and not alone:
                connection.execute(
                    update(self._table).where(columns.id.in_(failed)).values(held_until=None)
                )


def _outgoing(row: Row[Any]) -> Outgoing:
    return Outgoing(
        body=row.body.encode(),
        routing_key=row.routing_key,
        message_id=row.message_id,
        headers={"traceparent": row.traceparent} if row.traceparent else {},
    )
