"""Requests of one key that arrive while others are at work, handled together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from notify.web.api.operation import ApiAnswer, ApiCall, Together

LARGEST_GROUP = 64
"""Requests of one group."""
AT_WORK = 2
"""Groups of one key at work at once: one is checked while the other waits for its confirm."""

Ends = Sequence[ApiAnswer | Exception]


@dataclass(frozen=True, slots=True, eq=False)
class _WaitingCall:
    call: ApiCall
    end: asyncio.Future[ApiAnswer | Exception]


@dataclass(slots=True)
class _Queue:
    """The requests of one key that wait for a thread, and its groups at work."""

    waiting: deque[_WaitingCall] = field(default_factory=deque)
    at_work: int = 0


class CallGroups:
    """
    Handles a lone request at once, and together those that arrive while others are at work.

    A thread and a confirm for each request cost more than its check. A group has requests of one
    key, so that no source waits for another. For the event loop only.
    """

    def __init__(self, together: Together, *, seconds: float, threads: CapacityLimiter) -> None:
        """
        Start without requests.

        Args:
            together: The handler, called in threads.
            seconds: Seconds until a request without an end is a `TimeoutError`.
            threads: The limit of threads.
        """
        self._together = together
        self._seconds = seconds
        self._threads = threads
        self._by_key: dict[int, _Queue] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    def fits(self, call: ApiCall) -> bool:
        """Return whether a request may be handled in a group."""
        return self._together.fits(call)

    async def answer(self, call: ApiCall) -> ApiAnswer:
        """
        Return the answer to a request.

        Raises:
            TimeoutError: The thread did not end in time; it goes on.
            Exception: The handler's error.
        """
        loop = asyncio.get_running_loop()
        item = _WaitingCall(call, loop.create_future())
        timer = loop.call_later(self._seconds, _expire, item)
        self._enqueue(call.key.id, item)
        try:
            end = await item.end
        finally:
            timer.cancel()
        if isinstance(end, Exception):
            raise end
        return end

    def _enqueue(self, key: int, item: _WaitingCall) -> None:
        queue = self._by_key.setdefault(key, _Queue())
        queue.waiting.append(item)
        # The first that waits starts a task, which takes all that arrive in this turn of the loop.
        if len(queue.waiting) == 1 and queue.at_work < AT_WORK:
            queue.at_work += 1
            task = asyncio.create_task(self._work(key, queue))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _work(self, key: int, queue: _Queue) -> None:
        """Handle the requests that wait, a group at a time, until none does."""
        try:
            while queue.waiting:
                if group := _next(queue.waiting):
                    await self._handle(group)
        finally:
            queue.at_work -= 1
            if not queue.at_work and not queue.waiting:
                self._by_key.pop(key, None)

    async def _handle(self, group: Sequence[_WaitingCall]) -> None:
        calls = [each.call for each in group]
        ends: Ends
        try:
            ends = await run_sync(
                self._together.handle, calls, abandon_on_cancel=True, limiter=self._threads
            )
        except Exception as error:  # noqa: BLE001 - it is the end of each request
            ends = [error] * len(group)
        for item, end in zip(group, ends, strict=True):
            if not item.end.done():
                item.end.set_result(end)


def _expire(item: _WaitingCall) -> None:
    if not item.end.done():
        item.end.set_result(TimeoutError())


def _next(waiting: deque[_WaitingCall]) -> list[_WaitingCall]:
    """Return the next group; empty if the time of all that wait is over."""
    group: list[_WaitingCall] = []
    while waiting and len(group) < LARGEST_GROUP:
        item = waiting.popleft()
        if not item.end.done():
            group.append(item)
    return group
