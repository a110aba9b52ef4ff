"""Limits and caps: see them; set or reset a limit's rate, and a cap's count."""

from __future__ import annotations

from notify.errors import NotifyError
from notify.flow import cap_overrides, overrides
from notify.people import Role
from notify.service.flow import caps as configured_caps
from notify.service.flow import limits as configured_limits
from notify.status.caps import read_caps
from notify.status.limits import parent_limit, read_limits
from notify.web.console.pages.fields import SPANS, positive, seconds
from notify.web.console.params import FormMistake
from notify.web.console.routing import ConsoleAction, ConsolePage, Nav, Redirect, View, Visit

PATH = "/limits"


def limits(visit: Visit) -> View:
    """Show all limits and caps."""
    site = visit.site
    values = {
        "limits": read_limits(site.settings, site.store, everything=False),
        "caps": read_caps(site.settings, site.store),
        "spans": SPANS,
    }
    return View("limits.html.j2", title="Limits and caps", values=values)


def set_rate(visit: Visit) -> Redirect:
    """Replace a limit's configured rate."""
    name, rate = _known(visit), positive(visit.form, "rate")
    duration = seconds(visit.form)
    overrides.set_limit(visit.site.store, name, rate, visit.actor(), seconds=duration)
    return Redirect(PATH)


def reset(visit: Visit) -> Redirect:
    """Return a limit to its configured rate, and end a pause."""
    overrides.reset_limits(visit.site.store, [_known(visit)], visit.actor())
    return Redirect(PATH)


def allow_more(visit: Visit) -> Redirect:
    """Allow more in the current span of a cap."""
    amount = positive(visit.form, "amount")
    cap_overrides.allow_more(visit.site.store, _cap(visit), amount, visit.actor())
    return Redirect(PATH)


def reset_cap(visit: Visit) -> Redirect:
    """Count again from 0 in the current span of a cap."""
    cap_overrides.reset_cap(visit.site.store, _cap(visit), visit.actor())
    return Redirect(PATH)


def _cap(visit: Visit) -> cap_overrides.CapCount:
    try:
        return cap_overrides.cap_count(configured_caps(visit.site.settings), visit.form.get("name"))
    except NotifyError as error:
        raise FormMistake(str(error)) from None


def _known(visit: Visit) -> str:
    name = visit.form.get("name")
    settings = visit.site.settings
    if name not in configured_limits(settings) and parent_limit(settings, name) is None:
        raise FormMistake("no limit of this name is configured")
    return name


ROUTES = (
    ConsolePage(path=PATH, needs=Role.VIEWER, show=limits, nav=Nav("Flow", "Limits and caps")),
    ConsoleAction(path=f"{PATH}/set", needs=Role.ADMIN, act=set_rate),
    ConsoleAction(path=f"{PATH}/reset", needs=Role.ADMIN, act=reset),
    ConsoleAction(path=f"{PATH}/allow", needs=Role.ADMIN, act=allow_more),
    ConsoleAction(path=f"{PATH}/reset-cap", needs=Role.ADMIN, act=reset_cap),
)
