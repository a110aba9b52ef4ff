"""The health of the web process: ready while broker or record can store a receipt."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest

from notify.store import Store
from notify.store.relays import InboxEntry, add_to_inbox
from notify.topology import RECEIPTS, Depth, QueueWatch
from notify.web import WebHealth
from notify.web.health import HUNG
from notify.web.receipts.health import IntakeBackends


class _Queues(QueueWatch):
    """A broker that is up or not."""

    def __init__(self) -> None:
        super().__init__([RECEIPTS], connect=lambda: None)
        self.up = True

    def depths(self) -> Mapping[str, Depth | None]:
        """Return the depth of the queue, or fail as a connection does."""
        if not self.up:
            raise OSError("away")
        return {RECEIPTS: Depth(ready=7, consumers=1)}


class _Rig:
    """Health with its parts."""

    def __init__(self, store: Store) -> None:
        self.queues, self.seconds, self.beats = _Queues(), 0.0, 0
        self.backends = IntakeBackends(queues=self.queues, store=store)
        self.health = WebHealth(
            self.backends,
            alive=self._beat,
            watchdog=30,
            monotonic=lambda: self.seconds,
        )

    def _beat(self) -> None:
        self.beats += 1


@pytest.fixture
def rig(store: Store) -> _Rig:
    """Health of a process with an SQLite record."""
    return _Rig(store)


def test_it_is_ready_while_one_of_both_is_up(rig: _Rig, store: Store) -> None:
    """Each stores receipts without the other."""
    assert rig.health.unready() == "broker_and_record_away"
    rig.health.check()
    assert (rig.health.unready(), rig.health.remark(), rig.backends.ready_messages) == (
        None,
        None,
        7,
    )
    rig.queues.up = False
    with store.writing() as connection:
        add_to_inbox(connection, [InboxEntry("a.b", b"x")], received_at=datetime.now(UTC))
    rig.health.check()
    assert (rig.health.unready(), rig.backends.ready_messages) == (None, None)
    assert rig.health.remark() == "broker_away: 1 messages in the inbox"
    rig.queues.up = True
    with store.writing() as connection:
        connection.exec_driver_sql("ALTER TABLE receipt_inbox RENAME TO elsewhere")
    rig.health.check()
    assert (rig.health.unready(), rig.health.remark()) == (None, "record_away")
    rig.queues.up = False
    rig.health.check()
    assert rig.health.line() == "broker_and_record_away"


def test_a_stop_and_a_hanging_loop_are_not_ready(rig: _Rig) -> None:
    """The balancer must not send requests here."""
    rig.health.check()
    rig.seconds = HUNG
    assert (rig.health.alive(), rig.health.unready()) == (False, "loop_hangs")
    rig.health.turn()
    assert rig.health.unready() is None
    rig.health.stopping = True
    assert rig.health.unready() == "stopping"


def test_the_watchdog_hears_three_beats_within_its_time(rig: _Rig) -> None:
    """One may be late, and one lost."""
    for tenth in range(300):
        rig.seconds = tenth / 10
        rig.health.turn()
    assert rig.beats == 3
