"""
Traces: what a delivery did and when, as spans that belong to its producer's trace.

Moments are noted on the way, and the spans made when the delivery is on record: while nothing
listens, a delivery pays for a few calls that do nothing.
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
"""The instrumentation's name."""
LONGEST_FLUSH = 3.0
"""Seconds that a stop waits for a collector."""
_NOTHING = nullcontext()
_W3C = TraceContextTextMapPropagator()

Value = str | int | float | bool


class Trace:
    """The moments of one delivery; this one notes none, for while nobody listens."""

    __slots__ = ()

    def during(self, name: str) -> AbstractContextManager[None]:  # noqa: ARG002 - see Noted
        """Note when something begins and ends."""
        return _NOTHING

    def note(self, name: str, began: int, ended: int) -> None:
        """Note what has begun and ended, in nanoseconds since 1970."""

    def tell(self, **attributes: Value | None) -> None:
        """Say more of what was noted last; None says nothing."""

    def ended(self, notification: Notification, status: str) -> None:
        """Make the spans: this delivery of a notification is on record, with this status."""


NO_TRACE = Trace()


@dataclass(slots=True)
class _Moment:
    name: str
    began: int
    ended: int
    told: Mapping[str, Value] = field(default_factory=dict)


class Noted(Trace):
    """The moments of one delivery. Use it in one thread after the other."""

    __slots__ = ("_began", "_moments", "_now", "_process", "_tracer")

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
        self._moments: list[_Moment] = []
        self._process = tracer.start_span(
            f"process {notification.channel}.{notification.lane}",
            _context(notification.traceparent),
            kind=SpanKind.CONSUMER,
            start_time=self._began,
        )

    def kept_by(self, notification: Notification) -> Notification:
        """Have a notification that came without a trace keep this one, for what comes after."""
        if notification.traceparent is not None:
            return notification
        return replace(notification, traceparent=carrying({}, self._process)["traceparent"])

    def during(self, name: str) -> AbstractContextManager[None]:
        """Note when something begins and ends."""
        return self._during(name)

    @contextmanager
    def _during(self, name: str) -> Iterator[None]:
        began = self._now()
        try:
            yield
        finally:
            self.note(name, began, self._now())

    def note(self, name: str, began: int, ended: int) -> None:
        """Note what has begun and ended, in nanoseconds since 1970."""
        self._moments.append(_Moment(name, began, ended))

    def tell(self, **attributes: Value | None) -> None:
        """Say more of what was noted last; None says nothing."""
        if self._moments:
            self._moments[-1].told = _named(attributes)

    def ended(self, notification: Notification, status: str) -> None:
        """Make the spans: this delivery of a notification is on record, with this status."""
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
                self._span(within, _Moment("queue", at, self._began))
            for moment in self._moments:
                self._span(within, moment)
        process.end(self._now())

    def _span(self, within: Context, moment: _Moment) -> None:
        kind = SpanKind.CLIENT if moment.name == "send" else SpanKind.INTERNAL
        span = self._tracer.start_span(
            moment.name, within, kind=kind, start_time=moment.began, attributes=moment.told
        )
        if moment.told.get("notify.outcome", "accepted") != "accepted":
            span.set_status(Status(StatusCode.ERROR, str(moment.told["notify.outcome"])))
        span.end(moment.ended)


@dataclass(frozen=True, slots=True)
class Tracing:
    """
    Begins the traces of deliveries.

    Attributes:
        tracer: What makes the spans; None where nobody listens.
        flush: Sends what was not sent yet.
    """

    tracer: Tracer | None = None
    flush: Callable[[], None] = lambda: None

    def start(self) -> None:
        """Begin; the spans are sent from a thread of the SDK's own."""

    def stop(self, *, timeout: float) -> None:
        """Send what was not sent yet, for three seconds at most; the rest is given up."""
        # The SDK alone would wait half a minute for a collector that does not answer.
        flushing = threading.Thread(target=self.flush, name="last-spans", daemon=True)
        flushing.start()
        flushing.join(min(timeout, LONGEST_FLUSH))

    def begin(self, notification: Notification) -> tuple[Notification, Trace]:
        """
        Begin with a notification that was just taken in hand.

        Returns:
            It with the trace that it is to keep, its producer's or a new one; and its moments.
        """
        if self.tracer is None:
            return notification, NO_TRACE
        noted = Noted(self.tracer, notification)
        return noted.kept_by(notification), noted


NOT_TRACED = Tracing()


def publisher_tracer() -> Tracer:
    """Give what makes a publisher's spans, once its program listens to traces."""
    return trace.get_tracer(NAME)


def publishing(tracer: Tracer, headers: Mapping[str, object], key: str) -> Span | None:
    """
    Begin the span of a message that is about to be published, in the trace of its producer.

    Returns:
        None where the program listens to no traces, or the message belongs to one already.
    """
    if "traceparent" in headers:
        return None
    span = tracer.start_span("publish notify", kind=SpanKind.PRODUCER)
    if not span.get_span_context().is_valid:
        return None
    span.set_attributes({"messaging.system": "rabbitmq", "messaging.destination.name": key})
    return span


def carrying(headers: Mapping[str, Any], span: Span) -> dict[str, Any]:
    """Give the headers of a message that carry its span on to whoever takes it."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, trace.set_span_in_context(span))
    return {**headers, "traceparent": carrier["traceparent"]}


def published(span: Span, *, error: Exception | None) -> None:
    """End the span of a message, once its fate is known."""
    if error is not None:
        span.set_status(Status(StatusCode.ERROR, type(error).__name__))
    span.end()


def nanoseconds(at: datetime) -> int:
    """Tell a time as moments are noted."""
    return int(at.timestamp() * 1e6) * 1000


def nanoseconds_now() -> int:
    """Tell the time by which moments are noted."""
    return time.time_ns()


def _context(traceparent: str | None) -> Context:
    return _W3C.extract({"traceparent": traceparent} if traceparent else {}, Context())


def _named(attributes: Mapping[str, Value | None]) -> dict[str, Value]:
    return {f"notify.{name}": value for name, value in attributes.items() if value is not None}
