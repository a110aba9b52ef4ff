"""The two addresses of single sign-on: to the identity provider, and back."""

from __future__ import annotations

import secrets

import anyio
import structlog
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from notify.people import Sessions
from notify.web.console.cookies import SessionCookie
from notify.web.console.oidc import CALLBACK, WAITS, SingleSignOn, UserNotConfirmed
from notify.web.console.pages_out import PageWriter, own_path
from notify.web.console.sign_in import SignIn

BEGIN = "/sign-in/oidc"
_AT_ONCE = 4

log = structlog.get_logger("notify.console")

__all__ = ["BEGIN", "CALLBACK", "OidcPages"]


class OidcPages:
    """Answers the requests of single sign-on."""

    def __init__(
        self,
        single: SingleSignOn,
        sessions: Sessions,
        *,
        sign_in: SignIn,
        cookie: SessionCookie,
        writer: PageWriter,
    ) -> None:
        self._single = single
        self._sessions = sessions
        self._sign_in = sign_in
        self._cookie = cookie
        self._writer = writer
        self._working = anyio.CapacityLimiter(_AT_ONCE)

    async def begin(self, request: Request) -> Response:
        """Send the browser to the identity provider. A link: CSP forbids forms to other hosts."""
        to = own_path(request.query_params.get("next", ""))
        try:
            start = await run_sync(self._single.begin, to, limiter=self._working)
        except UserNotConfirmed as error:
            return self._refused(request, error)
        response = RedirectResponse(start.url, status_code=303)
        self._cookie.put_state(response, start.state, seconds=int(WAITS))
        return self._writer.with_headers(response)

    async def back(self, request: Request) -> Response:
        """Begin a session, if the provider confirms the user of this browser."""
        state, code = (request.query_params.get(each, "") for each in ("state", "code"))
        cookie = self._cookie.state(request) or ""
        try:
            _check(state, cookie, code)
            user, to = await run_sync(self._single.finish, state, code, limiter=self._working)
        except UserNotConfirmed as error:
            return self._refused(request, error)
        start = await run_sync(self._sessions.begin, user)
        response = self._sign_in.started(start, to)
        self._cookie.remove_state(response)
        return response

    def _refused(self, request: Request, error: UserNotConfirmed) -> Response:
        log.warning("notify.console_single_sign_on_failed", reason=str(error))
        return self._sign_in.refused(request)


def _check(state: str, cookie: str, code: str) -> None:
    """Raise if another browser began the sign-in: it would sign this one in as its user."""
    if not state or not secrets.compare_digest(state.encode(), cookie.encode()):
        raise UserNotConfirmed("the state is not that of this browser")
    if not code:
        raise UserNotConfirmed("the provider refused, or the user cancelled")
