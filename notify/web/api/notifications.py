"""Operations on notifications: send, read, list, cancel, and report feedback."""

from __future__ import annotations

from collections.abc import Callable
from uuid import UUID

from notify.apikeys import (
    Acceptance,
    Accepted,
    Acceptor,
    BodyRefused,
    KeyAllowance,
    KeyConflict,
    KeyLimits,
    NotConfirmed,
    read_lines,
    read_one,
    with_key,
)
from notify.delivery import cancel_notifications
from notify.status.search import NoSuchPage, key_as_text, parse_key, search_notifications
from notify.store import Actor, Filter, Store
from notify.store.status import RowSearch
from notify.web.api.limits import rate_headers, used_up
from notify.web.api.models import (
    AcceptedManyView,
    AcceptedView,
    BatchView,
    CancelBody,
    CancelledView,
    FeedbackView,
    NotificationsQuery,
    NotificationsView,
)
from notify.web.api.operation import LINES, ApiAnswer, ApiCall
from notify.web.api.problems import ApiProblem, refused
from notify.web.api.views import notification_view, summary_view

RETRY_AFTER = {"Retry-After": "5"}
REPLAYED = "Idempotent-Replayed"
_KEY = "idempotency-key"
_LONGEST_KEY = 200


class NotificationHandlers:
    """Answers the operations on notifications; each sees those of the key's source only."""

    def __init__(
        self,
        store: Store,
        acceptor: Acceptor,
        limits: KeyLimits,
        feedback: Callable[[str, bytes], UUID],
    ) -> None:
        """Use the use cases; *feedback* publishes the feedback of a source."""
        self._store = store
        self._acceptor = acceptor
        self._limits = limits
        self._feedback = feedback

    def send(self, call: ApiCall) -> ApiAnswer:
        """Accept one notification, or many."""
        lines = call.media_type in LINES
        try:
            documents = read_lines(call.body) if lines else read_one(call.body)
        except BodyRefused as error:
            # It counts too: to find its mistakes costs as much as to accept it.
            allowance = self._limits.use(call.key, 1)
            raise (refused(error.wrong) if allowance.granted else used_up(allowance, 1)) from None
        try:
            many = lines or call.body.lstrip()[:1] == b"["
            key = _header_key(call, many=many)
            if key is not None:
                documents = [with_key(documents[0], key)]
            allowance = self._limits.use(call.key, len(documents))
            if not allowance.granted:
                raise used_up(allowance, len(documents))
            accepted = self._acceptor.accept(call.source, documents)
        except BodyRefused as error:
            raise refused(error.wrong) from None
        except KeyConflict as error:
            raise ApiProblem("conflict", str(error), requests=list(error.indices)) from None
        except NotConfirmed as error:
            results = [_view(each) for each in error.results]
            text = f"{error}; send these again with the same ids"
            raise ApiProblem(
                "unavailable", text, notifications=results, headers=RETRY_AFTER
            ) from None
        return _accepted(accepted, allowance, many=many)

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


def _header_key(call: ApiCall, *, many: bool) -> str | None:
    key = call.headers.get(_KEY)
    if key is None:
        return None
    if many:
        text = "the header Idempotency-Key names one notification: write `idempotency_key` in each"
        raise ApiProblem("malformed", text)
    # The draft of the header writes it as a string of structured fields; most clients do not.
    key = key[1:-1] if len(key) > 1 and key[0] == key[-1] == '"' else key
    if not key or len(key) > _LONGEST_KEY or not key.isprintable() or not key.isascii():
        text = f"the header Idempotency-Key needs 1 to {_LONGEST_KEY} printable ASCII characters"
        raise ApiProblem("malformed", text)
    return key


def _accepted(accepted: list[Accepted], allowance: KeyAllowance, *, many: bool) -> ApiAnswer:
    headers = dict(rate_headers(allowance))
    if all(each.status is Acceptance.REPLAYED for each in accepted):
        headers[REPLAYED] = "true"
    views = [_view(each) for each in accepted]
    document = AcceptedManyView(notifications=views) if many else views[0]
    return ApiAnswer(document, 202, headers)


def _view(each: Accepted) -> AcceptedView:
    members = None if each.members is None else list(each.members)
    return AcceptedView(id=each.id, status=each.status, members=members)
