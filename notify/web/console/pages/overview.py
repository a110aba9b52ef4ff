"""The first page: the state of the whole service."""

from __future__ import annotations

from notify.people import Role
from notify.web.console.routing import ConsolePage, Nav, View, Visit


def overview(visit: Visit) -> View:
    """Show the snapshot."""
    found = visit.site.overview.read()
    return View("overview.html.j2", title="Overview", values={"overview": found})


ROUTES = (ConsolePage(path="/", needs=Role.VIEWER, show=overview, nav=Nav("Now", "Overview")),)
