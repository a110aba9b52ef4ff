"""Celery's consumer, changed to receive plain JSON in batches and to settle each message alone.

Celery expects its own protocol: unchanged, it crashes on a message with unexpected headers, and
acknowledges, and so loses, one that it cannot decode. Here no part of a message is read before it
is in a batch. The code uses internals of Celery 5.7 and kombu 5.7;
`tests/integration/test_worker.py` fails if they change.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from functools import partial
from random import Random
from typing import Any

import structlog
from celery.exceptions import WorkerShutdown
from celery.worker import consumer, loops
from celery.worker.state import maybe_shutdown
from vine import promise

from notify.arrival import Arrival, Decision
from notify.publisher import why
from notify.worker.intake import Intake
from notify.worker.loop_state import LoopState
from notify.worker.pause import Pause, Phase
from notify.worker.received import Batch, Received, TaskMessage
from notify.worker.settling import Settling
from notify.worker.steering import Steering
from notify.worker.step_queue import StepQueue

TASK = "notify.deliver"
STEER = 0.5
"""Seconds between two adjustments of each queue's prefetch."""
LONGEST_WAIT = 5
"""The most seconds between two tries to reach the broker: first 1, then 1 more each time."""
TURN = 0.25
"""Seconds until an idle loop notices a signal: Python resumes a poll that a signal interrupts."""

log = structlog.get_logger("notify.consumer")


