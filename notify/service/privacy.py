"""The retention of personal data, by the settings."""

from __future__ import annotations

from datetime import timedelta

from notify.privacy import Keep
from notify.settings import LaneSettings, Settings


def keep_of(settings: Settings) -> Keep:
    """Return the spans of retention."""
    return Keep(
        lanes={name: timedelta(days=lane.keep) for name, lane in settings.lanes.items()},
        others=timedelta(days=LaneSettings().keep),
        waiting=timedelta(days=settings.privacy.keep_dead),
        audit=timedelta(days=settings.privacy.keep_audit),
        receipts=timedelta(days=settings.receipts.keep),
        suppressions=timedelta(days=settings.suppression.keep),
        plans=timedelta(days=settings.privacy.keep_plans),
        requests=timedelta(days=settings.api.keep),
    )
