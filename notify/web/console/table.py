"""All pages and actions of the console, in the order of its menu."""

from __future__ import annotations

from collections.abc import Sequence

from notify.web.console.pages import (
    circuits,
    dead_letters,
    history,
    holds,
    limits,
    notifications,
    overview,
    plans,
    plans_new,
    replays,
    sources,
    story,
    suppressions,
    system,
    templates,
    unknown,
)
from notify.web.console.routing import Route

ROUTES: Sequence[Route] = (
    *overview.ROUTES,
    *notifications.ROUTES,
    *story.ROUTES,
    *unknown.ROUTES,
    *dead_letters.ROUTES,
    *replays.ROUTES,
    *plans.ROUTES,
    *plans_new.ROUTES,
    *sources.ROUTES,
    *holds.ROUTES,
    *circuits.ROUTES,
    *limits.ROUTES,
    *suppressions.ROUTES,
    *templates.ROUTES,
    *history.ROUTES,
    *system.ROUTES,
)
