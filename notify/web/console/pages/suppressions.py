"""The suppression list: see it, find a recipient's entries, add and lift entries."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

from notify.channels import CHANNELS
from notify.contract import normal_form
from notify.message import Channel
from notify.people import Role
from notify.plans import MOST_AT_ONCE
from notify.status.recipient_tokens import is_token
from notify.status.suppressions import read_suppressions
from notify.suppression import (
    ALL,
    ListedSuppression,
    Suppression,
    SuppressionFilter,
    SuppressionReason,
    add_entry,
    is_scope,
    lift_for_operator,
)
from notify.web.console.bulk import (
    BulkQuestion,
    BulkResult,
    NotDone,
    confirmation,
    confirmed,
    result,
)
from notify.web.console.pages.fields import SPANS, chosen_numbers, number_part, seconds, word
from notify.web.console.pages.notifications import token_of
from notify.web.console.params import FormMistake, Params
from notify.web.console.routing import (
    Answer,
    ConsoleAction,
    ConsolePage,
    Nav,
    Redirect,
    View,
    Visit,
)

PATH = "/suppressions"
ON_A_PAGE = 50


def suppressions(visit: Visit) -> View:
    """Show one page of entries, newest first."""
    query = visit.query
    wanted = _filter(visit, query)
    found = read_suppressions(visit.site.store, wanted, limit=ON_A_PAGE + 1)
    shown = found[:ON_A_PAGE]
    values = {
        "entries": shown,
        "to": query.get("to"),
        "channel": query.get("channel"),
        "kind": query.get("kind"),
        "ended": bool(query.get("ended")),
        "next": query.query(before=str(shown[-1].id)) if len(found) > ON_A_PAGE else "",
        "newest": query.query(before=None),
        "paged": bool(query.get("before")),
        "channels": list(Channel),
        "kinds": list(SuppressionReason),
        "spans": SPANS,
        "now": visit.site.store.clock(),
    }
    return View("suppressions.html.j2", title="Suppressions", values=values)


def _filter(visit: Visit, query: Params) -> SuppressionFilter:
    to, before = query.get("to"), query.get("before")
    if to and not is_token(to):
        raise FormMistake("a recipient must not be in an address: write it into the field")
    return SuppressionFilter(
        channel=word(query, "channel", Channel),
        reason=word(query, "kind", SuppressionReason),
        recipient_hashes=visit.site.tokens.hashes(to) if to else (),
        before_id=number_part(before) if before else None,
        ended=bool(query.get("ended")) or bool(to),
    )


def search(visit: Visit) -> Answer:
    """Redirect to the address of a search, in which a token stands for the recipient."""
    to = visit.form.get("to")
    fields = {name: visit.form.get(name) for name in ("channel", "kind", "ended")}
    if to:
        fields["to"] = to if is_token(to) else token_of(visit, to)
    given = {name: value for name, value in fields.items() if value}
    return Redirect(f"{PATH}?{urlencode(given)}" if given else PATH)


def add(visit: Visit) -> Answer:
    """Add a recipient; the list keeps a hash."""
    form, store = visit.form, visit.site.store
    to = normal_form(form.get("to"))
    channel = _channel_of(to, word(form, "channel", Channel))
    scope = form.get("scope") or ALL
    if not is_scope(scope):
        raise FormMistake("the scope is all, source:NAME, category:NAME or sender:NUMBER")
    actor, now, duration = visit.actor(), store.clock(), seconds(form)
    item = Suppression(
        channel=channel,
        reason=SuppressionReason.OPERATOR,
        since=now,
        recipient=to,
        scope=scope,
        until=now + timedelta(seconds=duration) if duration else None,
        binding=True if form.get("binding") else None,
        evidence=f"by {actor.name}"[:255],
    )
    added = add_entry(store, item, actor, now=now)
    why = NotDone("the entry", "the list has it already, for as long or longer")
    found = BulkResult(done=1 if added else 0, skipped=[] if added else [why])
    to_entries = f"{PATH}?{urlencode({'to': visit.site.tokens.token(to)})}"
    return result(visit, "Add to the list", found, back=to_entries)


def _channel_of(to: str, channel: Channel | None) -> Channel:
    """Return the channel of an address: the given one, or the likely one."""
    if not to:
        raise FormMistake("the recipient is missing")
    fitting = [each for each in Channel if CHANNELS[each].looks_like_address(to)]
    chosen = channel or next(iter(fitting), None)
    if chosen not in fitting or not CHANNELS[chosen].is_address(to):
        raise FormMistake(f"the recipient is not an address of {chosen or 'any channel'}")
    return chosen


def lift(visit: Visit) -> Answer:
    """Lift the selected entries, once their number is typed."""
    ids = chosen_numbers(visit.form, most=MOST_AT_ONCE)
    if not ids:
        raise FormMistake("select at least one entry")
    if len(ids) > 1 and not confirmed(visit, len(ids)):
        question = BulkQuestion(
            action=f"Lift {len(ids):,} suppressions",
            count=len(ids),
            explain=[
                "Their recipients get messages again. A vendor's own list may still have them:"
                " notify suppress sync corrects SendGrid's."
            ],
        )
        return confirmation(visit, question)
    store = visit.site.store
    lifted = lift_for_operator(store, SuppressionFilter(ids=ids), visit.actor(), now=store.clock())
    return result(visit, "Lift", _lifted(ids, lifted), back=PATH)


def _lifted(ids: Sequence[int], lifted: Sequence[ListedSuppression]) -> BulkResult:
    done = {each.id for each in lifted}
    skipped = [NotDone(f"suppression {id_}", "not in effect") for id_ in ids if id_ not in done]
    return BulkResult(done=len(done), skipped=skipped)


ROUTES = (
    ConsolePage(
        path=PATH, needs=Role.VIEWER, show=suppressions, nav=Nav("Senders", "Suppressions")
    ),
    ConsoleAction(path=f"{PATH}/search", needs=Role.VIEWER, act=search, changes=False),
    ConsoleAction(path=f"{PATH}/add", needs=Role.ADMIN, act=add),
    ConsoleAction(path=f"{PATH}/lift", needs=Role.ADMIN, act=lift),
)
