"""All pages and actions of the console, in the order of its menu."""

from __future__ import annotations

from collections.abc import Sequence

from notify.web.console.pages import history, overview, system
from notify.web.console.routing import Route

ROUTES: Sequence[Route] = (*overview.ROUTES, *history.ROUTES, *system.ROUTES)
