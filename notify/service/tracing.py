"""Sending traces, where the configuration wants it and what sends them is installed."""

from __future__ import annotations

from opentelemetry import trace

from notify.errors import ConfigError
from notify.settings import Settings
from notify.telemetry.tracing import NAME, NOT_TRACED, Tracing


def open_tracing(settings: Settings, *, worker: str) -> Tracing:
    """
    Begin to send this process's spans, if the settings say so.

    Where to, and which share of them, is said by OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER
    and the like: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/

    Raises:
        ConfigError: What sends them is not installed.
    """
    if not settings.tracing.enabled:
        return NOT_TRACED
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError:
        raise ConfigError(
            "tracing.enabled: what sends traces is not installed; "
            "install the extra otel (docs/tracing.md), or set it to false"
        ) from None
    named = {"service.name": NAME, "service.instance.id": worker}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    # The publisher of relay and announcer asks for it, as a producer's does.
    trace.set_tracer_provider(provider)
    return Tracing(provider.get_tracer(NAME), flush=provider.shutdown)
