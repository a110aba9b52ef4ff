"""The one way of every request: its host, origin, session, role and form, then its handler."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from urllib.parse import quote

import anyio
from anyio.to_thread import run_sync
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send

from notify.errors import NotifyError, StoreError
from notify.people import SignedIn
from notify.web import WebLimits, read_body
from notify.web.console.assets import PREFIX, Assets
from notify.web.console.origins import SAFE_METHODS, Origins
from notify.web.console.pages_out import PageWriter
from notify.web.console.params import FormMistake, Params
from notify.web.console.routing import (
    ConsoleAction,
    Missing,
    NotPermitted,
    Route,
    RouteTable,
    Visit,
)
from notify.web.console.sign_in import SIGN_IN
from notify.web.console.site import ConsoleSite
from notify.web.console.users import FindsUser

OpenPages = dict[tuple[str, str], Callable[[Request], Awaitable[Response]]]
"""By method and path: the pages without a session."""

_STATUS: dict[type[NotifyError], int] = {
    FormMistake: 400,
    NotPermitted: 403,
    Missing: 404,
    StoreError: 503,
}
_LARGE = "the form has more bytes than the console reads"


class RequestDispatcher:
    """
    The application. Each request passes the same checks, whatever its route.

    A route without a role does not exist: `ConsolePage` and `ConsoleAction` need one, and the pages
    without a session are named in `open_pages`.
    """

    def __init__(
        self,
        site: ConsoleSite,
        *,
        table: RouteTable,
        users: FindsUser,
        writer: PageWriter,
        origins: Origins,
        assets: Assets,
        open_pages: OpenPages,
        limits: WebLimits,
    ) -> None:
        self._site = site
        self._table = table
        self._users = users
        self._writer = writer
        self._origins = origins
        self._assets = assets
        self._open = open_pages
        self._limits = limits
        self._working = anyio.CapacityLimiter(limits.working)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        request = Request(scope, receive)
        response = await self._answer(request)
        if request.method == "HEAD":
            response.body = b""
        await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        if not self._origins.accepts_host(request.headers.get("host", "")):
            return PlainTextResponse("The console has another address.\n", 421)
        path = request.url.path
        if path.startswith(PREFIX) and request.method in SAFE_METHODS:
            return self._assets.response(path)
        if not self._origins.may_change(request.method, request.headers):
            text = "The request comes from another site, and changes nothing here."
            return self._writer.mistake(request, 403, text)
        try:
            with anyio.fail_after(self._limits.answer_seconds):
                return await self._routed(request)
        except HTTPException as error:
            refused = self._writer.mistake(request, error.status_code, _LARGE)
            refused.headers.update(error.headers or {})
            return refused
        except TimeoutError:
            return self._busy(request)

    async def _routed(self, request: Request) -> Response:
        method = "GET" if request.method == "HEAD" else request.method
        try:
            opened = self._open.get((method, request.url.path))
            if opened is not None:
                return await opened(request)
            user = await run_sync(self._users.find, request, limiter=self._working)
            if user is None:
                return self._to_sign_in(request)
            return await self._authorised(request, user)
        except NotifyError as error:
            return self._failed(request, error, None)

    async def _authorised(self, request: Request, user: SignedIn) -> Response:
        """Answer a user's request, if the user's role has the right."""
        found = self._table.find(request.method, request.scope["raw_path"].decode("ascii"))
        if found is None:
            text = "There is no such page."
            return self._writer.mistake(request, 404, text, user=user)
        if found.route is None:
            text = "The page does not answer this method."
            return self._writer.mistake(request, 405, text, user=user)
        if not user.role.covers(found.route.needs):
            return self._failed(request, NotPermitted(found.route.needs, user.role), user)
        try:
            form = await self._form(request, found.route)
            visit = Visit(
                site=self._site,
                user=user,
                path=request.url.path,
                parts=found.parts,
                query=Params.parse(request.scope["query_string"]),
                form=form,
            )
            return await run_sync(
                self._handle,
                request,
                found.route,
                visit,
                abandon_on_cancel=found.route.method == "GET",
                limiter=self._working,
            )
        except NotifyError as error:
            return self._failed(request, error, user)

    def _handle(self, request: Request, route: Route, visit: Visit) -> Response:
        return self._writer.answer(request, route.handle(visit), user=visit.user)

    async def _form(self, request: Request, route: Route) -> Params:
        if not isinstance(route, ConsoleAction):
            return Params()
        return Params.parse(await read_body(request, replace(self._limits, body=route.body)))

    def _failed(self, request: Request, error: NotifyError, user: SignedIn | None) -> Response:
        kinds = [status for kind, status in _STATUS.items() if isinstance(error, kind)]
        text = str(error)
        text = text[:1].upper() + text[1:] + ("" if text.endswith(".") else ".")
        return self._writer.mistake(request, kinds[0] if kinds else 409, text, user=user)

    def _to_sign_in(self, request: Request) -> Response:
        """Send a browser to the form, and back to its page afterwards."""
        if ("GET", SIGN_IN) not in self._open:
            text = "The reverse proxy names no user, or none of the user's groups has a role."
            return self._writer.mistake(request, 403, text)
        to = ""
        if request.method in SAFE_METHODS:
            query = request.scope["query_string"].decode("latin-1")
            path = request.scope["raw_path"].decode("ascii") + (f"?{query}" if query else "")
            to = f"?next={quote(path, safe='/')}" if path != "/" else ""
        if "hx-request" in request.headers:
            # A part of a page must not become the form: the whole page goes there.
            response = Response(status_code=401, headers={"HX-Redirect": SIGN_IN + to})
            return self._writer.with_headers(response)
        return self._writer.with_headers(RedirectResponse(SIGN_IN + to, status_code=303))

    def _busy(self, request: Request) -> Response:
        text = "The answer took too long: the record is slow or away. Try again."
        response = self._writer.mistake(request, 503, text)
        response.headers["Retry-After"] = "5"
        return response
