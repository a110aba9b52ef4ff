"""Providers and their circuits: see, open, close, shadow, return to the rules."""

from __future__ import annotations

from notify.flow import overrides
from notify.people import Role
from notify.policies.breaker import Mode
from notify.status.providers import read_providers
from notify.store.flow import CircuitChangeFilter, find_circuit_changes
from notify.web.console.pages.fields import SPANS, seconds, word
from notify.web.console.params import FormMistake
from notify.web.console.routing import (
    ConsoleAction,
    ConsolePage,
    Missing,
    Nav,
    Redirect,
    View,
    Visit,
)

PATH = "/providers"
_CHANGES = 30


def providers(visit: Visit) -> View:
    """Show all providers: circuit, limits, recent calls."""
    values = {
        "providers": read_providers(visit.site.settings, visit.site.store),
        "spans": SPANS,
        "now": visit.site.store.clock(),
    }
    return View("providers.html.j2", title="Providers", values=values)


def provider(visit: Visit) -> View:
    """Show one provider, with the forms that override its circuit and its past changes."""
    name = _known(visit)
    found = {each.name: each for each in read_providers(visit.site.settings, visit.site.store)}
    with visit.site.store.reading() as connection:
        wanted = CircuitChangeFilter(providers=[name])
        changes = find_circuit_changes(connection, wanted, limit=_CHANGES)
    values = {
        "one": found[name],
        "changes": changes,
        "spans": SPANS,
        "modes": list(Mode),
    }
    return View("provider.html.j2", title=f"Provider {name}", values=values)


def set_mode(visit: Visit) -> Redirect:
    """Force a circuit open or closed, shadow it, or return it to its rules."""
    name = _known(visit)
    mode = word(visit.form, "mode", Mode)
    if mode is None:
        raise FormMistake("choose a mode")
    duration = None if mode is Mode.AUTO else seconds(visit.form)
    overrides.set_breaker_mode(visit.site.store, [name], mode, visit.actor(), seconds=duration)
    return Redirect(f"{PATH}/{name}")


def _known(visit: Visit) -> str:
    name = visit.parts["name"]
    if name not in visit.site.settings.providers:
        raise Missing("no provider of this name is configured")
    return name


ROUTES = (
    ConsolePage(path=PATH, needs=Role.VIEWER, show=providers, nav=Nav("Flow", "Providers")),
    ConsolePage(path=f"{PATH}/{{name}}", needs=Role.VIEWER, show=provider),
    ConsoleAction(path=f"{PATH}/{{name}}/mode", needs=Role.OPERATOR, act=set_mode),
)
