"""Traces: a delivery's steps become spans of its producer's trace, if tracing is on."""

from __future__ import annotations

import threading
from datetime import UTC, datetime
from unittest.mock import patch
from uuid import uuid4

import pytest
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ParentBased
from opentelemetry.trace import SpanKind

from notify import contract
from notify.contract import Incoming
from notify.delivery.dispatcher import following
from notify.delivery.plan import DeliveryItem
from notify.delivery.settlement import Settlement
from notify.errors import ConfigError, Unconfirmed
from notify.message import Notification
from notify.publisher.outgoing import InFlight, Outgoing
from notify.service.tracing import open_tracing
from notify.settings import Settings
from notify.settings.tracing import TracingSettings
from notify.store import Claim, Claimed
from notify.telemetry.tracing import NO_TRACE, NOT_TRACED, RecordedTrace, Tracing, publisher_tracer

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
UNSAMPLED = TRACEPARENT[:-1] + "0"


@pytest.fixture
def exporter() -> InMemorySpanExporter:
    """The exported spans."""
    return InMemorySpanExporter()


@pytest.fixture
def provider(exporter: InMemorySpanExporter) -> TracerProvider:
    """An SDK that keeps spans in memory."""
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    return provider


def _asked(traceparent: str | None) -> Notification:
    body = b'{"id": "%s", "to": "ann@example.com", "subject": "S", "text": "T"}'
    incoming = Incoming(
        body % str(uuid4()).encode(),
        "email.normal.shop",
        content_type="application/json",
        traceparent=traceparent,
    )
    (asked,) = contract.decode(
        incoming,
        contract.Limits(max_recipients=1),
        now=datetime(2026, 11, 28, tzinfo=UTC),
    )
    return asked


