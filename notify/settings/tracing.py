"""Whether deliveries are traced; OpenTelemetry's own variables set the destination."""

from __future__ import annotations

from notify.settings.words import Section


class TracingSettings(Section):
    """Whether spans are recorded and exported."""

    enabled: bool = False
