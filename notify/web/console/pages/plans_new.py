"""A new plan: its form for each action, and its making."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlencode

from notify.errors import NotifyError, StoreError
from notify.message import Channel
from notify.people import Role
from notify.plans import (
    MOST_ITEMS,
    Acts,
    HoldFilter,
    PlanAction,
    PlanOptions,
    PlanRequest,
    PlanRunner,
    default_rate,
    make_plan,
)
from notify.policies.holds import Scope
from notify.reconcile import Resolution
from notify.status.qualifiers import SearchMistake, parse_search
from notify.store import Filter
from notify.store.deadletters import Cause, LetterFilter
from notify.store.flow import SCOPE_PARTS
from notify.suppression import ALL, is_scope
from notify.web.console.pages.dead_letters import FILTERS, letter_filter
from notify.web.console.pages.fields import SPANS, positive, seconds, word
from notify.web.console.pages.plans import PATH, needs, permitted
from notify.web.console.params import FormMistake, Params
from notify.web.console.routing import (
    Answer,
    ConsoleAction,
    ConsolePage,
    Redirect,
    View,
    Visit,
)

NEW = "/plan-new"
HIGHEST_RATE = 1000.0
_OWN = (
    *("q", "since", "finding", "include_unknown", "scope", "lasts", "binding"),
    *("rate", "limit", "reason"),
)
"""The form's fields that are not filters."""
_LETTERS = (PlanAction.REPLAY, PlanAction.DISCARD)
_LABELS = {
    PlanAction.REPLAY: "Replay dead letters",
    PlanAction.DISCARD: "Discard dead letters",
    PlanAction.CANCEL: "Cancel notifications that wait",
    PlanAction.RESOLVE: "Decide on unknown outcomes",
    PlanAction.RELEASE: "Release holds",
    PlanAction.SUPPRESS: "Suppress the recipients of notifications",
}


def new_plan_path(action: PlanAction, fields: Mapping[str, str]) -> str:
    """Return the address of the form for an action, with what selects the items filled in."""
    return f"{NEW}?{urlencode({'action': action.value, **fields})}"


def of_letters(action: PlanAction, form: Params) -> str:
    """Return the address of the form for the dead letters that the fields of a form choose."""
    return new_plan_path(action, {name: form.get(name) for name in FILTERS if form.get(name)})


def form(visit: Visit) -> View:
    """Show the form for one action."""
    action = word(visit.query, "action", PlanAction) or PlanAction.REPLAY
    return _form(visit, action, visit.query)


def _form(
    visit: Visit, action: PlanAction, fields: Params, *, problem: NotifyError | None = None
) -> View:
    values = {
        "problem": str(problem or ""),
        "action": action,
        "actions": permitted(visit),
        "labels": _LABELS,
        "of_letters": action in _LETTERS,
        "given": {name: fields.get(name) for name in (*FILTERS, *SCOPE_PARTS, *_OWN)},
        "causes": list(Cause),
        "channels": list(Channel),
        "findings": list(Resolution),
        "rate": f"{default_rate(action):g}",
        "most": MOST_ITEMS,
        "since": {**SPANS, "": "any time"},
        "lasts": {**SPANS, "": "until it is lifted"},
    }
    mistaken = isinstance(problem, FormMistake | SearchMistake)
    status = 200 if problem is None else 400 if mistaken else 409
    return View("plan_new.html.j2", title=_LABELS[action], values=values, status=status)


def make(visit: Visit) -> Answer:
    """Make a plan, and show it; if it is refused, show the form again, with its values."""
    action = word(visit.form, "action", PlanAction)
    if action is None:
        raise FormMistake("choose an action")
    visit.require(needs(action))
    try:
        return _made(visit, action)
    except StoreError:
        raise
    except NotifyError as error:
        return _form(visit, action, visit.form, problem=error)


def _made(visit: Visit, action: PlanAction) -> Redirect:
    """Make a plan; a worker counts it, a small one is counted at once."""
    store = visit.site.store
    acts = Acts(store, replayer=visit.site.open_replayer)
    made = make_plan(store, acts, _request(action, visit.form), visit.actor())
    with suppress(NotifyError):
        # This machine may lack the templates; a worker counts it then.
        PlanRunner(store, acts).count(made)
    return Redirect(f"{PATH}/{made.id}")


def _request(action: PlanAction, fields: Params) -> PlanRequest:
    rate = positive(fields, "rate") if fields.get("rate") else default_rate(action)
    if rate > HIGHEST_RATE:
        raise FormMistake(f"the rate is above {HIGHEST_RATE:g} a second")
    limit = fields.number("limit", default=MOST_ITEMS, most=MOST_ITEMS)
    wanted = _wanted(action, fields)
    options = _options(action, fields)
    return PlanRequest(action=action, wanted=wanted, rate=rate, limit=limit, options=options)


def _wanted(action: PlanAction, fields: Params) -> LetterFilter | Filter | HoldFilter:
    ago = seconds(fields, "since")
    since = timedelta(seconds=ago) if ago else None
    if action in _LETTERS:
        return replace(letter_filter(fields, state=None), since=since)
    if action is PlanAction.RELEASE:
        parts = {name: fields.get(name) or None for name in SCOPE_PARTS if name != "channel"}
        scope = Scope(channel=word(fields, "channel", Channel), **parts)
        return HoldFilter(scope=scope if scope.given else None)
    return replace(_searched(fields.get("q")), since=since)


def _searched(text: str) -> Filter:
    """
    Return the filter of a search text.

    Raises:
        FormMistake: It has a qualifier by which a plan cannot select.
    """
    found = parse_search(text)
    wanted = found.wanted
    if found.id_digits is not None or found.to is not None or wanted.reads_calls:
        raise FormMistake(
            "a plan cannot select by an id, to:, provider: or code:; use status:, source:, lane:,"
            " channel:, template:, category: and batch:"
        )
    names = ("status", "source", "lane", "channel", "template", "category", "batch_id")
    return Filter(**{name: getattr(wanted, name) for name in names})


def _options(action: PlanAction, fields: Params) -> PlanOptions:
    match action:
        case PlanAction.REPLAY:
            return PlanOptions(include_unknown=bool(fields.get("include_unknown")))
        case PlanAction.RESOLVE:
            finding = word(fields, "finding", Resolution)
            if finding is None:
                raise FormMistake("choose what you found out: sent, not sent, or send again")
            return PlanOptions(finding=finding)
        case PlanAction.SUPPRESS:
            scope = fields.get("scope") or ALL
            if not is_scope(scope):
                raise FormMistake("the scope is not all, source:NAME or category:NAME")
            binding = bool(fields.get("binding"))
            return PlanOptions(scope=scope, lasts=seconds(fields, "lasts"), binding=binding)
    return PlanOptions()


ROUTES = (
    ConsolePage(path=NEW, needs=Role.OPERATOR, show=form),
    ConsoleAction(path=PATH, needs=Role.OPERATOR, act=make),
)
