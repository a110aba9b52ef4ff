"""Notifications and suppressions as the API's documents; recipients are masked."""

from __future__ import annotations

from typing import Any

from notify.status.notification import mask, timeline
from notify.store import Story, Summary
from notify.suppression import ListedSuppression
from notify.web.api.models import (
    AttemptView,
    NotificationView,
    ReceiptView,
    StepView,
    SummaryView,
    SuppressionView,
)


def summary_view(summary: Summary) -> SummaryView:
    """Return one notification."""
    return SummaryView(**_fields(summary))


def notification_view(story: Story) -> NotificationView:
    """Return one notification with everything that happened to it."""
    steps = [
        StepView(at=each.at, name=each.name, status=each.status, details=each.details)
        for each in timeline(story)
    ]
    return NotificationView(
        **_fields(story.summary),
        timeline=steps,
        calls=[
            AttemptView(**{name: getattr(each, name) for name in AttemptView.model_fields})
            for each in story.attempts
        ],
        receipts=[
            ReceiptView(**{name: getattr(each, name) for name in ReceiptView.model_fields})
            for each in story.receipts
        ],
    )


def suppression_view(entry: ListedSuppression) -> SuppressionView:
    """Return one entry of the list, without its hash and evidence."""
    return SuppressionView(**{name: getattr(entry, name) for name in SuppressionView.model_fields})


def _fields(summary: Summary) -> dict[str, Any]:
    values = {name: getattr(summary, name) for name in SummaryView.model_fields if name != "to"}
    return {**values, "id": summary.public_id, "to": mask(summary.recipient)}
