"""Rendering pages: the templates of `html/`, with everything escaped, and their filters."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.resources import files
from typing import Any

import jinja2
from markupsafe import Markup

from notify.people import Role, SignedIn
from notify.web.console.assets import Assets
from notify.web.console.routing import ConsolePage, Route, View

REFRESHES = ("off", "1", "2", "5", "15", "60")
"""The choices of seconds between two refreshes."""

GROUPS = ("Now", "Messages", "Flow", "Senders", "System")
"""The groups of the menu, in their order."""

_SLOWEST = 0.1
_LARGEST_EXACT = 2**53


@dataclass(frozen=True, slots=True, kw_only=True)
class Here:
    """
    The request, for every template, as `here`.

    Attributes:
        path: The path, to mark the page in the menu.
        query: The query's fields without `refresh`, to keep them in a form.
        refresh: The seconds between refreshes that the address names; "" if it names none.
        back: The page before, by the browser, or `/`.
        user: None on pages without a session.
    """

    path: str
    title: str
    query: Sequence[tuple[str, str]] = ()
    refresh: str = ""
    back: str = "/"
    user: SignedIn | None = None


def _sources() -> Mapping[str, tuple[str, str, Callable[[], bool]]]:
    """Return the files, read once: an upgrade replaces them before the process is restarted."""
    folder = files("notify.web.console") / "html"
    return {
        each.name: (each.read_text("utf-8"), str(each), lambda: True) for each in folder.iterdir()
    }


class Rendering:
    """Renders views for a user. Thread-safe."""

    def __init__(self, routes: Sequence[Route], assets: Assets) -> None:
        self._pages = [
            each for each in routes if isinstance(each, ConsolePage) and each.nav is not None
        ]
        self._templates = jinja2.Environment(
            loader=jinja2.FunctionLoader(_sources().get),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.filters |= {
            "utc": utc,
            "span": span,
            "number": number,
            "rate": rate,
            "pretty": pretty,
        }
        self._templates.globals |= {
            "assets": assets.by_name,
            "version": version("notify-service"),
            "refreshes": REFRESHES,
            "Role": Role,
        }

    def render(self, view: View, here: Here) -> str:
        """Return the page's HTML."""
        menu = self._menu(here.user) if here.user else {}
        return self._templates.get_template(view.template).render(view.values, here=here, menu=menu)

    def _menu(self, user: SignedIn) -> Mapping[str, list[ConsolePage]]:
        menu: dict[str, list[ConsolePage]] = {group: [] for group in GROUPS}
        for page in self._pages:
            if page.nav is not None and user.role.covers(page.needs):
                menu.setdefault(page.nav.group, []).append(page)
        return {group: pages for group, pages in menu.items() if pages}


def utc(at: datetime | float | None) -> Markup:
    """Return a time element in UTC; the browser shows the local time on hover."""
    if at is None:
        return Markup('<span class="quiet">&ndash;</span>')
    if isinstance(at, int | float):
        at = datetime.fromtimestamp(at, UTC)
    at = at.astimezone(UTC)
    machine, text = at.isoformat(timespec="milliseconds"), f"{at:%Y-%m-%d %H:%M:%S}"
    return Markup('<time datetime="{}">{}</time>').format(machine, text)


def span(seconds: float | None) -> str:
    """Return a duration in two units at most: `3 d 4 h`, `2 min 5 s`, `80 ms`."""
    if seconds is None:
        return "\N{EN DASH}"
    if seconds < 1:
        return f"{1000 * max(seconds, 0):.0f} ms"
    if seconds < 10:
        return f"{seconds:.1f} s"
    whole = int(seconds)
    for size, unit, lower, lower_unit in (
        (86_400, "d", 3600, "h"),
        (3600, "h", 60, "min"),
        (60, "min", 1, "s"),
    ):
        if whole >= size:
            rest = whole % size // lower
            return f"{whole // size} {unit}" + (f" {rest} {lower_unit}" if rest else "")
    return f"{whole} s"


def number(value: int | None) -> str:
    """Return a number with spaces between thousands."""
    return "\N{EN DASH}" if value is None else f"{value:,}".replace(",", "\u202f")


def rate(value: float | None) -> str:
    """Return a rate a second."""
    if value is None:
        return "\N{EN DASH}"
    if 0 < value < _SLOWEST:
        return f"<{_SLOWEST}/s"
    return f"{value:.0f}/s" if value >= 10 or value == 0 else f"{value:.1f}/s"


def pretty(value: Any) -> str:
    """Return a value as indented JSON; numbers that a browser would round are strings."""
    return json.dumps(_exact(value), indent=2, ensure_ascii=False, default=str)


def _exact(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _exact(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_exact(each) for each in value]
    large = isinstance(value, int) and abs(value) > _LARGEST_EXACT
    return str(value) if large else value
