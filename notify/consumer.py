"""Celery's consumer, taught to take plain JSON messages in batches and settle each on its own.

Celery expects its own protocol: stock, it dies of a message with odd headers and acknowledges,
so loses, one it cannot decode. Here nothing of a message is looked at before it is a batch's.
It reaches into Celery 5.7 and kombu 5.7; `tests/integration/test_worker.py` holds it to them.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from queue import Empty, SimpleQueue
from typing import Any
from uuid import uuid4

import kombu
import structlog
from celery.app.amqp import AMQP
from celery.exceptions import WorkerShutdown
from celery.worker import consumer, loops
from vine import promise

from notify.contract import Incoming
from notify.delivery import Again, Arrival, Dead, Decision, Done

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


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """Messages that are delivered together, and whom to tell when all their calls have begun."""

    arrivals: list[Arrival]
    begun: Callable[[], None]


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
        self, *args: Any, ready: Callable[[], None], stop_timeout: float, **kwargs: Any
    ) -> None:
        """
        Take Celery's own arguments and two of ours.

        Args:
            ready: Called whenever consumption has begun, after a reconnection too.
            stop_timeout: Seconds that a warm shutdown waits for what is in hand.
        """
        super().__init__(*args, **kwargs)
        self._when_ready = ready
        self._stop_timeout = stop_timeout
        self._buffer: deque[_Received] = deque()
        self._claimers = 0
        self._in_hand = 0
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        # The hub keeps what is due in a set: one promise each is due at most once at a time.
        self._flush_soon = promise(self._flush)
        self._work_soon = promise(self._work)

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
        self._buffer.append(_Received(message))
        self.hub.call_soon(self._flush_soon)

    def _flush(self) -> None:
        while self._buffer and self._claimers < CLAIMERS:
            size = min(len(self._buffer), LARGEST_BATCH)
            batch = [self._buffer.popleft() for _ in range(size)]
            self._claimers += 1
            self._hand_over(batch)

    def _hand_over(self, batch: list[_Received]) -> None:
        arrivals = [
            Arrival(received.incoming(), partial(self._decided, received)) for received in batch
        ]
        message = _TaskMessage(Batch(arrivals, partial(self._post, self._begun)))
        self.strategies[TASK](message, None, _nothing, _nothing, ())

    def _begun(self) -> None:
        self._claimers -= 1
        self._flush()

    def _decided(self, received: _Received, decision: Decision) -> None:
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

    def _settle(self, received: _Received, decision: Decision) -> None:
        if received.settled:
            return
        match decision:
            case Again(after=after):
                # Not counted as in hand: a stop need not wait for it, the broker has it still.
                self._in_hand -= 1
                self.hub.call_later(after, self._look_again, received)
                return
            case Done():
                settle = received.acknowledge
            case Dead():
                settle = received.reject
        received.settled = True
        self._in_hand -= 1
        try:
            settle()
        except (*self.connection_errors, *self.channel_errors):
            # The connection it came by is gone. The broker delivers it again, and the record
            # knows how it ended.
            log.info("notify.settled_late", delivery_tag=received.tag)

    def _look_again(self, received: _Received) -> None:
        if received.alive:
            self._in_hand += 1
            self._buffer.append(received)
            self._flush()

    def _drain(self, connection: Any, task_consumer: Any) -> None:
        """Take no more, and finish what is in hand."""
        end = time.monotonic() + self._stop_timeout
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


class _Received:
    """One message as the broker delivered it."""

    __slots__ = ("_message", "settled", "tag")

    def __init__(self, message: Any) -> None:
        self._message = message
        self.tag: int = message.delivery_info["delivery_tag"]
        self.settled = False

    @property
    def alive(self) -> bool:
        """Whether the channel it came by is open: if not, the broker delivers it again."""
        return bool(self._message.channel.is_open)

    def incoming(self) -> Incoming:
        """Give what the contract looks at. Headers count only as far as they are text."""
        message = self._message
        properties: Mapping[str, Any] = message.properties
        headers = properties.get("application_headers") or {}
        body = message.body
        return Incoming(
            body=body.encode() if isinstance(body, str) else bytes(body),
            routing_key=message.delivery_info["routing_key"],
            content_type=properties.get("content_type"),
            content_encoding=properties.get("content_encoding"),
            message_id=properties.get("message_id"),
            user_id=properties.get("user_id"),
            traceparent=_text(headers.get("traceparent")),
        )

    def acknowledge(self) -> None:
        self._message.channel.basic_ack(self.tag)

    def reject(self) -> None:
        self._message.channel.basic_reject(self.tag, requeue=False)


class _TaskMessage:
    """What Celery takes for the message of one task; its argument never leaves the process."""

    content_type = None
    content_encoding = None

    def __init__(self, batch: Batch) -> None:
        self.headers = {"id": str(uuid4()), "task": TASK}
        self.body: tuple[Any, ...] = ((batch,), {}, None)
        self.payload = self.body
        self.properties: dict[str, Any] = {}
        self.delivery_info: dict[str, Any] = {}


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None


def _nothing(*_: Any) -> None:
    """Stand where Celery would acknowledge the task: messages are settled one by one."""
