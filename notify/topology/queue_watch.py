"""Reading queue depths repeatedly, over one connection that is opened again when it is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress

import amqp

from notify.topology.broker import Depth, depths


class QueueWatch:
    """Reads the depths of some queues. For one thread at a time; connects at the first read."""

    def __init__(self, names: Iterable[str], *, connect: Callable[[], amqp.Connection]) -> None:
        self._names = tuple(names)
        self._connect = connect
        self._connection: amqp.Connection | None = None

    def depths(self) -> Mapping[str, Depth | None]:
        """
        Return each queue's depth; None for a queue that is missing. Needs no right on the broker.

        Raises:
            Exception: Whatever `connect` raises.
            OSError, amqp.AMQPError: The connection was lost. The next call connects again.
        """
        if self._connection is None:
            self._connection = self._connect()
        try:
            return depths(self._names, self._connection)
        except (OSError, amqp.AMQPError):
            self.close()
            raise

    def close(self) -> None:
        """Close the connection, if there is one."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(OSError, amqp.AMQPError):
                connection.close()
