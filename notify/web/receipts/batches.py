"""Requests that arrive while others are at work, passed to the intake together."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from anyio import CapacityLimiter
from anyio.to_thread import run_sync

from notify.receipt import Posted

LARGEST_BATCH = 64
"""Requests of one batch."""
BATCH_BYTES = 256 * 1024
"""Bytes of a batch's bodies, unless one request alone has more: its confirm must be quick."""
LINGER = 0.005
"""Seconds between two batches of one provider, in which further requests arrive."""

Outcomes = Sequence[Exception | None]
"""For each request of a batch, in order: None if its receipts are stored."""


class AcceptsReceipts(Protocol):
    """The intake behind the application; `notify.receipts.ReceiptIntake` is one."""

    def accept_all(self, provider: str, requests: Sequence[Posted], /) -> Outcomes:
        """Verify and store requests, as `ReceiptIntake.accept_all` does."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class _Waiting:
    posted: Posted
    outcome: asyncio.Future[Exception | None]


class RequestBatches:
    """
    Passes a lone request on at once, and together those that arrive while it is at work.

    A thread, an AMQP message and a confirm for each request cost more than its signature. A batch
    has requests of one provider, and each provider has one batch at work, so that no vendor waits
    for the key of another. For the event loop only.
    """

    def __init__(self, intake: AcceptsReceipts, *, working: int) -> None:
        """
        Start without requests.

        Args:
            intake: Called in threads.
            working: The most threads.
        """
        self._intake = intake
        self._threads = CapacityLimiter(working)
        # By provider, while it has a batch at work: a name is the client's choice.
        self._waiting: dict[str, deque[_Waiting]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def accept(self, provider: str, posted: Posted) -> Exception | None:
        """Return None once the request's receipts are stored, else the intake's error."""
        item = _Waiting(posted, asyncio.get_running_loop().create_future())
        if provider in self._waiting:
            self._waiting[provider].append(item)
        else:
            self._waiting[provider] = deque([item])
            task = asyncio.create_task(self._work(provider))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        return await item.outcome

    async def _work(self, provider: str) -> None:
        """Pass on the requests that wait, a batch at a time, until none does."""
        waiting = self._waiting[provider]
        try:
            while waiting:
                if batch := _next(waiting):
                    await self._pass_on(provider, batch)
                if waiting:
                    await asyncio.sleep(LINGER)
        finally:
            del self._waiting[provider]

    async def _pass_on(self, provider: str, batch: Sequence[_Waiting]) -> None:
        requests = [each.posted for each in batch]
        outcomes: Outcomes
        try:
            outcomes = await run_sync(
                self._intake.accept_all,
                provider,
                requests,
                # At its end the loop waits for no thread: what is stored late is posted again.
                abandon_on_cancel=True,
                limiter=self._threads,
            )
        except Exception as error:  # noqa: BLE001 - it is the answer of each request
            outcomes = [error] * len(batch)
        for item, outcome in zip(batch, outcomes, strict=True):
            if not item.outcome.done():
                item.outcome.set_result(outcome)


def _next(waiting: deque[_Waiting]) -> list[_Waiting]:
    """Return the next batch; empty if the time of all that wait is over."""
    batch: list[_Waiting] = []
    size = 0
    while waiting and len(batch) < LARGEST_BATCH:
        size += len(waiting[0].posted.body)
        if batch and size > BATCH_BYTES:
            break
        item = waiting.popleft()
        if not item.outcome.done():
            batch.append(item)
    return batch
