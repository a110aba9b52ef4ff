"""The lanes of an overview: what waits in each, how fast it moves, and why it does not."""

from __future__ import annotations

from dataclasses import dataclass

from notify.message import Channel, Status
from notify.status.overview import Overview
from notify.topology import Depth, queue_name


@dataclass(frozen=True, slots=True, kw_only=True)
class LaneStatus:
    """
    One queue with the notifications of its lane; None where a number is not known.

    Attributes:
        waiting: Messages in the queue that no worker has taken.
        consumers: Its consumers.
        oldest: Seconds since the oldest that is queued or sending was received.
        arriving: Messages a second that come to the queue.
        leaving: Notifications a second that are sent.
        drain: Seconds until the queue is empty, if nothing more arrives.
        sending: Notifications in a call.
        deferred: Notifications that wait in the record for their time.
        paused: Why its workers do not consume it.
    """

    channel: Channel
    lane: str
    waiting: int | None
    consumers: int | None
    oldest: float | None
    arriving: float | None
    leaving: float | None
    drain: float | None
    sending: int
    deferred: int
    paused: str | None

    @property
    def queue(self) -> str:
        """The queue's name."""
        return queue_name(self.channel, self.lane)

    @property
    def stuck(self) -> bool:
        """Whether messages wait that no worker consumes, and no override explains it."""
        return bool(self.waiting) and not self.consumers and self.paused is None


def lanes_of(overview: Overview) -> list[LaneStatus]:
    """Return the lanes of the configured channels, the one with the oldest message first."""
    found = [
        _lane(overview, channel, lane)
        for channel in overview.settings.channels
        for lane in overview.settings.lanes
    ]
    return sorted(found, key=lambda each: (-(each.oldest or 0), -(each.waiting or 0)))


def _lane(overview: Overview, channel: Channel, lane: str) -> LaneStatus:
    name = queue_name(channel, lane)
    depth: Depth | None = (overview.queues or {}).get(name)
    lines = overview.ledger.ledger.lines if overview.ledger else ()
    line = next((each for each in lines if (each.channel, each.lane) == (channel, lane)), None)
    counts = line.in_flight if line else {}
    leaving = overview.record.pace.get(name, 0.0) if overview.record else None
    growth = overview.growth.get(name)
    oldest = line.oldest if line else None
    return LaneStatus(
        channel=channel,
        lane=lane,
        waiting=depth.ready if depth else None,
        consumers=depth.consumers if depth else None,
        oldest=(overview.at - oldest).total_seconds() if oldest else None,
        arriving=None if growth is None or leaving is None else max(0.0, growth + leaving),
        leaving=leaving,
        drain=overview.drain.get(name),
        sending=counts.get(Status.SENDING, 0),
        deferred=counts.get(Status.QUEUED, 0) + counts.get(Status.SCHEDULED, 0),
        paused=overview.paused.get(name),
    )
