"""Pages and actions: their roles, and the arguments and results of their handlers."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any
from urllib.parse import unquote

from notify.errors import NotifyError
from notify.people import Role, SignedIn
from notify.store import Actor
from notify.web.console.params import FormMistake, Params
from notify.web.console.site import ConsoleSite

LONGEST_REASON = 1000
FORM_BYTES = 1024 * 1024


class Missing(NotifyError):
    """The object that the path names does not exist."""


class NotPermitted(NotifyError):
    """The user's role lacks the right."""

    def __init__(self, needs: Role, role: Role) -> None:
        super().__init__(f"this needs the role {needs}; yours is {role}")


@dataclass(frozen=True, slots=True)
class Visit:
    """One request, of a user who may make it."""

    site: ConsoleSite
    user: SignedIn
    path: str
    """Without the query, such as `/holds/7`."""
    parts: Mapping[str, str] = field(default_factory=dict)
    """The parts of the path that the route names, such as `id`."""
    query: Params = field(default_factory=Params)
    form: Params = field(default_factory=Params)
    """Empty unless the request is an action."""

    def actor(self) -> Actor:
        """
        Return the user with the reason that the form has, for the audit.

        Raises:
            FormMistake: The reason is missing or too long.
        """
        reason = self.form.get("reason")
        if not reason:
            raise FormMistake("the reason is missing: say why; it is kept in the audit")
        if len(reason) > LONGEST_REASON:
            raise FormMistake(f"the reason is longer than {LONGEST_REASON} characters")
        return self.user.actor(reason)

    def may(self, role: Role) -> bool:
        """Return whether the user has the rights of a role, to show a form only to those."""
        return self.user.role.covers(role)

    def require(self, role: Role) -> None:
        """
        Check a right that depends on the object, beyond that of the route.

        Raises:
            NotPermitted: The user lacks it.
        """
        if not self.may(role):
            raise NotPermitted(role, self.user.role)


@dataclass(frozen=True, slots=True)
class View:
    """A page to render: a template of `html/`, its title, and the template's values."""

    template: str
    _: KW_ONLY
    title: str
    values: Mapping[str, Any] = field(default_factory=dict)
    status: int = 200


@dataclass(frozen=True, slots=True)
class Redirect:
    """A page of the console to show instead, by its path and query."""

    to: str


@dataclass(frozen=True, slots=True)
class Frame:
    """Hostile HTML, such as a mail, for `<iframe sandbox src=...>`; scripts never run in it."""

    html: str


Answer = View | Redirect | Frame


@dataclass(frozen=True, slots=True)
class Nav:
    """A page's place in the menu."""

    group: str
    label: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsolePage:
    """A page, answered to GET; it changes nothing."""

    path: str
    needs: Role
    show: Callable[[Visit], Answer]
    nav: Nav | None = None

    method = "GET"

    def handle(self, visit: Visit) -> Answer:
        """Return the page."""
        return self.show(visit)


@dataclass(frozen=True, slots=True, kw_only=True)
class ConsoleAction:
    """An act, answered to POST; its use case writes the audit."""

    path: str
    needs: Role
    act: Callable[[Visit], Answer]
    body: int = FORM_BYTES
    """The most bytes of its form."""
    changes: bool = True
    """Whether it changes anything; if not, it is posted to keep its fields out of an address."""

    method = "POST"

    def handle(self, visit: Visit) -> Answer:
        """Act, and return the result's page."""
        return self.act(visit)


Route = ConsolePage | ConsoleAction


@dataclass(frozen=True, slots=True)
class RouteMatch:
    """The route of a request, and the parts of its path; None if only another method has one."""

    route: Route | None
    parts: Mapping[str, str]


class RouteTable:
    """Finds the route of a request."""

    def __init__(self, routes: Sequence[Route]) -> None:
        self.routes = tuple(routes)
        self._compiled = [(_pattern(route.path), route) for route in routes]

    def find(self, method: str, raw_path: str) -> RouteMatch | None:
        """Return the match of a path, still percent-encoded; None if no route has it."""
        wanted = "GET" if method == "HEAD" else method
        found: RouteMatch | None = None
        for pattern, route in self._compiled:
            match = pattern.fullmatch(raw_path)
            if match is None:
                continue
            parts = {name: unquote(value) for name, value in match.groupdict().items()}
            if route.method == wanted:
                return RouteMatch(route, parts)
            found = RouteMatch(None, parts)
        return found


def _pattern(path: str) -> re.Pattern[str]:
    """Return the pattern of a route's path; `{id}` is one segment."""
    names = re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]{1,500})", path.replace(".", r"\."))
    return re.compile(names)
