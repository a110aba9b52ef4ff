"""Celery's consumer, taught to take plain JSON messages in batches and settle each on its own.

Celery expects its own protocol: stock, it dies of a message with odd headers and acknowledges,
so loses, one it cannot decode. Here nothing of a message is looked at before it is a batch's.
It reaches into Celery 5.7 and kombu 5.7; `tests/integration/test_worker.py` holds it to them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from random import Random
from typing import Any

import structlog
from celery.exceptions import WorkerShutdown
from celery.worker import consumer, loops
from celery.worker.state import maybe_shutdown
from vine import promise

from notify.delivery import Again, Arrival, Dead, Decision, Done
from notify.publisher import why
from notify.worker.intake import Intake
from notify.worker.loop_state import LoopState
from notify.worker.pause import Pause, Phase
from notify.worker.received import Batch, Received, TaskMessage

TASK = "notify.deliver"
STEER = 0.5
"""Seconds between two looks at how much of each queue to have in hand."""
LONGEST_WAIT = 5
"""Seconds between two tries to reach a broker that is away: at first one, then one more each."""
GLANCE = 0.25
"""Seconds until an idle loop notices a signal: Python resumes its poll after one."""

log = structlog.get_logger("notify.consumer")


class Consumer(consumer.Consumer):
    """
    Collects messages while all claimers of their queue are busy and hands over at once when one
    is idle. Of each queue it has as many in hand as can be sent soon.

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
        appetite: Callable[[str], int],
        hurry: Callable[[], None],
        vitals: LoopState,
        stop_timeout: float,
        **kwargs: Any,
    ) -> None:
        """
        Take Celery's own arguments and six of ours.

        Args:
            ready: Called whenever consumption has begun, after a reconnection too.
            probe: Tells, from any thread, whether the record can be written.
            appetite: Tells at once how many messages of a queue to have in hand, 0 for none.
            hurry: Called when a warm shutdown begins, so that nothing in hand waits for its turn.
            vitals: Where to note that the loop turns, and what it has in hand.
            stop_timeout: Seconds that a warm shutdown waits for what is in hand.
        """
        super().__init__(*args, **kwargs)
        self._when_ready = ready
        self._hurry = hurry
        self._vitals = vitals
        self._stop_timeout = stop_timeout
        self._appetite = appetite
        self._inbox: SimpleQueue[Callable[[], None]] = SimpleQueue()
        # The hub keeps what is due in a set: one promise each is due at most once at a time.
        self._flush_soon = promise(self._flush)
        self._work_soon = promise(self._work)
        self._intakes = {name: Intake(name) for name in self.app.amqp.queues.consume_from}
        # Celery consumes nothing by itself: each queue is consumed for as many as are wanted.
        self.app.amqp.queues.deselect(list(self._intakes))
        self._pause = Pause(
            probe=probe,
            post=self._post,
            consume=lambda _: self._steer(),
            flush=self._flush,
            in_hand=lambda: sum(len(each.waiting) for each in self._intakes.values()),
            rng=Random(),  # noqa: S311 - it spreads the probes and guards nothing
        )

    def on_ready(self) -> None:
        """Tell that consumption has begun."""
        super().on_ready()
        self._vitals.connected = True
        self._steer()
        self._when_ready()

    def register_with_event_loop(self, hub: Any) -> None:
        """Keep the loop turning and noticed, so that it soon sees that it is told to stop."""
        super().register_with_event_loop(hub)
        hub.call_repeatedly(GLANCE, self._turn)
        # Posted, since a timer keeps to itself that the broker has closed the channel, which
        # then has no consumers: out of the loop, it makes Celery connect anew.
        hub.call_repeatedly(STEER, self._post, self._steer)

    def ensure_connected(self, connection: Any) -> Any:
        """Connect, however long the broker is away: no loop turns meanwhile, and none hangs."""

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
        self._vitals.connected = False
        for intake in self._intakes.values():
            intake.forget()
            self.app.amqp.queues.deselect(intake.name)
        super().on_close()

    def _turn(self) -> None:
        intakes = self._intakes.values()
        self._vitals.consuming = [intake.name for intake in intakes if intake.prefetch]
        self._vitals.in_hand = self._in_hand()
        self._vitals.paused = self._pause.phase is not Phase.OPEN
        self._vitals.turn()

    def _take(self, message: Any) -> None:
        name, _, _ = message.delivery_info["consumer_tag"].rpartition("/")
        self._intakes[name].admit(Received(message))
        self.hub.call_soon(self._flush_soon)

    def _steer(self) -> None:
        """Consume each queue for as many messages as are wanted by now."""
        if self.task_consumer is None:
            return
        consuming = self._pause.phase is Phase.OPEN and not self._pause.stopped
        for intake in self._intakes.values():
            prefetch = intake.next_prefetch(self._appetite(intake.name) if consuming else 0)
            if prefetch != intake.prefetch:
                self._consume(intake, prefetch)

    def _unclog(self, intake: Intake) -> None:
        """Go on consuming where messages set aside use up the prefetch (docs/adr/0012)."""
        if intake.clogged and self._pause.phase is Phase.OPEN and not self._pause.stopped:
            self._consume(intake, intake.new_prefetch(self._appetite(intake.name)))

    def _consume(self, intake: Intake, prefetch: int) -> None:
        before = intake.prefetch
        if before:
            self.cancel_task_queue(intake.name)
        # From here on messages come by the new consumer, if there is one.
        intake.begin(prefetch)
        if prefetch:
            # It holds for the consumers that begin from here on.
            self.task_consumer.channel.basic_qos(0, prefetch, False)
            self.add_task_queue(intake.name)
        stopped_or_begun = prefetch == 0 or before == 0
        tell = log.info if stopped_or_begun else log.debug
        tell("notify.consuming", queue=intake.name, prefetch=prefetch, before=before)

    def _flush(self) -> None:
        if self._pause.phase is Phase.PAUSED:
            if self._pause.overdue:
                self._give_back()
            return
        for intake in self._intakes.values():
            for batch in intake.batches():
                self._hand_over(intake, batch)

    def _hand_over(self, intake: Intake, batch: Sequence[Received]) -> None:
        arrivals = [
            Arrival(
                each.incoming(),
                partial(self._decided, intake, each),
                each.raw,
            )
            for each in batch
        ]
        latest = arrivals[-1].incoming.published_at
        if latest is not None:
            self._vitals.taken[intake.name] = latest.timestamp()
        argument = Batch(arrivals, lambda worked: self._post(partial(self._begun, intake, worked)))
        self.strategies[TASK](TaskMessage(TASK, argument), None, _nothing, _nothing, ())

    def _begun(self, intake: Intake, worked: bool) -> None:
        intake.begun()
        self._pause.claimed(worked=worked)
        if worked:
            self._unclog(intake)
        self._flush()

    def _decided(self, intake: Intake, received: Received, decision: Decision) -> None:
        self._post(partial(self._settle, intake, received, decision))

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

    def _settle(self, intake: Intake, received: Received, decision: Decision) -> None:
        if received.settled:
            return
        match decision:
            case Again(after=after):
                # Not counted as in hand: a stop need not wait for it, the broker has it still.
                intake.set_aside(received)
                self.hub.call_later(after, self._look_again, intake, received)
            case Done():
                self._answer(intake, received.acknowledge)
            case Dead():
                self._answer(intake, received.reject)

    def _answer(self, intake: Intake, settle: Callable[[], None]) -> None:
        intake.in_hand -= 1
        self._vitals.settled += 1
        try:
            settle()
        except (*self.connection_errors, *self.channel_errors):
            # The connection it came by is gone. The broker delivers it again, and the record
            # knows how it ended.
            log.info("notify.settled_late", queue=intake.name)

    def _give_back(self) -> None:
        for intake in self._intakes.values():
            while intake.waiting:
                self._answer(intake, intake.waiting.popleft().give_back)

    def _look_again(self, intake: Intake, received: Received) -> None:
        intake.take_up(received)
        self._flush()

    def _drain(self, connection: Any, task_consumer: Any) -> None:
        """Take no more, and finish what is in hand."""
        end = time.monotonic() + self._stop_timeout
        self._vitals.stopping = True
        self._pause.stop()
        self._hurry()
        errors = (*self.connection_errors, *self.channel_errors)
        try:
            task_consumer.cancel()
            while self._in_hand() and time.monotonic() < end:
                self._turn()
                self._flush()
                self._work()
                connection.heartbeat_check()
                with suppress(Empty):
                    self._inbox.get(timeout=0.5)()
        except errors as error:
            log.warning("notify.stop_without_broker", error_kind=type(error).__name__)
        if in_hand := self._in_hand():
            log.warning("notify.stop_unfinished", in_hand=in_hand)

    def _in_hand(self) -> int:
        return sum(intake.in_hand for intake in self._intakes.values())


def _nothing(*_: Any) -> None:
    """Stand where Celery would acknowledge the task: messages are settled one by one."""
