"""Post the later events of accepted messages, each when it is due."""

from __future__ import annotations

import threading
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from notify.sandbox.behaviour import ReceiptFault, Vendor
from notify.sandbox.inbox import Message
from notify.sandbox.posting.agenda import Agenda
from notify.sandbox.posting.composer import Composer
from notify.sandbox.posting.courier import Courier
from notify.sandbox.posting.post import PlannedEvent, WebhookPost
from notify.sandbox.posting.record import PostEntry, PostLedger
from notify.sandbox.posting.script import Step, StepKind, steps
from notify.sandbox.posting.sendgrid_events import MOST_EVENTS
from notify.sandbox.switch import Setting

MOST_WAITING = 100_000
"""The events that may wait; more are dropped and counted."""
_GATHER = 0.05
"""Seconds for which SendGrid's events wait for others of their batch."""
_REPEAT = 0.2
_THREADS = 3


class Poster:
    """
    Posts events in its own threads until it is stopped.

    Attributes:
        composer: Makes the requests.
        ledger: Records each event that was posted, and the answer.
        dropped: How many events were not posted because too many waited.

    Args:
        composer: Makes the requests.
        courier: Sends them.
        ledger: Records them.
        clock: The time, in UTC.
    """

    def __init__(
        self,
        composer: Composer,
        courier: Courier,
        ledger: PostLedger,
        clock: Callable[[], datetime],
    ) -> None:
        self.composer, self.ledger, self.dropped = composer, ledger, 0
        self._courier, self._clock = courier, clock
        self._batches: Agenda[PlannedEvent]
        self._batches = Agenda(most=MOST_WAITING, batch=MOST_EVENTS, gather=_GATHER)
        # A message's events are all of one agenda, and so of one thread: they keep their order.
        self._others = [
            Agenda[PlannedEvent | WebhookPost](most=MOST_WAITING // _THREADS)
            for _ in range(_THREADS)
        ]
        self._threads = [threading.Thread(target=self._post_batches, daemon=True)] + [
            threading.Thread(target=self._post_others, args=(each,), daemon=True)
            for each in self._others
        ]
        for thread in self._threads:
            thread.start()

    @property
    def waiting(self) -> int:
        """How many events and repeated posts wait, or are being posted."""
        return len(self._batches) + sum(map(len, self._others))

    def follow(self, messages: Iterable[Message], setting: Setting) -> None:
        """Plan the later events of accepted messages; with `EARLY`, post them before returning."""
        if setting.receipts is ReceiptFault.SILENT:
            return
        now = self._clock().timestamp()
        early: list[PlannedEvent] = []
        later: list[tuple[PlannedEvent, float]] = []
        for message in messages:
            for step, after in _planned(message, setting.receipts):
                event = PlannedEvent(message, step, setting.receipts, now + step.after)
                if setting.receipts is ReceiptFault.EARLY and step.kind is StepKind.EVENT:
                    early.append(event)
                else:
                    later.append((event, after + setting.receipt_delay))
        self._plan(later)
        self._post(self.composer.posts(early))

    def play(self, message: Message, step: Step) -> None:
        """Post one event of a message now."""
        self._plan([(PlannedEvent(message, step, at=self._clock().timestamp()), 0.0)])

    def stop(self) -> None:
        """Stop posting; what waits is dropped."""
        self._batches.close()
        for agenda in self._others:
            agenda.close()
        for thread in self._threads:
            thread.join(timeout=1)
        self._courier.close()
        self.ledger.close()

    def _plan(self, planned: Sequence[tuple[PlannedEvent, float]]) -> None:
        self.dropped += self._batches.add_all([each for each in planned if _batched(each[0])])
        for event, after in planned:
            if not _batched(event) and not self._other(event).add(event, after=after):
                self.dropped += 1

    def _post_batches(self) -> None:
        while events := self._batches.take():
            self._post(self.composer.posts(events))
            self._batches.done(len(events))

    def _other(self, event: PlannedEvent) -> Agenda[PlannedEvent | WebhookPost]:
        return self._others[zlib.crc32(event.message.id.encode()) % _THREADS]

    def _post_others(self, agenda: Agenda[PlannedEvent | WebhookPost]) -> None:
        while taken := agenda.take():
            for each in taken:
                posts = [each] if isinstance(each, WebhookPost) else self.composer.posts([each])
                self._post(posts)
            agenda.done(len(taken))

    def _post(self, posts: Iterable[WebhookPost]) -> None:
        for post in posts:
            answered = self._courier.send(post)
            tried = replace(post, tries=post.tries + 1)
            self.ledger.add(self._entries(tried, answered))
            wait = post.rule.wait(answered, tried.tries)
            if wait is None:
                self._repeat(post.events)
            elif not self._other(post.events[0]).add(tried, after=wait):
                self.dropped += len(post.events)

    def _repeat(self, events: Sequence[PlannedEvent]) -> None:
        for event in events:
            if event.fault is ReceiptFault.REPEATED and not event.repeat:
                self._plan([(replace(event, repeat=True), _REPEAT)])

    def _entries(self, post: WebhookPost, answered: int | str) -> list[PostEntry]:
        now = self._clock()
        return [
            PostEntry(
                at=now,
                vendor=event.message.vendor,
                account=event.message.account,
                event=event.step.word,
                answered=answered,
                tries=post.tries,
                recipient=event.message.to,
                notify_id=event.message.notify_id,
                attempt_id=event.message.attempt_id,
                provider_id=event.message.provider_id,
                fault=event.fault,
            )
            for event in post.events
        ]


def _batched(event: PlannedEvent) -> bool:
    return event.message.vendor is Vendor.SENDGRID and event.step.kind is StepKind.EVENT


def _planned(message: Message, fault: ReceiptFault | None) -> list[tuple[Step, float]]:
    """Return the steps and the seconds after which each is posted."""
    script = steps(message.vendor, message.behaviour)
    times = [step.after for step in script]
    events = [step for step in script if step.kind is StepKind.EVENT]
    if fault is ReceiptFault.REORDERED:
        rest = [step for step in script if step.kind is not StepKind.EVENT]
        script = (*reversed(events), *rest)
    return list(zip(script, times, strict=True))
