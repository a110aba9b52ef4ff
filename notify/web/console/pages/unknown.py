"""The inbox of unknown outcomes: sent, not sent, or send again."""

from __future__ import annotations

from urllib.parse import urlencode
from uuid import UUID

from notify.errors import NotifyError, StoreError
from notify.people import Role
from notify.plans import MOST_AT_ONCE
from notify.reconcile import Resolution, decide
from notify.status.notification import masked
from notify.status.qualifiers import parse_search
from notify.status.search import key_as_text, parse_key, read_undecided
from notify.store import Summary
from notify.web.console.bulk import (
    BulkQuestion,
    BulkResult,
    NotDone,
    confirmation,
    confirmed,
    result,
)
from notify.web.console.pages.fields import chosen_ids, word
from notify.web.console.pages.notifications import (
    ON_A_PAGE,
    SEARCH_SECONDS,
    suggestions,
    with_recipient,
)
from notify.web.console.pages.notifications import PATH as NOTIFICATIONS
from notify.web.console.params import FormMistake
from notify.web.console.routing import (
    Answer,
    ConsoleAction,
    ConsolePage,
    Nav,
    Redirect,
    View,
    Visit,
)

PATH = "/unknown"
_ACTIONS = {
    Resolution.SENT: "Count as sent",
    Resolution.NOT_SENT: "Attempt again, as certainly not sent",
    Resolution.RESEND: "Send again, as possible duplicates",
}
_EXPLAINED = {
    Resolution.SENT: "They end as sent. Nothing is sent.",
    Resolution.NOT_SENT: "Their lost calls count as not sent, and workers attempt them again.",
    Resolution.RESEND: (
        "Workers send them again, marked as possible duplicates: recipients may get them twice."
    ),
}


def inbox(visit: Visit) -> Answer:
    """Show one page of the notifications to decide on; an id shows its story."""
    found = parse_search(visit.query.get("q"))
    if found.id_digits is not None:
        return Redirect(f"{NOTIFICATIONS}?{urlencode({'q': found.id_digits})}")
    wanted = with_recipient(visit, found)
    at = visit.query.get("after")
    page = read_undecided(
        visit.site.store,
        wanted,
        after=parse_key(at) if at else None,
        limit=ON_A_PAGE,
        seconds=SEARCH_SECONDS,
    )
    after = page.unknown.after
    values = {
        "q": str(found),
        "suggestions": [each for each in suggestions(visit) if not each.startswith("status:")],
        "parked": [_masked(each) for each in page.unknown.rows if each.due_at is None],
        "looked_up": [_masked(each) for each in page.unknown.rows if each.due_at is not None],
        "lapsed": [_masked(each) for each in page.lapsed.rows],
        "calls": page.calls,
        "next": visit.query.query(after=key_as_text(after)) if after else "",
        "newest": visit.query.query(after=None),
        "paged": bool(at),
        "now": visit.site.store.clock(),
        "findings": list(Resolution),
        "actions": _ACTIONS,
    }
    return View("unknown.html.j2", title="Unknown outcomes", values=values)


def _masked(summary: Summary) -> Summary:
    return masked(summary)


def resolve(visit: Visit) -> View:
    """Decide on the selected ones; a duplicate and a bulk need the typed count."""
    finding = word(visit.form, "finding", Resolution)
    ids = chosen_ids(visit.form, most=MOST_AT_ONCE)
    if finding is None:
        raise FormMistake("choose what you found out: sent, not sent, or send again")
    if not ids:
        raise FormMistake("select at least one notification")
    careful = len(ids) > 1 or finding is Resolution.RESEND
    if careful and not confirmed(visit, len(ids)):
        question = BulkQuestion(
            action=f"{_ACTIONS[finding]}: {len(ids):,}",
            count=len(ids),
            explain=[_EXPLAINED[finding]],
        )
        return confirmation(visit, question)
    back = visit.form.get("back")
    found = _decide(visit, ids, finding)
    return result(visit, _ACTIONS[finding], found, back=back if back.startswith("/n") else PATH)


def _decide(visit: Visit, ids: list[UUID], finding: Resolution) -> BulkResult:
    actor, store = visit.actor(), visit.site.store
    seen = _seen(visit)
    done, refused = 0, []
    for id_ in ids:
        try:
            story = store.get(id_)
            # The row's source: others may use the same id.
            source = story.summary.source if story else None
            calls = seen.get(str(id_))
            decide(store, id_, finding, actor, source=source, calls=calls, now=store.clock())
        except StoreError:
            raise
        except NotifyError as error:
            refused.append(NotDone(str(id_), str(error), f"/notifications/{id_}"))
        else:
            done += 1
    return BulkResult(done=done, refused=refused)


def _seen(visit: Visit) -> dict[str, int]:
    """Return how many calls each notification had when its page was read, by its id."""
    found = {}
    for each in visit.form.all("seen"):
        id_, _, calls = each.partition(".")
        if not (calls.isascii() and calls.isdecimal() and len(calls) < 10):
            raise FormMistake("the form names no number of calls: read the page again")
        found[id_] = int(calls)
    return found


ROUTES = (
    ConsolePage(path=PATH, needs=Role.VIEWER, show=inbox, nav=Nav("Messages", "Unknown")),
    ConsoleAction(path=f"{PATH}/resolve", needs=Role.OPERATOR, act=resolve),
)
