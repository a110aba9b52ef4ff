"""The documents of the API, from which its OpenAPI description is generated."""

from notify.web.api.models.acceptance import (
    AcceptedManyView,
    AcceptedView,
    FeedbackView,
    MistakeView,
    ProblemView,
)
from notify.web.api.models.document import (
    Document,
    NoQuery,
)
from notify.web.api.models.event import (
    EventsQuery,
    EventsView,
)
from notify.web.api.models.notification import (
    AttemptView,
    BatchView,
    CancelBody,
    CancelledView,
    NotificationsQuery,
    NotificationsView,
    NotificationView,
    ReceiptView,
    StepView,
    SummaryView,
)
from notify.web.api.models.suppression import (
    LookupBody,
    SuppressionBody,
    SuppressionsQuery,
    SuppressionsView,
    SuppressionView,
)
from notify.web.api.models.template import (
    PreviewBody,
    PreviewView,
    TemplatesView,
    TemplateView,
)

__all__ = [
    "AcceptedManyView",
    "AcceptedView",
    "AttemptView",
    "BatchView",
    "CancelBody",
    "CancelledView",
    "Document",
    "EventsQuery",
    "EventsView",
    "FeedbackView",
    "LookupBody",
    "MistakeView",
    "NoQuery",
    "NotificationView",
    "NotificationsQuery",
    "NotificationsView",
    "PreviewBody",
    "PreviewView",
    "ProblemView",
    "ReceiptView",
    "StepView",
    "SummaryView",
    "SuppressionBody",
    "SuppressionView",
    "SuppressionsQuery",
    "SuppressionsView",
    "TemplateView",
    "TemplatesView",
]