def test_steps_become_spans_under_the_producers(
    exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    """With the times of the steps, not those at which the spans are created."""
    ticks = iter(range(1000, 9000, 1000))
    noted = RecordedTrace(provider.get_tracer("test"), _asked(TRACEPARENT), now=lambda: next(ticks))
    with noted.during("send"):
        pass
    noted.annotate(provider="sendgrid", outcome="unknown", http_status=None)
    noted.ended(_asked(TRACEPARENT), "unknown")
    send, process = exporter.get_finished_spans()
    assert (process.name, process.kind) == ("process email.normal", SpanKind.CONSUMER)
    assert f"{process.context.trace_id:032x}" == _asked(TRACEPARENT).ids["trace_id"]
    assert process.parent is not None
    assert f"{process.parent.span_id:016x}" == "b7ad6b7169203331"
    assert (process.start_time, process.end_time) == (1000, 4000)
    assert (send.start_time, send.end_time, send.kind) == (2000, 3000, SpanKind.CLIENT)
    assert send.parent == process.context
    assert not send.status.is_ok
    assert dict(send.attributes or {}) == {
        "notify.provider": "sendgrid",
        "notify.outcome": "unknown",
    }


@pytest.mark.parametrize("traceparent", [None, "00-zz-1-01", "00-" + "0" * 32 + "-1-01"])
def test_without_a_valid_traceparent_a_trace_begins_here(
    exporter: InMemorySpanExporter, provider: TracerProvider, traceparent: str | None
) -> None:
    """A producer without a valid trace gets a new one, which its retries join too."""
    tracing = Tracing(provider.get_tracer("test"))
    asked, first = tracing.begin(_asked(traceparent))
    first.ended(asked, "queued")
    again, second = tracing.begin(_asked(asked.traceparent))
    second.ended(again, "sent")
    process, retry = exporter.get_finished_spans()
    assert process.parent is None
    assert retry.parent is not None
    assert retry.parent.span_id == process.context.span_id
    assert retry.context.trace_id == process.context.trace_id
    assert asked.ids["trace_id"] == f"{process.context.trace_id:032x}"
    assert again.traceparent == asked.traceparent


def test_all_of_a_batch_belong_to_one_trace(provider: TracerProvider) -> None:
    """Including one that begins with the first of them, since the message had none."""
    tracing = Tracing(provider.get_tracer("test"))
    first, other = _asked(None), _asked(None)
    item = DeliveryItem.begin(first, Settlement(lambda _: None, 2), tracing, others=[other])
    (next_,) = following(item, Claimed(Claim.OWNED), tracing)
    assert next_.notification.id == other.id
    assert next_.notification.ids["trace_id"] == item.notification.ids["trace_id"]


def test_what_this_process_does_not_sample_is_not_sampled_again(
    exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    """A retry would otherwise be half a trace."""
    unsampled = TracerProvider(sampler=ParentBased(ALWAYS_OFF))
    asked, _ = Tracing(unsampled.get_tracer("test")).begin(_asked(None))
    assert asked.traceparent is not None
    again, trace = Tracing(provider.get_tracer("test")).begin(_asked(asked.traceparent))
    trace.ended(again, "sent")
    assert exporter.get_finished_spans() == ()


def test_a_collector_that_does_not_answer_does_not_delay_a_stop() -> None:
    """The SDK itself would wait half a minute for it."""
    answered, flushed = threading.Event(), threading.Event()

    def flush() -> None:
        answered.wait(60)
        flushed.set()

    Tracing(flush=flush).stop(timeout=0.05)
    assert not flushed.is_set()
    answered.set()


def test_a_producers_decision_not_to_sample_is_kept(
    exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    """It applies to the whole trace."""
    RecordedTrace(provider.get_tracer("test"), _asked(UNSAMPLED)).ended(_asked(UNSAMPLED), "sent")
    assert exporter.get_finished_spans() == ()


def test_no_step_is_recorded_if_tracing_is_off() -> None:
    """A delivery costs calls that do nothing."""
    asked = _asked(None)
    assert NOT_TRACED.begin(asked) == (asked, NO_TRACE)
    with NO_TRACE.during("render"):
        NO_TRACE.annotate(provider="sendgrid")
    NO_TRACE.note("claim", 1, 2)
    NO_TRACE.ended(_asked(TRACEPARENT), "sent")


def test_a_producers_message_carries_its_span_on(
    exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    """From the call to the broker's confirm; with an error if there is none."""
    message = Outgoing(b"{}", "email.normal.shop", "1")
    entry = InFlight(message, deadline=1.0, tracer=provider.get_tracer("test"))
    assert exporter.get_finished_spans() == ()
    entry.settle(Unconfirmed("no word", message_id="1"))
    (span,) = exporter.get_finished_spans()
    assert span.kind is SpanKind.PRODUCER
    assert not span.status.is_ok
    assert f"{span.context.span_id:016x}" in entry.message.headers["traceparent"]


def test_a_message_that_has_a_trace_keeps_it(
    exporter: InMemorySpanExporter, provider: TracerProvider
) -> None:
    """Messages of relay and outbox stay in the trace that they came with."""
    message = Outgoing(b"{}", "email.normal.shop", "1", headers={"traceparent": TRACEPARENT})
    entry = InFlight(message, deadline=1.0, tracer=provider.get_tracer("test"))
    entry.settle()
    assert entry.message is message
    assert exporter.get_finished_spans() == ()


def test_a_program_without_an_sdk_publishes_as_before() -> None:
    """There is no header and no span."""
    message = Outgoing(b"{}", "email.normal.shop", "1")
    entry = InFlight(message, deadline=1.0, tracer=publisher_tracer())
    entry.settle()
    assert entry.message is message


def test_tracing_without_its_exporter_is_a_mistake_of_the_configuration() -> None:
    """It is reported at the start, with the package to install."""
    settings = Settings(tracing=TracingSettings(enabled=True))
    missing = {"opentelemetry.exporter.otlp.proto.http.trace_exporter": None}
    with (
        patch.dict("sys.modules", missing),
        pytest.raises(ConfigError, match=r"the extra otel"),
    ):
        open_tracing(settings, worker="email")
    assert open_tracing(Settings(), worker="email") == Tracing()
