"""Celery's consumer, taught to take plain JSON messages in batches and settle each on its own.

Celery expects its own protocol: stock, it dies of a message with odd headers and acknowledges,
so loses, one it cannot decode. Here nothing of a message is looked at before it is a batch's.
It reaches into Celery 5.7 and kombu 5.7; `tests/integration/test_worker.py` holds it to them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from random import Random
from typing import Any

import kombu
import structlog
from celery.app.amqp import AMQP
from celery.exceptions import WorkerShutdown
from celery.worker import consumer, loops
from vine import promise

from notify.delivery import Again, Arrival, Dead, Decision, Done
from notify.pause import Pause, Phase
from notify.received import Batch, Received, TaskMessage

TASK = "notify.deliver"
CLAIMERS = 2
"""Batches at work at once: while one waits for its commit, the other is prepared."""
LARGEST_BATCH = 64
GLANCE = 0.25
"""Seconds until an idle loop notices a signal: Python resumes its poll after one."""

log = structlog.get_logger("notify.consumer")


class RawConsumer(kombu.Consumer):
    """Hands messages over as they came: nothing is decompressed, decoded or raised."""

    def revive(self, channel: Any) -> None:
        """Take a channel, and keep it from decoding bodies by what their sender claims."""
        super().revive(channel)
        self.channel.auto_decode = False

    def _receive_callback(self, message: Any) -> None:
        self.on_message(message)


class RawAMQP(AMQP):
    """Celery's AMQP objects, with the raw consumer."""

    Consumer = RawConsumer


