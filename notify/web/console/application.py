"""The parts of the console's application, put together."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from starlette.types import ASGIApp

from notify.people import Sessions
from notify.settings import ConsoleSettings
from notify.web import WebGuard, WebLimits
from notify.web.console.assets import Assets
from notify.web.console.attempts import SignInLimits
from notify.web.console.cookies import SessionCookie
from notify.web.console.dispatcher import OpenPages, RequestDispatcher
from notify.web.console.origins import Origins
from notify.web.console.pages_out import PageWriter
from notify.web.console.rendering import Rendering
from notify.web.console.routing import Route, RouteTable
from notify.web.console.sign_in import SIGN_IN, SIGN_OUT, SignIn
from notify.web.console.site import ConsoleSite
from notify.web.console.table import ROUTES
from notify.web.console.users import CookieUsers, FindsUser, ProxyUsers

if TYPE_CHECKING:
    from notify.web.console.oidc import SingleSignOn

CONNECTIONS = 3
"""Database connections, and requests that are handled at once."""
CONSOLE_LIMITS = WebLimits(
    body=1024 * 1024, connections=128, working=CONNECTIONS, answer_seconds=8.0
)


def console_app(
    site: ConsoleSite,
    sessions: Sessions,
    *,
    port: int,
    single: SingleSignOn | None = None,
    limits: WebLimits = CONSOLE_LIMITS,
    routes: Sequence[Route] = ROUTES,
    monotonic: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """
    Return the application.

    Args:
        site: What the pages' handlers use.
        sessions: The users' sessions.
        port: Where the console listens; part of its own address without a public one.
        single: Single sign-on; None without.
        limits: The limits of requests.
        routes: The pages and actions.
        monotonic: Seconds that never go back, by which failed sign-ins are forgiven.
    """
    settings = site.settings.console
    origins = Origins.of(settings, port=port)
    assets = Assets()
    writer = PageWriter(Rendering(routes, assets), secure=origins.secure)
    cookie = SessionCookie(origins)
    sign_in = SignIn(
        sessions,
        cookie=cookie,
        writer=writer,
        limit=SignInLimits(monotonic=monotonic),
        single_sign_on=single is not None,
        limits=limits,
    )
    open_pages = _open_pages(settings, sign_in)
    if single is not None:
        # Only here: its libraries are an extra.
        from notify.web.console.oidc_pages import BEGIN, CALLBACK, OidcPages

        pages = OidcPages(single, sessions, sign_in=sign_in, cookie=cookie, writer=writer)
        open_pages |= {("GET", BEGIN): pages.begin, ("GET", CALLBACK): pages.back}
    dispatcher = RequestDispatcher(
        site,
        table=RouteTable(routes),
        users=_users(settings, sessions, cookie),
        writer=writer,
        origins=origins,
        assets=assets,
        open_pages=open_pages,
        limits=limits,
    )
    return WebGuard(dispatcher, limits)


def _users(settings: ConsoleSettings, sessions: Sessions, cookie: SessionCookie) -> FindsUser:
    if settings.proxy is not None:
        return ProxyUsers(settings.proxy)
    return CookieUsers(sessions, cookie)


def _open_pages(settings: ConsoleSettings, sign_in: SignIn) -> OpenPages:
    if settings.proxy is not None:
        return {}
    return {
        ("GET", SIGN_IN): sign_in.show,
        ("POST", SIGN_IN): sign_in.post,
        ("POST", SIGN_OUT): sign_in.sign_out,
    }
