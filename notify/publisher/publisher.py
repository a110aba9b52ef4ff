"""The publisher: many threads, one connection, and every wait bounded."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, Self

from notify.errors import ConfigError, PublishError, Unconfirmed
from notify.publisher.connection import FAILURES, why
from notify.publisher.dialer import Dialer
from notify.publisher.link import Link
from notify.publisher.outgoing import InFlight, Outgoing, promptly
from notify.telemetry.tracing import publisher_tracer

_ALARM = "the broker has a memory or disk alarm and accepts no messages"
_FRESH = 0.5
CLOSE_WAIT = 1.0
"""Seconds that `close` waits for a thread that is publishing, so that a stop stays in its time."""


class Publisher:
    """
    Publishes messages; when a call returns normally, the broker has stored the message.

    Safe to share between threads: one waiting thread leads and does the network's work for all, so
    that messages of several threads are sent and confirmed together, without a background thread.
    A process that forks may use it on both sides. It connects at the first use and when needed.
    """

    def __init__(
        self,
        url: str,
        *,
        timeout: float = 5.0,
        window: int = 256,
        heartbeat: int = 60,
        ssl: Mapping[str, Any] | bool = False,
        user_id: str | None = None,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """
        Prepare a publisher; it connects later.

        Args:
            url: The broker, `pyamqp://user:password@host:port/vhost`.
            timeout: Seconds in which the broker must confirm a message, including connecting.
            window: The most unconfirmed messages at a time, of all threads together.
            heartbeat: Seconds after which either side closes an unused connection; the next
                message opens another one.
            ssl: TLS options of py-amqp, or True for its strict defaults.
            user_id: The login's name, stamped on every message if consumers require it; the
                broker refuses any other name.
            clock: Seconds that never go back.
            sleep: Waits for seconds between two attempts to connect.
        """
        self._dialer = Dialer(
            partial(Link, url, timeout=timeout, heartbeat=heartbeat, ssl=ssl, user_id=user_id),
            clock=clock,
            sleep=sleep,
            rng=random.Random(),  # noqa: S311 - it spreads a fleet's attempts and guards nothing
        )
        self._tracer = publisher_tracer()
        self._timeout = timeout
        self._window = window
        self._idle_limit = heartbeat or float("inf")
        self._clock = clock
        self._link: Link | None = None
        self._used_at = 0.0
        self._closed = False
        self._begin()

    def publish(self, message: Outgoing) -> None:
        """
        Publish one message and return once the broker has stored it.

        Raises:
            Unroutable: No queue is bound for its key; it was not stored.
            Unconfirmed: Refused, or not confirmed in time. It may have arrived: publish it again
                with the same id.
            PublishError: It cannot be encoded as AMQP, or the publisher is closed.
        """
        entry = self._enqueue([message])[0]
        self._await(entry)
        if entry.error is not None:
            raise entry.error

    def publish_many(self, messages: Iterable[Outgoing]) -> Iterator[PublishError | None]:
        """
        Publish messages as they come, a window at a time, and yield each one's error, in order.

        None means that the broker has stored it. Errors are yielded, not raised, so one bad message
        does not stop the others. Messages are read from the iterable only as the window has room,
        so it may be endless; if it is slow, a message waits at most until the next one is made. A
        caller that stops early leaves up to a window of messages of unknown outcome.
        """
        source = iter(messages)
        mine: deque[InFlight] = deque()
        try:
            while True:
                room = self._window - len(mine)
                more = self._enqueue(promptly(source, room, clock=self._clock))
                mine.extend(more)
                if not mine:
                    return
                # At the end, one wait for all messages is cheaper than one for each.
                self._await(mine[-1 if room and not more and not mine[-1].settled else 0])
                while mine and mine[0].settled:
                    yield mine.popleft().error
        finally:
            self._settle_unconfirmed(mine, "its caller stopped")

    def close(self) -> None:
        """
        Disconnect, within about a second; no call may follow.

        Messages that other threads are publishing end as unconfirmed.
        """
        with self._turn:
            self._closed = True
            self._turn.wait_for(lambda: not self._has_leader, min(self._timeout, CLOSE_WAIT))
            link, self._link = self._link, None
            lost = [*(link.close() if link else ()), *self._pending]
            self._settle_unconfirmed(lost, "the publisher was closed")
            self._pending.clear()
            self._turn.notify_all()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self) -> None:
        """Set up the state of one process: after a fork the parent's locks may be held."""
        self._pid = os.getpid()
        self._turn = threading.Condition()
        self._has_leader = False
        self._waiting = 0
        self._pending: deque[InFlight] = deque()

    def _enqueue(self, messages: Iterable[Outgoing]) -> list[InFlight]:
        if self._pid != os.getpid():
            link, self._link = self._link, None
            if link is not None:
                link.forget()
            self._begin()
        batch = list(messages)
        with self._turn:
            deadline = self._clock() + self._timeout
            entries = [
                InFlight(message, deadline=deadline, tracer=self._tracer) for message in batch
            ]
            if self._closed:
                self._settle_unconfirmed(entries, "the publisher is closed")
            else:
                self._pending.extend(entries)
        return entries

    def _await(self, entry: InFlight) -> None:
        """Wait until the entry is settled; settle it as unconfirmed at its deadline."""
        deadline = self._clock() + self._timeout
        if not self._must_lead(entry, deadline):
            return
        try:
            while not entry.settled:
                self._lead(entry, deadline)
        finally:
            with self._turn:
                self._has_leader = False
                self._used_at = self._clock()
                self._turn.notify_all()

    def _must_lead(self, entry: InFlight, deadline: float) -> bool:
        """Wait while another thread leads; return True if this thread must lead."""
        with self._turn:
            self._waiting += 1
            try:
                while not entry.settled:
                    if not self._has_leader:
                        self._has_leader = True
                        return True
                    self._turn.wait(deadline - self._clock())
                    if self._clock() >= deadline:
                        self._settle_unconfirmed([entry], "no confirm in time")
                return False
            finally:
                self._waiting -= 1

    def _lead(self, entry: InFlight, deadline: float) -> None:
        """Write and read for all threads until the entry is settled or the link fails."""
        try:
            link = self._live_link(deadline)
            while not entry.settled:
                self._exchange(link, entry, deadline)
        except ConfigError as error:
            self._fail(str(error), until=float("inf"))
        except FAILURES as error:
            self._fail(why(error), until=self._clock())
        except BaseException:
            self._fail("the publishing thread was interrupted", until=self._clock())
            raise

    def _exchange(self, link: Link, entry: InFlight, deadline: float) -> None:
        while self._pending and len(link.in_flight) < self._window:
            one = self._pending.popleft()
            if not one.settled:
                link.post(one)
        link.flush()
        if entry.settled:
            return
        remaining = deadline - self._clock()
        if remaining <= 0:
            raise TimeoutError
        link.receive(remaining)
        if self._waiting:
            with self._turn:
                self._turn.notify_all()

    def _live_link(self, deadline: float) -> Link:
        """Return a live link; connect if needed, with retries until the deadline."""
        link = self._link
        if link is None or not (link.in_flight or self._alive(link)):
            link = self._link = None
            link = self._link = self._dialer.connect(deadline)
        return link

    def _alive(self, link: Link) -> bool:
        """Return whether an unused link is open: without a thread, no heartbeat was answered."""
        idle = self._clock() - self._used_at
        if idle > self._idle_limit:
            link.close()
            return False
        try:
            if idle > _FRESH:
                link.probe()
        except FAILURES:
            link.sever()
            return False
        return True

    def _fail(self, reason: str, *, until: float) -> None:
        """Drop the link; its messages, and those past their deadline, are unconfirmed."""
        link, self._link = self._link, None
        if link is not None:
            self._settle_unconfirmed(link.sever(), _ALARM if link.alarm else reason)
        while self._pending and self._pending[0].deadline <= until:
            self._settle_unconfirmed([self._pending.popleft()], reason)

    def _settle_unconfirmed(self, entries: Iterable[InFlight], reason: str) -> None:
        for entry in entries:
            message_id = entry.message.message_id
            text = f"message {message_id} not confirmed: {reason}; publish it again"
            entry.settle(Unconfirmed(text, message_id=message_id))
