"""Holds: those in force, place one, release one."""

from __future__ import annotations

from notify.flow import overrides
from notify.message import Channel
from notify.people import Role
from notify.policies.holds import Scope
from notify.status.holds import alternatives, read_holds
from notify.store.flow import SCOPE_PARTS
from notify.web.console.bulk import BulkQuestion, confirmation, confirmed
from notify.web.console.pages.fields import SPANS, number_part, one_of, seconds, word
from notify.web.console.params import FormMistake
from notify.web.console.routing import (
    Answer,
    ConsoleAction,
    ConsolePage,
    Missing,
    Nav,
    Redirect,
    View,
    Visit,
)

PATH = "/holds"
_LONGEST = {"source": 63, "template": 64}


def holds(visit: Visit) -> View:
    """Show the holds in force, with the form that places one."""
    settings = visit.site.settings
    values = {
        "holds": read_holds(visit.site.store),
        "parts": SCOPE_PARTS,
        "channels": list(Channel),
        "lanes": list(settings.lanes),
        "providers": list(settings.providers),
        "spans": SPANS,
        "waits": [each for each in Channel if each in visit.query.get("waits").split(",")],
        "given": {name: visit.query.get(name) for name in SCOPE_PARTS},
    }
    return View("holds.html.j2", title="Holds", values=values)


def place(visit: Visit) -> Answer:
    """Place a hold; one without any filter stops everything, and needs a typed confirmation."""
    scope = _scope(visit)
    everything = not scope.given
    if everything and not visit.form.get("everything"):
        raise FormMistake("choose the messages to hold, or tick that all are meant")
    if everything and not confirmed(visit, 1):
        question = BulkQuestion(
            action="Hold everything",
            count=1,
            explain=["No message of any channel is sent until the hold is released."],
        )
        return confirmation(visit, question)
    duration = seconds(visit.form)
    overrides.place_hold(visit.site.store, scope, visit.actor(), seconds=duration)
    if scope.provider is not None:
        current = [each.hold for each in read_holds(visit.site.store)]
        others = alternatives(visit.site.settings, current, scope.provider)
        waiting = [channel for channel, names in others.items() if not names]
        if waiting:
            return Redirect(f"{PATH}?waits={','.join(waiting)}")
    return Redirect(PATH)


def release(visit: Visit) -> Redirect:
    """Release one hold."""
    id_ = number_part(visit.parts["id"])
    done = overrides.release_holds(visit.site.store, lambda hold: hold.id == id_, visit.actor())
    if not done.holds:
        raise Missing(f"hold {id_} is not in force: it has ended, or was released")
    return Redirect(PATH)


def _scope(visit: Visit) -> Scope:
    form, settings = visit.form, visit.site.settings
    scope = Scope(
        channel=word(form, "channel", Channel),
        lane=one_of(form, "lane", list(settings.lanes)),
        source=_name(visit, "source"),
        template=_name(visit, "template"),
        provider=one_of(form, "provider", list(settings.providers)),
    )
    if scope.provider is not None and len(scope.given) > 1:
        raise FormMistake("a provider excludes other filters: its hold stops all of its messages")
    return scope


def _name(visit: Visit, field: str) -> str | None:
    value = visit.form.get(field)
    if len(value) > _LONGEST[field]:
        raise FormMistake(f"{field} is longer than {_LONGEST[field]} characters")
    return value or None


ROUTES = (
    ConsolePage(path=PATH, needs=Role.VIEWER, show=holds, nav=Nav("Flow", "Holds")),
    ConsoleAction(path=PATH, needs=Role.OPERATOR, act=place),
    ConsoleAction(path=f"{PATH}/{{id}}/release", needs=Role.OPERATOR, act=release),
)
