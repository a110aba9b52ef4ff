"""A message on its way to the broker, and what became of it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from opentelemetry.trace import Tracer

from notify.errors import PublishError
from notify.telemetry.tracing import carrying, published, publishing
from notify.topology import EXCHANGE

_PATIENCE = 0.01


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish. The same message may be published again with the same id."""

    body: bytes
    routing_key: str
    message_id: str
    exchange: str = EXCHANGE
    headers: Mapping[str, Any] = field(default_factory=dict)
    """Application headers; those the broker keeps for itself, such as `x-death`, are left out."""
    content_type: str = "application/json"
    mandatory: bool = True
    """Whether it is an error that no queue is bound for its key."""


class InFlight:
    """
    A message in the publisher's hands until it is settled.

    Attributes:
        message: What to publish.
        deadline: Until when its caller wants to wait, on the publisher's clock.
        settled: Whether its fate is known.
        error: Why it was not confirmed; of meaning once it is settled.
    """

    __slots__ = ("_span", "deadline", "error", "message", "settled")

    def __init__(self, message: Outgoing, *, deadline: float, tracer: Tracer | None = None) -> None:
        headers, key = message.headers, message.routing_key
        self._span = publishing(tracer, headers, key) if tracer is not None else None
        if self._span is not None:
            message = replace(message, headers=carrying(message.headers, self._span))
        self.message = message
        self.deadline = deadline
        self.settled = False
        self.error: PublishError | None = None

    def settle(self, error: PublishError | None = None) -> None:
        """Fix the message's fate, once: what was decided first, such as a return, stays."""
        if not self.settled:
            self.error = self.error or error
            self.settled = True
            if self._span is not None:
                published(self._span, error=self.error)


def promptly(
    source: Iterator[Outgoing], room: int, *, clock: Callable[[], float]
) -> Iterator[Outgoing]:
    """Yield up to `room` messages while they come fast; the first slow one is the last."""
    until = clock() + _PATIENCE
    for message in itertools.islice(source, room):
        yield message
        if clock() > until:
            return
