"""The backends of the API: RabbitMQ, without which nothing is accepted, and the record."""

from __future__ import annotations

from notify.apikeys import KeyDirectory
from notify.errors import ConfigError, StoreError
from notify.publisher import FAILURES
from notify.store import Store
from notify.topology import QueueWatch


class ApiBackends:
    """
    Checks broker and record in `check`; the other methods use its results.

    Attributes:
        broker_up: Whether the broker answered the last check.
        record_up: Whether the record answered the last check.
    """

    def __init__(self, *, queues: QueueWatch, store: Store, keys: KeyDirectory) -> None:
        """Start with both away; *queues* watches any queue."""
        self._queues = queues
        self._store = store
        self._keys = keys
        self.broker_up = self.record_up = False

    def check(self) -> None:
        """Check broker and record once; needs some seconds if one of them does not answer."""
        try:
            with self._store.reading() as connection:
                connection.exec_driver_sql("SELECT 1")
        except StoreError:
            self.record_up = False
        else:
            self.record_up = True
        try:
            self._queues.depths()
        except (*FAILURES, ConfigError):
            self.broker_up = False
        else:
            self.broker_up = True

    def trouble(self) -> str | None:
        """Return the reason why no notification can be accepted, as one word; None if it can."""
        if not self._keys.loaded:
            return "keys_unread"
        return None if self.broker_up else "broker_away"

    def remark(self) -> str | None:
        """Return that the record is away: keys are old, and idempotency keys are refused."""
        return None if self.record_up else "record_away"

    def summary(self) -> str:
        """Return what `systemctl status` shows."""
        return "ready"
