"""Operations on the suppressions of a source."""

from __future__ import annotations

from notify.channels import CHANNELS
from notify.contract import normal_form
from notify.message import Channel
from notify.status.suppressions import read_own_suppressions
from notify.store import Actor, Store
from notify.suppression import (
    Suppression,
    SuppressionFilter,
    add_entry,
    category_scope,
    lift_for_operator,
    source_scope,
)
from notify.web.api.models import (
    LookupBody,
    SuppressionBody,
    SuppressionsQuery,
    SuppressionsView,
)
from notify.web.api.operation import ApiAnswer, ApiCall
from notify.web.api.problems import ApiProblem
from notify.web.api.views import suppression_view

_MOST = 500


class SuppressionHandlers:
    """Answers the operations on suppressions whose scope is the key's source."""

    def __init__(self, store: Store) -> None:
        """Use a record."""
        self._store = store

    def list(self, call: ApiCall) -> ApiAnswer:
        """Return a page of the source's entries."""
        query: SuppressionsQuery = call.query
        wanted = SuppressionFilter(
            channel=query.channel,
            reason=query.reason,
            ended=query.ended,
            owner=call.source,
            before=query.before,
        )
        page = read_own_suppressions(self._store, wanted, limit=query.limit)
        entries = [suppression_view(each) for each in page.entries]
        return ApiAnswer(SuppressionsView(suppressions=entries, next=page.next))

    def search(self, call: ApiCall) -> ApiAnswer:
        """Return the source's entries of one recipient; its address is in no URL."""
        wanted = LookupBody.model_validate_json(call.body)
        recipient = _recipient(wanted.channel, wanted.recipient)
        chosen = SuppressionFilter(channel=wanted.channel, recipient=recipient, owner=call.source)
        page = read_own_suppressions(self._store, chosen, limit=_MOST)
        entries = [suppression_view(each) for each in page.entries]
        return ApiAnswer(SuppressionsView(suppressions=entries, next=None))

    def add(self, call: ApiCall) -> ApiAnswer:
        """Add a recipient; return the entry, which may be on the list already."""
        body = SuppressionBody.model_validate_json(call.body)
        recipient = _recipient(body.channel, body.recipient)
        own = source_scope(call.source)
        scope = category_scope(body.category, call.source) if body.category else own
        now = self._store.clock()
        actor = Actor(f"api key {call.key.id}", body.note)
        item = Suppression(
            channel=body.channel,
            reason=body.reason,
            since=now,
            recipient=recipient,
            scope=scope,
            until=body.until,
            evidence=f"by {actor.name}",
        )
        added = add_entry(self._store, item, actor, now=now)
        chosen = SuppressionFilter(
            channel=body.channel, recipient=recipient, scope=scope, reason=body.reason
        )
        found = read_own_suppressions(self._store, chosen, limit=1).entries
        if not found:
            raise ApiProblem("invalid", "`until` is in the past: the entry would have no effect")
        return ApiAnswer(suppression_view(found[0]), 201 if added else 200)

    def lift(self, call: ApiCall) -> ApiAnswer:
        """Lift one entry of the source."""
        actor = Actor(f"api key {call.key.id}", "")
        wanted = SuppressionFilter(ids=[call.path["number"]], owner=call.source)
        now = self._store.clock()
        if not lift_for_operator(self._store, wanted, actor, now=now):
            raise ApiProblem("not-found", "this source has no such entry in effect")
        return ApiAnswer(None, 204)


def _recipient(channel: Channel, given: str) -> str:
    """Return the normal form of a recipient; raise `ApiProblem` if it is not an address."""
    recipient = normal_form(given)
    definition = CHANNELS[channel]
    if not definition.looks_like_address(recipient) or not definition.is_address(recipient):
        raise ApiProblem("invalid", f"the recipient is not an address of {channel}")
    return recipient
