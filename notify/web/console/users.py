"""The user of a request: by the session's cookie, or by a trusted proxy's headers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from starlette.requests import Request

from notify.people import Role, Sessions, SignedIn
from notify.settings import ProxySettings
from notify.web.console.cookies import SessionCookie

_LONGEST_NAME = 200


class FindsUser(Protocol):
    """Finds the user of a request; called in a thread."""

    def find(self, request: Request) -> SignedIn | None:
        """Return the user; None without one."""
        ...


class CookieUsers:
    """Users with a session. Thread-safe."""

    def __init__(self, sessions: Sessions, cookie: SessionCookie) -> None:
        self._sessions = sessions
        self._cookie = cookie

    def find(self, request: Request) -> SignedIn | None:
        """Return the user of the session's cookie."""
        token = self._cookie.token(request)
        return self._sessions.find(token) if token else None


class ProxyUsers:
    """
    Users that a reverse proxy has authenticated. Thread-safe.

    Only for requests over the Unix socket, whose mode keeps other processes away. A header that
    comes twice is refused: a client may have added one that the proxy did not remove.
    """

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings

    def find(self, request: Request) -> SignedIn | None:
        """Return the user of the headers; None if no group has a role."""
        names = request.headers.getlist(self._settings.user_header)
        groups = request.headers.getlist(self._settings.groups_header)
        if len(names) != 1 or len(groups) > 1 or not 0 < len(names[0]) <= _LONGEST_NAME:
            return None
        claims = [each.strip() for each in ",".join(groups).split(",")]
        role = role_of(claims, self._settings.roles)
        return SignedIn(names[0], role, "proxy") if role else None


def role_of(claims: list[str], roles: Mapping[str, str]) -> Role | None:
    """Return the best role of exact claims; never by a pattern."""
    return Role.best([Role(roles[claim]) for claim in claims if claim in roles])
