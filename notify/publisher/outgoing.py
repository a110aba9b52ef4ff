"""A message to publish, and its state until it is settled."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from opentelemetry.trace import Tracer

from notify.errors import PublishError
from notify.telemetry.tracing import carrying, published, publishing
from notify.topology import EXCHANGE

_PROMPT = 0.01


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to publish. It may be published again with the same id."""

    body: bytes
    routing_key: str
    message_id: str
    exchange: str = EXCHANGE
    headers: Mapping[str, Any] = field(default_factory=dict)
    """Application headers; the broker's own, such as `x-death`, are left out."""
    content_type: str = "application/json"
    mandatory: bool = True
    """Whether it is an error if no queue is bound for its key."""


class InFlight:
    """
    A message from the call of the publisher until it is settled.

    Attributes:
        message: The message.
        deadline: When its caller stops waiting, by the publisher's clock.
        settled: Whether it is confirmed, or known to be not.
        error: Why it is not confirmed; valid once it is settled.
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
        """Settle the message once; an earlier error, such as a return, stays."""
        if not self.settled:
            self.error = self.error or error
            self.settled = True
            if self._span is not None:
                published(self._span, error=self.error)


def promptly(
    source: Iterator[Outgoing], room: int, *, clock: Callable[[], float]
) -> Iterator[Outgoing]:
    """Yield at most *room* messages, and none after the first that the source delays."""
    until = clock() + _PROMPT
    for message in itertools.islice(source, room):
        yield message
        if clock() > until:
            return
