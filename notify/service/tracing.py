"""Exporting traces, if the configuration enables it."""

from __future__ import annotations

from opentelemetry import trace

from notify.errors import ConfigError
from notify.settings import Settings
from notify.telemetry.tracing import NAME, NOT_TRACED, Tracing


def open_tracing(settings: Settings, *, worker: str) -> Tracing:
    """
    Start to export this process's spans, if the settings enable it.

    The endpoint and the sampling are set by OTEL_EXPORTER_OTLP_ENDPOINT, OTEL_TRACES_SAMPLER and
    others: https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/

    Raises:
        ConfigError: The exporter is not installed.
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
            "tracing.enabled: the exporter of traces is not installed; "
            "install the extra otel (docs/tracing.md), or set it to false"
        ) from None
    named = {"service.name": NAME, "service.instance.id": worker}
    provider = TracerProvider(resource=Resource.create(named), shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    # The publishers of the relays read it, as a producer's publisher does.
    trace.set_tracer_provider(provider)
    return Tracing(provider.get_tracer(NAME), flush=provider.shutdown)
