"""Operations on notifications that were sent: read, list, cancel, and report feedback."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from notify.apikeys import BodyRefused
from notify.delivery import cancel_notifications
from notify.status.search import NoSuchPage, key_as_text, parse_key, search_notifications
from notify.store import Actor, Filter, Store
from notify.store.status import RowSearch
from notify.web.api.models import (
    BatchView,
    CancelBody,
    CancelledView,
    FeedbackView,
    NotificationsQuery,
    NotificationsView,
)
from notify.web.api.operation import ApiAnswer, ApiCall
from notify.web.api.problems import ApiProblem, refused
from notify.web.api.views import notification_view, summary_view


class NotificationHandlers:
    """Answers the operations on notifications; each sees those of the key's source only."""

    def __init__(self, store: Store, feedback: Callable[[str, bytes], UUID]) -> None:
        """Use the use cases; *feedback* publishes the feedback of a source."""
        self._store = store
        self._feedback = feedback

    def show(self, call: ApiCall) -> ApiAnswer:
        """Return one notification, or a batch's counts."""
        id_ = call.path["id"]
        for story in self._store.known_as(id_, source=call.source):
            return ApiAnswer(notification_view(story))
        counts = self._store.count(Filter(batch_id=id_, source=call.source))
        if not counts:
            raise unknown()
        return ApiAnswer(BatchView(batch_id=id_, counts=counts))

    def list(self, call: ApiCall) -> ApiAnswer:
        """Return a page of notifications, the newest first."""
        query: NotificationsQuery = call.query
        try:
            after = None if query.after is None else parse_key(query.after)
        except NoSuchPage as error:
            raise ApiProblem("invalid", str(error)) from None
        wanted = RowSearch(
            source=call.source,
            status=query.status,
            channel=query.channel,
            lane=query.lane,
            template=query.template,
            category=query.category,
            batch_id=query.batch,
        )
        found = search_notifications(self._store, wanted, after=after, limit=query.limit)
        following = None if found.after is None else key_as_text(found.after)
        rows = [summary_view(each) for each in found.rows]
        return ApiAnswer(NotificationsView(notifications=rows, next=following))

    def cancel(self, call: ApiCall) -> ApiAnswer:
        """Cancel a notification or a batch that no worker has claimed yet."""
        reason = CancelBody.model_validate_json(call.body or b"{}").reason
        actor = Actor(f"api key {call.key.id}", reason)
        done = cancel_notifications(
            self._store, call.path["id"], actor, source=call.source, by_source=True
        )
        if not done.ids and not done.others:
            raise unknown()
        if not done.ids:
            statuses = ", ".join(sorted({each.value for each in done.others.values()}))
            raise ApiProblem("too-late", f"there is nothing left to cancel: {statuses}")
        return ApiAnswer(CancelledView(cancelled=list(done.ids), left=done.others))

    def feedback(self, call: ApiCall) -> ApiAnswer:
        """Publish what the source knows about a notification."""
        try:
            return ApiAnswer(FeedbackView(id=self._feedback(call.source, call.body)), 202)
        except BodyRefused as error:
            raise refused(error.wrong) from None


def unknown() -> ApiProblem:
    """Return the problem of an id that is not on record."""
    return ApiProblem(
        "not-found",
        "no notification of this source has this id on record: no worker has received it yet, it"
        " is in the dead letters, or it was deleted after its time",
    )
