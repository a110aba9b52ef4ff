"""One notification's whole story, with the acts on it: cancel, reveal its recipient."""

from __future__ import annotations

from dataclasses import replace
from uuid import UUID

from notify.delivery import cancel_notifications
from notify.message import Status
from notify.people import Role, record_disclosure
from notify.status.notification import mask, milliseconds, timeline
from notify.status.story import WholeStory, read_story
from notify.store import Filter, Summary
from notify.web.console.bulk import (
    BulkQuestion,
    BulkResult,
    NotDone,
    confirmation,
    confirmed,
    result,
)
from notify.web.console.pages.fields import uuid_part
from notify.web.console.pages.notifications import PATH
from notify.web.console.routing import (
    Answer,
    ConsoleAction,
    ConsolePage,
    Missing,
    Redirect,
    View,
    Visit,
)

_CANCELLABLE = (Status.SCHEDULED, Status.QUEUED)


def story(visit: Visit) -> Answer:
    """Show the story of a row, or lead from a producer's id or a batch's to the page of it."""
    id_ = uuid_part(visit.parts["id"])
    store = visit.site.store
    whole = read_story(store, visit.site.settings, id_)
    if whole is not None:
        return _page(whole)
    rows = [each.summary for each in store.known_as(id_)]
    if len(rows) == 1:
        return Redirect(f"{PATH}/{rows[0].id}")
    if rows:
        return _several(rows)
    if store.count(Filter(batch_id=id_)):
        return Redirect(f"/batches/{id_}")
    return Redirect(f"/dead-letters?state=all&notification={id_}")


def reveal(visit: Visit) -> View:
    """Show the story with its recipient, once the audit has a row for it."""
    whole = _whole(visit)
    details = {"notification": str(whole.story.summary.id)}
    record_disclosure(visit.site.store, visit.actor(), details=details)
    return _page(whole, revealed=True)


def cancel(visit: Visit) -> View:
    """Cancel a notification that no worker has claimed."""
    summary = _whole(visit).story.summary
    store = visit.site.store
    done = cancel_notifications(store, summary.id, visit.actor(), source=summary.source)
    refused = [
        NotDone(str(id_), f"it is {status}: there is nothing left to cancel", f"{PATH}/{id_}")
        for id_, status in done.others.items()
    ]
    found = BulkResult(done=len(done.ids), refused=refused)
    return result(visit, "Cancel", found, back=f"{PATH}/{summary.id}")


def cancel_batch(visit: Visit) -> View:
    """Cancel all of a batch that wait, once their number is typed."""
    id_ = uuid_part(visit.parts["id"])
    store = visit.site.store
    counts = store.count(Filter(batch_id=id_))
    waiting = sum(counts.get(each, 0) for each in _CANCELLABLE)
    if not confirmed(visit, waiting):
        skipped = [
            NotDone(f"{number:,} {status}", "too late: no longer waiting")
            for status, number in counts.items()
            if status not in _CANCELLABLE
        ]
        question = BulkQuestion(
            action=f"Cancel {waiting:,} notifications", count=waiting, skipped=skipped
        )
        return confirmation(visit, question)
    done = cancel_notifications(store, id_, visit.actor(), source=visit.form.get("source") or None)
    refused = [NotDone(str(each), f"it is {status}") for each, status in done.others.items()]
    found = BulkResult(done=len(done.ids), skipped=refused[:100])
    return result(visit, "Cancel the batch", found, back=f"/batches/{id_}")


def _whole(visit: Visit) -> WholeStory:
    id_: UUID = uuid_part(visit.parts["id"])
    whole = read_story(visit.site.store, visit.site.settings, id_)
    if whole is None:
        raise Missing(f"no notification {id_} is on record")
    return whole


def _page(whole: WholeStory, *, revealed: bool = False) -> View:
    summary = whole.story.summary
    shown = summary if revealed else replace(summary, recipient=mask(summary.recipient))
    undecided = summary.status is Status.UNKNOWN or any(
        each.needs_operator for each in whole.waits if summary.status is Status.SENDING
    )
    values = {
        "one": shown,
        "story": whole.story,
        "whole": whole,
        "steps": timeline(whole.story),
        "took": {each.id: milliseconds(each) for each in whole.story.attempts},
        "revealed": revealed,
        "can_cancel": summary.status in _CANCELLABLE,
        "undecided": undecided,
        "commands": _commands(summary, undecided=undecided),
    }
    return View("story.html.j2", title=f"Notification {summary.public_id}", values=values)


def _commands(summary: Summary, *, undecided: bool) -> list[str]:
    commands = [f"notify show {summary.id}"]
    if summary.status in _CANCELLABLE:
        commands.append(f'notify cancel {summary.id} --reason ""')
    if undecided:
        commands.append(
            f'notify resolve {summary.id} --calls {summary.attempts} --not-sent --reason ""'
        )
    return commands


def _several(rows: list[Summary]) -> View:
    shown = [replace(each, recipient=mask(each.recipient)) for each in rows]
    values = {"rows": shown, "now": max(each.updated_at for each in rows)}
    return View("several.html.j2", title="Several sources use this id", values=values)


ROUTES = (
    ConsolePage(path=f"{PATH}/{{id}}", needs=Role.VIEWER, show=story),
    ConsoleAction(path=f"{PATH}/{{id}}/cancel", needs=Role.OPERATOR, act=cancel),
    ConsoleAction(path=f"{PATH}/{{id}}/reveal", needs=Role.OPERATOR, act=reveal),
    ConsoleAction(path="/batches/{id}/cancel", needs=Role.OPERATOR, act=cancel_batch),
)
