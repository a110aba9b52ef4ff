"""
Traces: the steps of a delivery, as spans of its producer's trace.

Steps are timed during the delivery, and the spans are created when it is on record. Without an
exporter a delivery costs a few calls that do nothing.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import Span, SpanKind, Status, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from notify.message import Notification

NAME = "notify"
"""The name of the instrumentation."""
LONGEST_FLUSH = 3.0
"""Seconds that a stop waits for the exporter."""
_NOTHING = nullcontext()
_W3C = TraceContextTextMapPropagator()

Value = str | int | float | bool


class Trace:
    """The steps of one delivery; this class records none, for when tracing is off."""

    __slots__ = ()

    def during(self, name: str) -> AbstractContextManager[None]:  # noqa: ARG002 - see RecordedTrace
        """Record a step from here to the end of the block."""
        return _NOTHING

    def note(self, name: str, began: int, ended: int) -> None:
        """Record a step, in nanoseconds since 1970."""

    def annotate(self, **attributes: Value | None) -> None:
        """Add attributes to the last step, except those that are None."""

    def ended(self, notification: Notification, status: str) -> None:
        """Create the spans: this delivery is on record, with this status."""


NO_TRACE = Trace()


@dataclass(slots=True)
class _Step:
    name: str
    began: int
    ended: int
    attributes: Mapping[str, Value] = field(default_factory=dict)


class RecordedTrace(Trace):
    """The steps of one delivery. For one thread at a time."""

    __slots__ = ("_began", "_now", "_process", "_steps", "_tracer")

    def __init__(
        self,
        tracer: Tracer,
        notification: Notification,
        *,
        now: Callable[[], int] = time.time_ns,
    ) -> None:
        self._tracer = tracer
        self._now = now
        self._began = now()
        self._steps: list[_Step] = []
        self._process = tracer.start_span(
            f"process {notification.channel}.{notification.lane}",
            _context(notification.traceparent),
            kind=SpanKind.CONSUMER,
            start_time=self._began,
        )

    def joined_by(self, notification: Notification) -> Notification:
        """Return the notification, with this trace if it came without one."""
        if notification.traceparent is not None:
            return notification
        return replace(notification, traceparent=carrying({}, self._process)["traceparent"])

    def during(self, name: str) -> AbstractContextManager[None]:
        """Record a step from here to the end of the block."""
        return self._during(name)

    @contextmanager
    def _during(self, name: str) -> Iterator[None]:
        began = self._now()
        try:
            yield
        finally:
            self.note(name, began, self._now())

    def note(self, name: str, began: int, ended: int) -> None:
        """Record a step, in nanoseconds since 1970."""
        self._steps.append(_Step(name, began, ended))

    def annotate(self, **attributes: Value | None) -> None:
        """Add attributes to the last step, except those that are None."""
        if self._steps:
            self._steps[-1].attributes = _named(attributes)

    def ended(self, notification: Notification, status: str) -> None:
        """Create the spans: this delivery is on record, with this status."""
        process = self._process
        if process.is_recording():
            within = trace.set_span_in_context(process)
            process.set_attributes(
                {
                    "messaging.system": "rabbitmq",
                    "messaging.operation.type": "process",
                    "notify.id": str(notification.id),
                    "notify.channel": notification.channel.value,
                    "notify.lane": notification.lane,
                    "notify.status": str(status),
                }
            )
            published = notification.published_at
            if published is not None and (at := nanoseconds(published)) < self._began:
                self._span(within, _Step("queue", at, self._began))
            for step in self._steps:
                self._span(within, step)
        process.end(self._now())

    def _span(self, within: Context, step: _Step) -> None:
        kind = SpanKind.CLIENT if step.name == "send" else SpanKind.INTERNAL
        span = self._tracer.start_span(
            step.name, within, kind=kind, start_time=step.began, attributes=step.attributes
        )
        if step.attributes.get("notify.outcome", "accepted") != "accepted":
            span.set_status(Status(StatusCode.ERROR, str(step.attributes["notify.outcome"])))
        span.end(step.ended)


@dataclass(frozen=True, slots=True)
class Tracing:
    """
    Begins the traces of deliveries.

    Attributes:
        tracer: Creates the spans; None if tracing is off.
        flush: Exports the remaining spans.
    """

    tracer: Tracer | None = None
    flush: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Do nothing: the SDK exports spans from a thread of its own."""

    def stop(self, *, timeout: float) -> None:
        """Export the remaining spans for three seconds at most; drop the rest."""
        # The SDK itself would wait half a minute for a collector that does not answer.
        flushing = threading.Thread(target=self.flush, name="last-spans", daemon=True)
        flushing.start()
        flushing.join(min(timeout, LONGEST_FLUSH))

    def begin(self, notification: Notification) -> tuple[Notification, Trace]:
        """
        Begin the trace of a notification that was just received.

        Returns:
            The notification with its trace, its producer's or a new one; and the delivery's steps.
        """
        if self.tracer is None:
            return notification, NO_TRACE
        noted = RecordedTrace(self.tracer, notification)
        return noted.joined_by(notification), noted


NOT_TRACED = Tracing()


def publisher_tracer() -> Tracer:
    """Return the tracer of a publisher's spans, for a program that exports traces."""
    return trace.get_tracer(NAME)


def publishing(tracer: Tracer, headers: Mapping[str, object], key: str) -> Span | None:
    """
    Begin the span of a message that is about to be published, in its producer's trace.

    Returns:
        The span; None if the program exports no traces, or the message already belongs to one.
    """
    if "traceparent" in headers:
        return None
    span = tracer.start_span("publish notify", kind=SpanKind.PRODUCER)
    if not span.get_span_context().is_valid:
        return None
    span.set_attributes({"messaging.system": "rabbitmq", "messaging.destination.name": key})
    return span


def carrying(headers: Mapping[str, Any], span: Span) -> dict[str, Any]:
    """Return a message's headers with its span's context, for its consumers."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return {**headers, "traceparent": carrier["traceparent"]}


def published(span: Span, *, error: Exception | None) -> None:
    """End the span of a message once it is confirmed, or known to be not."""
    if error is not None:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
    span.end()


def nanoseconds(at: datetime) -> int:
    """Return a time in nanoseconds since 1970, as steps are timed."""
    return int(at.timestamp() * 1e6) * 1000


def nanoseconds_now() -> int:
    """Return the current time in nanoseconds since 1970, as steps are timed."""
    return time.time_ns()


def _context(traceparent: str | None) -> Context:
    return _W3C.extract({"traceparent": traceparent} if traceparent else {}, Context())


def _named(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    return {f"notify.{name}": value for name, value in attributes.items() if value is not None}
