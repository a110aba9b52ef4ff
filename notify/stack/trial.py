"""Publish the samples to a running stack, and observe how each ends."""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from uuid import UUID, uuid4

from notify.message import Status
from notify.publisher import Outgoing, Publisher
from notify.stack.samples import Sample
from notify.stack.state import Endpoints
from notify.store import Filter, Store
from notify.store.deadletters import LetterFilter, find_letters

_LETTERS = 1000
"""The newest dead letters, which include those of a run."""


@dataclass(slots=True)
class Run:
    """One sample in this run, and its state so far."""

    sample: Sample
    message_id: UUID = field(default_factory=uuid4)
    counts: dict[Status, int] = field(default_factory=dict)
    dead: bool = False

    @property
    def as_expected(self) -> bool:
        """Whether it has ended as its file expects."""
        return self.counts == self.sample.expect.counts and self.dead == self.sample.expect.dead


class Trial:
    """
    The samples in a running stack, as a context.

    Attributes:
        runs: Each sample and its state, in the order of publishing.
        store: The stack's record.
    """

    def __init__(self, samples: Iterable[Sample], *, endpoints: Endpoints) -> None:
        """Prepare to publish `samples` to the stack at `endpoints`."""
        self.runs = [Run(sample) for sample in samples]
        self.store = Store.open(endpoints.database)
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
        Publish every sample and wait for the broker's confirms.

        Raises:
            PublishError: The broker did not accept one of them.
        """
        with Publisher(self._amqp) as publisher:
            for run in self.runs:
                publisher.publish(
                    Outgoing(
                        body=run.sample.body(run.message_id),
                        routing_key=run.sample.routing_key,
                        message_id=str(run.message_id),
                    )
                )

    def observe(self, *, seconds: float) -> None:
        """Wait for a number of seconds, and update every run from the record."""
        time.sleep(seconds)
        with self.store.reading() as connection:
            letters = find_letters(connection, LetterFilter(), limit=_LETTERS)
        dead = {letter.message_id for letter in letters}
        for run in self.runs:
            run.dead = str(run.message_id) in dead
            if not run.as_expected:
                run.counts = self._counts(run)

    def _counts(self, run: Run) -> dict[Status, int]:
        if run.sample.batch:
            return self.store.count(Filter(batch_id=run.message_id))
        story = self.store.get(run.message_id)
        return {story.status: 1} if story else {}
