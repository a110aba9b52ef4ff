"""Delivering: check, admit, claim, call, record; then one decision a message."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime

import structlog

from notify.arrival import Again, Arrival
from notify.delivery.decoder import Decoder
from notify.delivery.dispatcher import Dispatcher
from notify.delivery.grouping import joined, permitted
from notify.delivery.lane import Lane
from notify.delivery.pacer import Pacer
from notify.delivery.plan import DeliveryItem, NoCall, Ready
from notify.delivery.planner import Planner
from notify.delivery.recorder import Recorder
from notify.errors import StoreError

LARGEST_CONTENT = 32 * 1024 * 1024
"""Characters of rendered content to claim at once: a thousand recipients may have large bodies."""

log = structlog.get_logger("notify.delivery")


class Delivery:
    """
    Delivers the messages of one channel in batches, and settles each on its own.

    Messages admitted together are claimed in one transaction. Each lane's threads make the calls
    in parallel, and one recorder writes all outcomes that have arrived: a slow call does not delay
    another message's record. Where a provider sends several messages in one request, those that are
    admitted together become one call. A claim is never larger than the lane's permits allow.
    """

    def __init__(
        self,
        *,
        decoder: Decoder,
        planner: Planner,
        pacer: Pacer,
        dispatcher: Dispatcher,
        recorder: Recorder,
        lanes: Mapping[str, Lane],
        clock: Callable[[], datetime],
    ) -> None:
        """
        Wire the parts; `start` starts the recorder.

        Args:
            lanes: By name. Messages of any other lane are delivered in the first of these.
        """
        self._decoder = decoder
        self._planner = planner
        self._pacer = pacer
        self._dispatcher = dispatcher
        self._recorder = recorder
        self._lanes = lanes
        self._clock = clock

    def start(self) -> None:
        """Start the recorder; call once before the first `deliver`."""
        self._recorder.start()

    def stop(self, *, timeout: float) -> None:
        """Finish the calls and records in flight; `deliver` must not be called any more."""
        for lane in self._lanes.values():
            lane.senders.shutdown()
        self._recorder.stop(timeout=timeout)

    def deliver(self, arrivals: Sequence[Arrival]) -> bool:
        """
        Start to deliver; returns when all calls have started, or the record cannot be used.

        Each arrival's `settle` is called once, when all that it requests is on record.

        Returns:
            Whether the record answered every claim. If not, each unclaimed message is `Again`.
        """
        try:
            now = self._clock()
        except StoreError:
            for arrival in arrivals:
                arrival.settle(Again())
            return False
        by_lane: dict[str, list[DeliveryItem]] = {}
        for arrival in arrivals:
            item = self._decoder.decode(arrival, now=now)
            if item is not None:
                by_lane.setdefault(item.notification.lane, []).append(item)
        worked = True
        for name, waiting in by_lane.items():
            worked = self._deliver(name, waiting) and worked
        return worked

    def hurry(self) -> None:
        """Finish soon: defer each message that must wait. `deliver` may still be called."""
        self._pacer.hurry()

    def in_flight(self) -> Mapping[str, int]:
        """Return the number of calls in flight, by lane."""
        return {name: lane.permits.calls for name, lane in self._lanes.items()}

    def record_answers(self) -> bool:
        """Return whether the record can be written; may take as long as a claim that fails."""
        return self._recorder.answers()

    def _deliver(self, name: str, waiting: list[DeliveryItem]) -> bool:
        lane = self._lanes.get(name) or next(iter(self._lanes.values()))
        while waiting:
            wanted = len(waiting) if lane.batch_size == 1 else min(len(waiting), lane.batch_size)
            permits = lane.permits.acquire(lane.permits_for(wanted))
            number = min(wanted, permits * lane.per_permit)
            more, worked = self._start_calls(lane, waiting[:number], permits)
            waiting[:number] = more
            if not worked:
                for item in waiting:
                    item.decide_all(Again())
                return False
        return True

    def _start_calls(
        self, lane: Lane, items: Sequence[DeliveryItem], permits: int
    ) -> tuple[list[DeliveryItem], bool]:
        """
        Admit and dispatch items, with acquired permits of the lane.

        Returns:
            The items to deliver next, and whether the record could be used.
        """
        now = self._clock()
        more: list[DeliveryItem] = []
        left = {id(item): item for item in _distinct(items)}
        try:
            plans, others = self._planned(left.values(), now=now)
            for item in others:
                more.append(left.pop(id(item)))
            for group in self._pacer.groups(plans, joined=lane.batch_size > 1):
                remaining = joined(group, most=lane.batch_size)
                while remaining:
                    permits = permits or lane.permits.acquire(len(remaining))
                    some = permitted(lane, remaining, permits)
                    del remaining[: len(some)]
                    for plan in some:
                        for part in plan.parts:
                            del left[id(part.item)]
                    follow_ups, used, store_ok = self._dispatcher.dispatch(lane, some)
                    more += follow_ups
                    permits -= used
                    if not store_ok:
                        return [*more, *left.values()], False
        except StoreError as error:
            log.error("notify.store_away", waiting=len(left), error=str(error))
            return [*more, *left.values()], False
        finally:
            lane.permits.release(permits)
        return more, True

    def _planned(
        self, items: Iterable[DeliveryItem], *, now: datetime
    ) -> tuple[list[NoCall | Ready], list[DeliveryItem]]:
        """Plan items until their content is `LARGEST_CONTENT` together; return the others too."""
        plans: list[NoCall | Ready] = []
        remaining = iter(items)
        size = 0
        for item in remaining:
            plan = self._planner.plan(item, now=now)
            plans.append(plan)
            # Content of the request itself is in memory once, however many recipients it has.
            if isinstance(plan, Ready) and item.notification.inline is None:
                size += len(plan.message.text) + len(plan.message.html)
                if size > LARGEST_CONTENT:
                    break
        return plans, [*remaining]


def _distinct(items: Sequence[DeliveryItem]) -> list[DeliveryItem]:
    """Return each notification once, as a claim requires; settle its duplicates as `Again`."""
    seen: set[object] = set()
    distinct = []
    for item in items:
        keys = {item.notification.identity, item.notification.key}
        if seen & keys:
            item.decide_all(Again())
            continue
        seen |= keys
        distinct.append(item)
    return distinct
