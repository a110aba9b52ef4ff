"""Whether deliveries are traced; where to is said by OpenTelemetry's own variables."""

from __future__ import annotations

from notify.settings.words import Section


class TracingSettings(Section):
    """Whether spans are made and sent."""

    enabled: bool = False
