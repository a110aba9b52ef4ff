"""Notifications: the search, and its results page by page."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from urllib.parse import urlencode

from notify.contract import normal_form
from notify.message import Status
from notify.people import Role
from notify.status.notification import masked
from notify.status.qualifiers import QUALIFIERS, SearchMistake, SearchText, parse_search
from notify.status.recipient_tokens import is_token
from notify.status.search import key_as_text, parse_key, search_notifications
from notify.status.story import ids_beginning_with
from notify.store.status import Matches, RowSearch
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

ON_A_PAGE = 50
SEARCH_SECONDS = 0.1
"""A search that takes longer ends its page early, and the page links to the rest."""
PATH = "/notifications"
_LONGEST_RECIPIENT = 1000


def notifications(visit: Visit) -> Answer:
    """Show one page of a search; an id shows its story."""
    text = visit.query.get("q")
    try:
        found = parse_search(text)
        wanted = with_recipient(visit, found)
    except SearchMistake as mistake:
        return _page(visit, text, problem=str(mistake))
    if found.id_digits is not None:
        return _by_id(visit, found.id_digits)
    at = visit.query.get("after")
    page = search_notifications(
        visit.site.store,
        wanted,
        after=parse_key(at) if at else None,
        limit=ON_A_PAGE,
        seconds=SEARCH_SECONDS,
    )
    return _page(visit, str(found), matches=page)


def with_recipient(visit: Visit, found: SearchText) -> RowSearch:
    """
    Return the search with the hashes of its recipient, which a token stands for.

    Raises:
        FormMistake: The recipient itself is in the URL.
        UnknownToken: The token is not one of this process.
    """
    if found.to is None:
        return found.wanted
    if not is_token(found.to):
        raise FormMistake(
            "a recipient must not be in an address: browsers and proxies keep them; write it into"
            " the search field and press Search"
        )
    return found.wanted_of(visit.site.tokens.hashes(found.to))


def search(visit: Visit) -> Answer:
    """Redirect to the address of a search, in which a token stands for the recipient."""
    text = visit.form.get("q")
    back = visit.form.get("back") or PATH
    try:
        found = parse_search(text)
    except SearchMistake as mistake:
        return _page(visit, "" if "to:" in text else text, problem=str(mistake))
    if found.to is not None and not is_token(found.to):
        found = found.with_to(token_of(visit, found.to))
    path = back if back in _BACK else PATH
    return Redirect(f"{path}?{urlencode({'q': str(found)})}" if str(found) else path)


def suggestions(visit: Visit) -> list[str]:
    """Return terms of a search that the configuration knows."""
    settings = visit.site.settings
    return [
        *(f"status:{each}" for each in Status),
        *(f"channel:{each}" for each in settings.channels),
        *(f"lane:{each}" for each in settings.lanes),
        *(f"provider:{each}" for each in settings.providers),
    ]


def token_of(visit: Visit, recipient: str) -> str:
    """
    Return the token of a recipient that a form has.

    Raises:
        FormMistake: It is empty or too long.
    """
    to = normal_form(recipient)
    if not to or len(to) > _LONGEST_RECIPIENT:
        raise FormMistake("the recipient is missing or too long")
    return visit.site.tokens.token(to)


_BACK = (PATH, "/unknown")
"""Pages with the search field."""


def _by_id(visit: Visit, digits: str) -> Answer:
    ids = ids_beginning_with(visit.site.store, digits)
    if len(ids) == 1:
        return Redirect(f"{PATH}/{ids[0]}")
    problem = f"several ids begin with {digits}" if ids else f"no id on record begins with {digits}"
    return _page(visit, digits, problem=problem, ids=[str(each) for each in ids])


def _page(
    visit: Visit,
    text: str,
    *,
    matches: Matches | None = None,
    problem: str = "",
    ids: Sequence[str] = (),
) -> View:
    values = {
        "q": text,
        "matches": matches,
        "rows": [masked(each) for each in matches.rows] if matches else [],
        "next": visit.query.query(after=key_as_text(matches.after))
        if matches and matches.after
        else "",
        "newest": visit.query.query(after=None),
        "paged": bool(visit.query.get("after")),
        "problem": problem,
        "ids": ids,
        "qualifiers": list(QUALIFIERS),
        "suggestions": suggestions(visit),
        "command": _command(text) if matches else "",
        "now": visit.site.store.clock(),
    }
    status = 400 if problem and not ids else 200
    return View("notifications.html.j2", title="Notifications", values=values, status=status)


def _command(text: str) -> str:
    """Return the command for a search; empty if a qualifier has no option."""
    terms = parse_search(text).terms
    if "to:" in text or {"provider", "code"} & terms.keys():
        return ""
    return shlex.join(["notify", "ls", *(f"--{name}={terms[name]}" for name in terms)])


ROUTES = (
    ConsolePage(
        path=PATH,
        needs=Role.VIEWER,
        show=notifications,
        nav=Nav("Messages", "Notifications"),
    ),
    ConsoleAction(path=f"{PATH}/search", needs=Role.VIEWER, act=search, changes=False),
)
