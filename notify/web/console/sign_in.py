"""Signing in and out: the only pages without a session."""

from __future__ import annotations

import math
from dataclasses import replace

import anyio
import structlog
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from notify.people import Sessions, SessionStart
from notify.web import WebLimits, read_body
from notify.web.console.attempts import SignInLimits, client_address
from notify.web.console.cookies import SessionCookie
from notify.web.console.pages_out import PageWriter, own_path
from notify.web.console.params import Params
from notify.web.console.routing import View

SIGN_IN = "/sign-in"
SIGN_OUT = "/sign-out"
_FORM_BYTES = 8192
_AT_ONCE = 2
"""Checks of passwords at once: each needs 64 MiB."""

log = structlog.get_logger("notify.console")


class SignIn:
    """Answers the requests of the sign-in page."""

    def __init__(
        self,
        sessions: Sessions,
        *,
        cookie: SessionCookie,
        writer: PageWriter,
        limit: SignInLimits,
        single_sign_on: bool,
        limits: WebLimits,
    ) -> None:
        self._sessions = sessions
        self._cookie = cookie
        self._writer = writer
        self._limit = limit
        self._single_sign_on = single_sign_on
        self._limits = limits
        self._checking = anyio.CapacityLimiter(_AT_ONCE)

    async def show(self, request: Request) -> Response:
        """Show the form."""
        return self._page(request, own_path(request.query_params.get("next", "")))

    async def post(self, request: Request) -> Response:
        """Begin a session under a new token, or say that name or password is wrong."""
        form = Params.parse(await read_body(request, replace(self._limits, body=_FORM_BYTES)))
        to, name = own_path(form.get("next")), form.get("name").lower()
        peer = request.client.host if request.client else None
        address = client_address(peer, request.headers.get("x-forwarded-for", ""))
        wait = self._limit.wait(name, address)
        if wait > 0:
            log.warning("notify.console_sign_in_limited", wait_seconds=math.ceil(wait))
            page = self._page(request, to, name=name, mistake="limited", status=429)
            page.headers["Retry-After"] = str(math.ceil(wait))
            return page
        # The password as it is: spaces at its ends belong to it.
        password = (form.all("password") or [""])[-1]
        # Counted before the check: guesses at the same moment do not share one count.
        self._limit.failed(name, address)
        start = await run_sync(self._sessions.sign_in, name, password, limiter=self._checking)
        if start is None:
            log.warning("notify.console_sign_in_failed")
            return self._page(request, to, name=name, mistake="wrong", status=401)
        self._limit.succeeded(name, address)
        return self.started(start, to)

    def started(self, start: SessionStart, to: str) -> Response:
        """Return the answer that gives the browser its new session."""
        log.info("notify.console_signed_in", user=start.user.actor_name, role=start.user.role.value)
        response = RedirectResponse(to, status_code=303)
        self._cookie.put(response, start.token)
        return self._writer.with_headers(response)

    def refused(self, request: Request) -> Response:
        """Return the form after a single sign-on that failed."""
        return self._page(request, "/", mistake="single", status=403)

    async def sign_out(self, request: Request) -> Response:
        """End the session, and show the form."""
        token = self._cookie.token(request)
        if token and (user := await run_sync(self._sessions.find, token)):
            await run_sync(self._sessions.end, token, user)
        response = RedirectResponse(SIGN_IN, status_code=303)
        self._cookie.remove(response)
        response.headers["Clear-Site-Data"] = '"cache"'
        return self._writer.with_headers(response)

    def _page(
        self, request: Request, to: str, *, name: str = "", mistake: str = "", status: int = 200
    ) -> Response:
        values = {
            "next": to,
            "name": name,
            "mistake": mistake,
            "single_sign_on": self._single_sign_on,
        }
        view = View("sign_in.html.j2", title="Sign in", values=values, status=status)
        return self._writer.page(request, view, user=None)