class Consumer(consumer.Consumer):
    """
    Collects messages while all claimers are busy and hands over at once when one is idle.

    Everything here runs in the worker's event loop, but for `_post`, which other threads use
    to have something run there.
    """

    class Blueprint(consumer.Consumer.Blueprint):
        """Celery's steps without those that declare queues or talk to other workers."""

        default_steps = (
            "celery.worker.consumer.connection:Connection",
            "celery.worker.consumer.events:Events",
            "celery.worker.consumer.tasks:Tasks",
            "celery.worker.consumer.consumer:Evloop",
        )

    def __init__(
        self,
        *args: Any,
        ready: Callable[[], None],
        probe: Callable[[], bool],
        stop_timeout: float,
        **kwargs: Any,
    ) -> None:
        """
        Take Celery's own arguments and three of ours.

        Args:
            ready: Called whenever consumption has begun, after a reconnection too.
            probe: Tells, from any thread, whether the record can be written.
            stop_timeout: Seconds that a warm shutdown waits for what is in hand.
        """
        super().__init__(*args, **kwargs)
        self._when_ready = ready
        self._stop_timeout = stop_timeout
        self._buffer: deque[Received] = deque()
        self._claimers = 0
        self._in_hand = 0
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        # The hub keeps what is due in a set: one promise each is due at most once at a time.
        self._flush_soon = promise(self._flush)
        self._work_soon = promise(self._work)
        self._names = list(self.app.amqp.queues.consume_from)
        self._pause = Pause(
            probe=probe,
            post=self._post,
            consume=self._consume,
            flush=self._flush,
            in_hand=lambda: len(self._buffer),
            rng=Random(),  # noqa: S311 - it spreads the probes and guards nothing
        )

    def on_ready(self) -> None:
        """Tell that consumption has begun."""
        super().on_ready()
        self._when_ready()

    def register_with_event_loop(self, hub: Any) -> None:
        """Keep the loop turning, so that it soon sees that it is told to stop."""
        super().register_with_event_loop(hub)
        hub.call_repeatedly(GLANCE, _nothing)

    def create_task_handler(self, **_: Any) -> Callable[[Any], None]:
        """Give what takes each message; called at each connection."""
        self.hub.call_soon(self._work_soon)
        return self._take

    def loop(self, _: Any, connection: Any, task_consumer: Any, *rest: Any) -> None:
        """Run Celery's event loop; at a warm shutdown, finish what is in hand."""
        try:
            loops.asynloop(self, connection, task_consumer, *rest)
        except WorkerShutdown:
            self._drain(connection, task_consumer)
            raise

    def on_close(self) -> None:
        """Forget what a lost connection had delivered: the broker delivers it again."""
        self._in_hand -= len(self._buffer)
        self._buffer.clear()
        super().on_close()

    def _take(self, message: Any) -> None:
        self._in_hand += 1
        self._buffer.append(Received(message))
        self.hub.call_soon(self._flush_soon)

    def _consume(self, on: bool) -> None:
        """Begin or end to consume; Celery keeps to it over a reconnection."""
        queues = self.app.amqp.queues
        for name in self._names if on else ():
            # All first: if the connection is lost meanwhile, the next one consumes from all.
            queues.select_add(queues[name])
        switch = self.add_task_queue if on else self.cancel_task_queue
        for name in self._names:
            switch(name)

    def _flush(self) -> None:
        if self._pause.phase is Phase.PAUSED:
            if self._pause.overdue:
                self._give_back()
            return
        while self._buffer and self._claimers < CLAIMERS:
            size = min(len(self._buffer), LARGEST_BATCH)
            batch = [self._buffer.popleft() for _ in range(size)]
            self._claimers += 1
            self._hand_over(batch)

    def _hand_over(self, batch: list[Received]) -> None:
        arrivals = [
            Arrival(each.incoming(), partial(self._decided, each), each.raw) for each in batch
        ]
        argument = Batch(arrivals, lambda worked: self._post(partial(self._begun, worked)))
        self.strategies[TASK](TaskMessage(TASK, argument), None, _nothing, _nothing, ())

    def _begun(self, worked: bool) -> None:
        self._claimers -= 1
        self._pause.claimed(worked=worked)
        self._flush()

    def _decided(self, received: Received, decision: Decision) -> None:
        self._post(partial(self._settle, received, decision))

    def _post(self, step: Callable[[], None]) -> None:
        self._inbox.put(step)
        self.hub.call_soon(self._work_soon)

    def _work(self) -> None:
        while True:
            try:
                step = self._inbox.get_nowait()
            except Empty:
                return
            step()

    def _settle(self, received: Received, decision: Decision) -> None:
        if received.settled:
            return
        match decision:
            case Again(after=after):
                # Not counted as in hand: a stop need not wait for it, the broker has it still.
                self._in_hand -= 1
                self.hub.call_later(after, self._look_again, received)
            case Done():
                self._answer(received, received.acknowledge)
            case Dead():
                self._answer(received, received.reject)

    def _answer(self, received: Received, settle: Callable[[], None]) -> None:
        self._in_hand -= 1
        try:
            settle()
        except (*self.connection_errors, *self.channel_errors):
            # The connection it came by is gone. The broker delivers it again, and the record
            # knows how it ended.
            log.info("notify.settled_late", delivery_tag=received.tag)

    def _give_back(self) -> None:
        while self._buffer:
            received = self._buffer.popleft()
            self._answer(received, received.give_back)

    def _look_again(self, received: Received) -> None:
        if received.alive:
            self._in_hand += 1
            self._buffer.append(received)
            self._flush()

    def _drain(self, connection: Any, task_consumer: Any) -> None:
        """Take no more, and finish what is in hand."""
        end = time.monotonic() + self._stop_timeout
        self._pause.stop()
        errors = (*self.connection_errors, *self.channel_errors)
        try:
            task_consumer.cancel()
            while self._in_hand and time.monotonic() < end:
                self._flush()
                self._work()
                connection.heartbeat_check()
                with suppress(Empty):
                    self._inbox.get(timeout=0.5)()
        except errors as error:
            log.warning("notify.stop_without_broker", error_kind=type(error).__name__)
        if self._in_hand:
            log.warning("notify.stop_unfinished", in_hand=self._in_hand)


def _nothing(*_: Any) -> None:
    """Stand where Celery would acknowledge the task: messages are settled one by one."""
