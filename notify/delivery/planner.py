"""Checking and rendering one notification."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from functools import partial
from uuid import UUID

from notify.categories import Categories
from notify.delivery.plan import DeliveryItem, NoCall, Ready
from notify.errors import TemplateError
from notify.message import (
    NO_OPTIONS,
    Channel,
    Content,
    Notification,
    RandomBuffer,
    Rendered,
    Status,
    time_id,
)
from notify.store import Entry
from notify.store.suppression import SuppressionCheck
from notify.templating import Templates


class Planner:
    """Decides, without access to the record, what each notification needs."""

    def __init__(
        self,
        *,
        channels: Collection[Channel],
        templates: Templates,
        categories: Categories | None = None,
        exempt: Collection[str] = (),
    ) -> None:
        """
        Create a planner.

        Args:
            exempt: The categories that only a binding suppression stops.
        """
        self._channels = channels
        self._templates = templates
        self._categories = categories or Categories()
        self._exempt = frozenset(exempt)
        self._new_id = partial(time_id, random=RandomBuffer())

    def plan(self, item: DeliveryItem, *, now: datetime) -> NoCall | Ready:
        """Check and render one notification; its provider is chosen later."""
        notification = item.notification
        if notification.send_at is not None and notification.send_at > now:
            entry = Entry(notification, Status.SCHEDULED, due_at=notification.send_at)
            return NoCall(item, entry)
        if notification.expired(now):
            return NoCall.expired(item)
        if notification.channel not in self._channels:
            reason = f"this worker has no provider for {notification.channel}"
            return NoCall.ended(item, Status.FAILED, reason)
        attempt_id = self._new_id()
        try:
            with item.trace.during("render"):
                message = rendered(
                    notification,
                    attempt_id,
                    templates=self._templates,
                    categories=self._categories,
                )
        except TemplateError as error:
            return NoCall.ended(item, Status.REJECTED, str(error))
        exempt = notification.category in self._exempt
        check = SuppressionCheck.BINDING if exempt else SuppressionCheck.ALL
        entry = Entry(notification, Status.SENDING, attempt_id, check=check)
        return Ready(item, entry, message)


def rendered(
    notification: Notification,
    attempt_id: UUID,
    *,
    templates: Templates,
    categories: Categories,
) -> Rendered:
    """
    Return the rendered message of one attempt.

    Raises:
        TemplateError: The template is missing or broken, or lacks data.
    """
    identity = categories.identity(notification)
    extras = notification.extras
    content = _content(notification, templates, identity.unsubscribe_url)
    return Rendered(
        notification_id=notification.id,
        attempt_id=attempt_id,
        to=notification.to,
        subject=content.subject,
        text=content.text,
        html=content.html,
        data=notification.metadata,
        expires_at=notification.expires_at,
        sender=identity.sender,
        headers=identity.headers,
        reply_to=identity.reply_to,
        attachments=() if extras is None else extras.attachments,
        sms_sender=identity.sms_sender,
        push=NO_OPTIONS if extras is None or extras.push is None else extras.push,
    )


def _content(
    notification: Notification, templates: Templates, unsubscribe_url: str | None
) -> Content:
    if notification.inline is not None:
        return notification.inline
    if notification.template is None:
        raise TemplateError("the notification has neither a template nor content")
    return templates.render(
        notification.template,
        channel=notification.channel,
        locale=notification.locale,
        data=notification.data,
        unsubscribe_url=unsubscribe_url,
    )
