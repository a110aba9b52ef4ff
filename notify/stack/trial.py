"""Publish the samples to a running stack, and observe how each ends."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

from sqlalchemy import Connection

from notify.keyring import CLEAR, Keyring
from notify.message import Status
from notify.publisher import Outgoing, Publisher
from notify.stack.endpoints import Endpoints
from notify.stack.samples import Sample
from notify.store import Filter, Store
from notify.store.deadletters import LetterFilter, find_letters
from notify.store.suppression import SuppressionFilter, count_entries

_LETTERS = 1000
"""The newest dead letters, which include those of a run."""


@dataclass(slots=True)
class Run:
    """One sample in this run, and its state so far."""

    sample: Sample
    message_id: UUID = field(default_factory=uuid4)
    counts: dict[Status, int] = field(default_factory=dict)
    dead: bool = False
    suppressed: bool = False
    published: bool = False

    @property
    def as_expected(self) -> bool:
        """Whether it has ended as its file expects."""
        expected = self.sample.expect
        return (
            self.published
            and self.counts == expected.counts
            and self.dead == expected.dead
            and self.suppressed >= expected.suppressed
        )


class Trial:
    """
    The samples in a running stack, as a context.

    Attributes:
        runs: Each sample and its state, in the order of publishing.
        store: The stack's record.
    """

    def __init__(
        self, samples: Iterable[Sample], *, endpoints: Endpoints, keyring: Keyring = CLEAR
    ) -> None:
        """Prepare to publish `samples` to the stack at `endpoints`, sealed with `keyring`."""
        self.runs = [Run(sample) for sample in samples]
        self.store = Store.open(endpoints.database, keyring=keyring)
        self._amqp = endpoints.amqp

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.store.close()

    @property
    def as_expected(self) -> bool:
        """Whether every sample has ended as its file expects."""
        return all(run.as_expected for run in self.runs)

    def publish(self) -> None:
        """
        Publish every sample whose turn it is, and wait for the broker's confirms.

        Raises:
            PublishError: The broker did not accept one of them.
        """
        ended = {run.sample.name for run in self.runs if run.as_expected}
        due = [
            run
            for run in self.runs
            if not run.published and (run.sample.after is None or run.sample.after in ended)
        ]
        if not due:
            return
        with Publisher(self._amqp) as publisher:
            for run in due:
                run.published = True
                publisher.publish(
                    Outgoing(
                        body=run.sample.body(run.message_id),
                        routing_key=run.sample.routing_key,
                        message_id=str(run.message_id),
                    )
                )

    def observe(self, *, seconds: float) -> None:
        """Wait for a number of seconds, update every run from the record, and publish others."""
        time.sleep(seconds)
        with self.store.reading() as connection:
            letters = find_letters(connection, LetterFilter(), limit=_LETTERS)
            for run in self.runs:
                if run.published and run.sample.expect.suppressed:
                    run.suppressed = _is_suppressed(connection, run.sample)
        dead = {letter.message_id for letter in letters}
        for run in self.runs:
            run.dead = str(run.message_id) in dead
            if not run.as_expected:
                run.counts = self._counts(run)
        self.publish()

    def _counts(self, run: Run) -> dict[Status, int]:
        if run.sample.batch:
            return self.store.count(Filter(batch_id=run.message_id))
        story = self.store.get(run.message_id)
        return {story.status: 1} if story else {}


def _is_suppressed(connection: Connection, sample: Sample) -> bool:
    to = (sample.publish or {}).get("to")
    if not isinstance(to, str):
        return False
    entries = SuppressionFilter(channel=sample.channel, recipient=to)
    return count_entries(connection, entries, now=datetime.now(UTC)) > 0