class Consumer(consumer.Consumer):
    """
    Collects a queue's messages while all its claimers are busy, and submits a batch as soon as one
    is idle. It consumes as many messages of each queue as can be sent soon.

    Everything here runs in the worker's event loop. Other threads post steps to it.
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
        prefetch: Callable[[str], int],
        hurry: Callable[[], None],
        state: LoopState,
        stop_timeout: float,
        linger: float = 0.0,
        **kwargs: Any,
    ) -> None:
        """
        Make a consumer with Celery's arguments and seven more.

        Args:
            ready: Called when consumption has started, also after each reconnection.
            probe: Returns, in any thread, whether the record can be written.
            prefetch: Returns at once a queue's most unacknowledged messages, 0 for none.
            hurry: Called when a warm shutdown starts, to defer messages that would wait.
            state: The event loop's state, which this consumer writes.
            stop_timeout: Seconds that a warm shutdown waits for unacknowledged messages.
            linger: Seconds that a message waits for others of its batch at most.
        """
        super().__init__(*args, **kwargs)
        self._when_ready = ready
        self._hurry = hurry
        self._state = state
        self._stop_timeout = stop_timeout
        self._steps = StepQueue(lambda: self.hub.call_soon(self._work_soon))
        # The hub keeps its promises in a set, so each of these is scheduled at most once at a time.
        self._flush_soon = promise(self._flush)
        self._work_soon = promise(self._work)
        queues = self.app.amqp.queues.consume_from
        self._intakes = {name: Intake(name, linger=linger) for name in queues}
        # Celery itself consumes nothing: each queue is consumed with its own prefetch.
        self.app.amqp.queues.deselect(list(self._intakes))
        self._steering = Steering(
            self._intakes.values(),
            prefetch=prefetch,
            consuming=lambda: self._pause.phase is Phase.OPEN and not self._pause.stopped,
            consume=self._consume,
            cancel=self.cancel_task_queue,
        )
        self._settling = Settling(
            state,
            later=lambda seconds, step: self.hub.call_later(seconds, step),
            flush=self._flush,
            errors=(*self.connection_errors, *self.channel_errors),
        )
        self._pause = Pause(
            probe=probe,
            post=self._steps.post,
            consume=lambda _: self._steer(),
            flush=self._flush,
            buffered=lambda: sum(len(each.buffer) for each in self._intakes.values()),
            rng=Random(),  # noqa: S311 - it spreads the probes and guards nothing
        )

    def on_ready(self) -> None:
        """Start to consume."""
        super().on_ready()
        self._state.connected = True
        self._steer()
        self._when_ready()

    def register_with_event_loop(self, hub: Any) -> None:
        """Turn the loop several times a second, so that it soon notices a signal to stop."""
        super().register_with_event_loop(hub)
        hub.call_repeatedly(TURN, self._turn)
        # Posted, since a timer discards the error of a channel that the broker closed, and the
        # channel has no consumers then. Raised in the loop, the error makes Celery reconnect.
        hub.call_repeatedly(STEER, self._steps.post, self._steer)

    def ensure_connected(self, connection: Any) -> Any:
        """Connect, however long the broker is away; the watchdog is reset while it waits."""

        def away(error: Exception, interval: float) -> None:
            log.warning("notify.broker_away", reason=why(error), next_try_seconds=interval)

        def waiting() -> None:
            maybe_shutdown()
            self._turn()

        return connection.ensure_connection(
            away,
            None,
            interval_start=1,
            interval_step=1,
            interval_max=LONGEST_WAIT,
            callback=waiting,
        )

    def create_task_handler(self, **_: Any) -> Callable[[Any], None]:
        """Return the handler of each message; called at each connection."""
        self.hub.call_soon(self._work_soon)
        return self._receive

    def loop(self, _: Any, connection: Any, task_consumer: Any, *rest: Any) -> None:
        """Run Celery's event loop; at a warm shutdown, drain the in-flight messages."""
        try:
            loops.asynloop(self, connection, task_consumer, *rest)
        except WorkerShutdown:
            self._drain(connection, task_consumer)
            raise

    def on_close(self) -> None:
        """Drop the messages of a lost connection: the broker delivers them again."""
        self._state.connected = False
        for intake in self._intakes.values():
            intake.forget()
            self.app.amqp.queues.deselect(intake.name)
        super().on_close()

    def _turn(self) -> None:
        intakes = self._intakes.values()
        self._state.consuming = [intake.name for intake in intakes if intake.prefetch]
        self._state.unacknowledged = self._unacknowledged()
        self._state.paused = self._pause.phase is not Phase.OPEN
        self._state.turn()

    def _receive(self, message: Any) -> None:
        name, _, _ = message.delivery_info["consumer_tag"].rpartition("/")
        self._intakes[name].admit(Received(message))
        self.hub.call_soon(self._flush_soon)

    def _work(self) -> None:
        self._steps.run_all()
        self._settling.acknowledge_all()

    def _steer(self) -> None:
        if self.task_consumer is not None:
            self._steering.steer()

    def _consume(self, queue: str, prefetch: int) -> None:
        # The prefetch applies to all consumers that the channel starts from here on.
        self.task_consumer.channel.basic_qos(0, prefetch, False)
        self.add_task_queue(queue)

    def _flush(self) -> None:
        if self._pause.phase is Phase.PAUSED:
            if self._pause.overdue:
                for intake in self._intakes.values():
                    self._settling.requeue_all(intake)
            return
        for intake in self._intakes.values():
            for batch in intake.batches():
                self._submit(intake, batch)
            if wait := intake.wake_after():
                self.hub.call_later(wait, self._flush)

    def _submit(self, intake: Intake, batch: Sequence[Received]) -> None:
        arrivals = [
            Arrival(each.incoming(), partial(self._decided, intake, each), each.raw)
            for each in batch
        ]
        if (latest := arrivals[-1].incoming.published_at) is not None:
            self._state.taken[intake.name] = latest.timestamp()
        argument = Batch(
            arrivals, lambda worked: self._steps.post(partial(self._batch_started, intake, worked))
        )
        self.strategies[TASK](TaskMessage(TASK, argument), None, _nothing, _nothing, ())

    def _batch_started(self, intake: Intake, worked: bool) -> None:
        intake.claimer_idle()
        self._pause.claimed(worked=worked)
        if worked:
            self._steering.unclog(intake)
        self._flush()

    def _decided(self, intake: Intake, received: Received, decision: Decision) -> None:
        self._steps.post(partial(self._settling.settle, intake, received, decision))

    def _drain(self, connection: Any, task_consumer: Any) -> None:
        """Cancel the consumers, and wait until every message is settled."""
        end = time.monotonic() + self._stop_timeout
        self._state.stopping = True
        self._pause.stop()
        self._hurry()
        try:
            task_consumer.cancel()
            while self._unacknowledged() and time.monotonic() < end:
                self._turn()
                self._flush()
                self._work()
                connection.heartbeat_check()
                self._steps.run_next(timeout=0.5)
            self._work()
        except (*self.connection_errors, *self.channel_errors) as error:
            log.warning("notify.stop_without_broker", error_kind=type(error).__name__)
        if left := self._unacknowledged():
            log.warning("notify.stop_unfinished", unacknowledged=left)

    def _unacknowledged(self) -> int:
        return sum(intake.unacknowledged for intake in self._intakes.values())


def _nothing(*_: Any) -> None:
    """Replace Celery's acknowledgement of a task: messages are settled one by one."""
