"""The table of operations: the one list of which routes and the OpenAPI description are made."""

from __future__ import annotations

from collections.abc import Sequence

from notify.apikeys import KeyScope
from notify.web.api import models
from notify.web.api.events import EventHandlers
from notify.web.api.notifications import NotificationHandlers
from notify.web.api.operation import Operation, Together
from notify.web.api.sending import SendHandler, shares
from notify.web.api.suppressions import SuppressionHandlers
from notify.web.api.templates import TemplateHandlers

_SEND = """\
The body is the contract's JSON with `channel` and `lane` beside it, an array of these, or JSON
Lines. The source is that of the key. All are checked first: if one is wrong, nothing is published.
The answer comes once RabbitMQ has confirmed all. Without an `id` each gets one.

With the header `Idempotency-Key` (or `idempotency_key` in each notification) a repeat of the same
request is answered as before, with `Idempotent-Replayed: true`; another request with the key is
refused with 409."""
_EVENTS = """\
Final statuses in their order, from the record: for a subscriber that has lost its queue. Events of
one notification may come more than once. With `Accept: text/event-stream` the answer is an endless
stream, which a client continues with `Last-Event-ID`."""


def operations(
    *,
    sending: SendHandler,
    notifications: NotificationHandlers,
    suppressions: SuppressionHandlers,
    templates: TemplateHandlers,
    events: EventHandlers,
) -> Sequence[Operation]:
    """Return all operations of these handlers."""
    send, read, suppress = KeyScope.SEND, KeyScope.READ, KeyScope.SUPPRESS
    return [
        Operation(
            method="POST",
            path="/v1/notifications",
            scope=send,
            name="sendNotifications",
            summary="Send one notification, or many",
            description=_SEND,
            handler=sending.send,
            together=Together(sending.send_each, shares),
            body={"$ref": "#/components/schemas/Notification"},
            lines=True,
            answers={202: _either(models.AcceptedView, models.AcceptedManyView)},
            problems=("conflict",),
            counts_itself=True,
        ),
        Operation(
            method="GET",
            path="/v1/notifications",
            scope=read,
            name="listNotifications",
            summary="List notifications, the newest first",
            handler=notifications.list,
            query=models.NotificationsQuery,
            answers={200: models.NotificationsView},
            problems=("invalid",),
        ),
        Operation(
            method="GET",
            path="/v1/notifications/{id:uuid}",
            scope=read,
            name="showNotification",
            summary="Show a notification and its timeline, or a batch's counts",
            handler=notifications.show,
            answers={200: _either(models.NotificationView, models.BatchView)},
        ),
        Operation(
            method="POST",
            path="/v1/notifications/{id:uuid}/cancel",
            scope=send,
            name="cancelNotification",
            summary="Cancel a notification or a batch that waits",
            handler=notifications.cancel,
            body=models.CancelBody,
            answers={200: models.CancelledView},
            problems=("too-late",),
        ),
        Operation(
            method="POST",
            path="/v1/feedback",
            scope=send,
            name="reportFeedback",
            summary="Report that a notification arrived, or did not",
            handler=notifications.feedback,
            body={"$ref": "#/components/schemas/Feedback"},
            answers={202: models.FeedbackView},
        ),
        Operation(
            method="GET",
            path="/v1/suppressions",
            scope=read,
            name="listSuppressions",
            summary="List the source's suppressions, the newest first",
            handler=suppressions.list,
            query=models.SuppressionsQuery,
            answers={200: models.SuppressionsView},
        ),
        Operation(
            method="POST",
            path="/v1/suppressions",
            scope=suppress,
            name="addSuppression",
            summary="Stop the source's messages to a recipient",
            handler=suppressions.add,
            body=models.SuppressionBody,
            answers={200: models.SuppressionView, 201: models.SuppressionView},
        ),
        Operation(
            method="POST",
            path="/v1/suppressions/search",
            scope=read,
            name="searchSuppressions",
            summary="Search the source's suppressions of a recipient",
            handler=suppressions.search,
            body=models.LookupBody,
            answers={200: models.SuppressionsView},
        ),
        Operation(
            method="DELETE",
            path="/v1/suppressions/{number:int}",
            scope=suppress,
            name="liftSuppression",
            summary="Lift a suppression of the source",
            handler=suppressions.lift,
            answers={204: None},
        ),
        Operation(
            method="GET",
            path="/v1/templates",
            scope=read,
            name="listTemplates",
            summary="List the templates",
            handler=templates.list,
            answers={200: models.TemplatesView},
        ),
        Operation(
            method="POST",
            path="/v1/templates/{name}/preview",
            scope=read,
            name="previewTemplate",
            summary="Render a template; nothing is sent",
            handler=templates.preview,
            body=models.PreviewBody,
            answers={200: models.PreviewView},
        ),
        Operation(
            method="GET",
            path="/v1/events",
            scope=read,
            name="readEvents",
            summary="Read the source's events again, or as they come",
            description=_EVENTS,
            handler=events.page,
            query=models.EventsQuery,
            answers={200: models.EventsView},
            streams=True,
        ),
    ]


def _either(*kinds: type[models.Document]) -> tuple[type[models.Document], ...]:
    return kinds
