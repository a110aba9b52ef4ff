"""The backends of the intake: broker and record, each of which can store a receipt."""

from __future__ import annotations

from notify.errors import ConfigError, StoreError
from notify.publisher import FAILURES
from notify.store import Store
from notify.store.relays import count_inbox
from notify.topology import RECEIPTS, QueueWatch


class IntakeBackends:
    """
    Checks broker and record in `check`; the other methods use its results.

    Attributes:
        broker_up: Whether the broker answered the last check.
        record_up: Whether the record answered the last check.
        inbox: Messages that wait in the inbox for the broker.
        ready_messages: Messages in the queue of receipts; None if that is not known.
    """

    def __init__(self, *, queues: QueueWatch, store: Store) -> None:
        """Start with both away; *queues* watches the queue of receipts."""
        self._queues = queues
        self._store = store
        self.broker_up = self.record_up = False
        self.inbox = 0
        self.ready_messages: int | None = None

    def check(self) -> None:
        """Check broker and record once; needs some seconds if one of them does not answer."""
        self.record_up = self._record_answers()
        try:
            depth = self._queues.depths()[RECEIPTS]
        except (*FAILURES, ConfigError):
            self.broker_up, self.ready_messages = False, None
        else:
            self.broker_up = True
            self.ready_messages = depth.ready if depth else None

    def trouble(self) -> str | None:
        """Return the reason why no receipt can be stored now, as one word; None if it can."""
        return None if self.broker_up or self.record_up else "broker_and_record_away"

    def remark(self) -> str | None:
        """Return which of both is away; None if neither is."""
        if not self.broker_up:
            return f"broker_away: {self.inbox} messages in the inbox"
        return None if self.record_up else "record_away"

    def summary(self) -> str:
        """Return what `systemctl status` shows."""
        return f"ready, {self.inbox} messages in the inbox"

    def _record_answers(self) -> bool:
        try:
            with self._store.reading() as connection:
                self.inbox = count_inbox(connection)
        except StoreError:
            return False
        return True
