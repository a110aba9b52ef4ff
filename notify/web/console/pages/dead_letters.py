"""Dead letters: by cause, one page of them, and one in full."""

from __future__ import annotations

from typing import Any

from notify.errors import Sealed
from notify.message import Channel
from notify.people import Role
from notify.status.letter_body import readable
from notify.status.notification import mask
from notify.status.plain import to_json
from notify.store import Filter
from notify.store.deadletters import (
    ArchivedLetter,
    Cause,
    DeadLetter,
    LetterFilter,
    LetterState,
    count_letters,
    find_letters,
    read_letter,
)
from notify.web.console.pages.fields import number_part, uuid_part, word
from notify.web.console.params import Params
from notify.web.console.routing import ConsolePage, Missing, Nav, View, Visit

PATH = "/dead-letters"
ON_A_PAGE = 50
FILTERS = ("cause", "channel", "lane", "source", "template", "code", "notification")
"""The fields that choose letters, in the query of the list and in the forms of actions."""


def letter_filter(fields: Params, *, state: LetterState | None) -> LetterFilter:
    """
    Return the filter that the fields of a query or form describe.

    Raises:
        FormMistake: A value is not known.
    """
    notification = fields.get("notification")
    return LetterFilter(
        cause=word(fields, "cause", Cause),
        channel=word(fields, "channel", Channel),
        lane=fields.get("lane") or None,
        source=fields.get("source") or None,
        template=fields.get("template") or None,
        code=fields.get("code") or None,
        notification_id=uuid_part(notification) if notification else None,
        state=state,
    )


def letters(visit: Visit) -> View:
    """Show one page of dead letters, and how many wait by cause."""
    state = _state(visit.query)
    wanted = letter_filter(visit.query, state=state)
    before = visit.query.get("before")
    with visit.site.store.reading() as connection:
        counts = count_letters(connection, LetterFilter(state=LetterState.WAITING))
        paged = _before(wanted, number_part(before) if before else None)
        found = find_letters(connection, paged, limit=ON_A_PAGE + 1)
    shown = found[:ON_A_PAGE]
    values = {
        "letters": shown,
        "counts": sorted(counts.items(), key=lambda each: (-each[1], each[0])),
        "total": sum(counts.values()),
        "state": state,
        "states": list(LetterState),
        "filters": {name: visit.query.get(name) for name in FILTERS},
        "filtered": any(visit.query.get(name) for name in FILTERS),
        "channels": list(Channel),
        "causes": list(Cause),
        "query": visit.query,
        "next": visit.query.query(before=str(shown[-1].id)) if len(found) > ON_A_PAGE else "",
        "newest": visit.query.query(before=None),
        "paged": bool(before),
        "now": visit.site.store.clock(),
    }
    return View("dead_letters.html.j2", title="Dead letters", values=values)


def _state(query: Params) -> LetterState | None:
    if query.get("state") == "all":
        return None
    return word(query, "state", LetterState) or LetterState.WAITING


def _before(wanted: LetterFilter, before: int | None) -> LetterFilter:
    values = {name: getattr(wanted, name) for name in LetterFilter.__dataclass_fields__}
    return LetterFilter(**values | {"before_id": before})


def letter(visit: Visit) -> View:
    """Show one dead letter, with the recipients in its body masked."""
    id_ = number_part(visit.parts["id"])
    try:
        return letter_page(visit, *find_one(visit, id_))
    except Sealed as error:
        # Everything but personal data is shown without the keyring too.
        with visit.site.store.reading() as connection:
            (one,) = find_letters(connection, LetterFilter(ids=[id_]), limit=1)
        return letter_page(visit, one, None, sealed=str(error))


def find_one(visit: Visit, id_: int) -> tuple[DeadLetter, ArchivedLetter]:
    """
    Return a letter and its content.

    Raises:
        Missing: There is none.
        Sealed: The console's keyring cannot open it.
    """
    with visit.site.store.reading() as connection:
        found = find_letters(connection, LetterFilter(ids=[id_]), limit=1)
        content = read_letter(connection, id_)
    if not found or content is None:
        raise Missing(f"there is no dead letter {id_}: retention may have deleted it")
    return found[0], content


def letter_page(
    visit: Visit,
    one: DeadLetter,
    content: ArchivedLetter | None,
    *,
    revealed: bool = False,
    sealed: str = "",
    values: dict[str, Any] | None = None,
) -> View:
    """
    Return the page of one letter.

    Args:
        content: None if it cannot be opened.
        sealed: Why not.
        values: For the form that edits it.
    """
    shown: dict[str, Any] = {
        "one": one,
        "content": content,
        "sealed": sealed,
        **(_content(content, revealed=revealed) if content else {}),
        "revealed": revealed,
        "of": _of(visit, one),
        "editing": None,
        "problem": "",
        "commands": [f"notify dead show {one.id}", f'notify dead replay {one.id} --reason ""'],
    }
    return View("dead_letter.html.j2", title=f"Dead letter {one.id}", values=shown | (values or {}))


def _content(content: ArchivedLetter, *, revealed: bool) -> dict[str, Any]:
    edited = content.mended_body
    return {
        "body": readable(content.body, show_recipients=revealed),
        "edited": readable(edited, show_recipients=revealed) if edited is not None else None,
        "properties": to_json(content.properties, indent=2),
    }


def _of(visit: Visit, one: DeadLetter) -> dict[str, Any]:
    """Return what the record has of the letter's notification or batch."""
    if one.notification_id is None:
        return {"summary": None, "counts": {}}
    store = visit.site.store
    stories = store.known_as(one.notification_id, source=one.source)
    if stories:
        summary = stories[0].summary
        return {"summary": summary, "recipient": mask(summary.recipient)}
    counts = store.count(Filter(batch_id=one.notification_id, source=one.source))
    return {"summary": None, "counts": counts}


ROUTES = (
    ConsolePage(path=PATH, needs=Role.VIEWER, show=letters, nav=Nav("Messages", "Dead letters")),
    ConsolePage(path=f"{PATH}/{{id}}", needs=Role.VIEWER, show=letter),
)
