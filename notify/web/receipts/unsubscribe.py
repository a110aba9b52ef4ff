"""One-click unsubscribe (RFC 8058): GET shows a page and changes nothing, POST acts at once."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import anyio
import structlog
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Route

from notify.categories import PATH, OptOut
from notify.errors import TemplateError
from notify.receipts.intake import NotStored
from notify.templating import Templates
from notify.web.limits import DEFAULT_WEB_LIMITS, WebLimits
from notify.web.receipts.app import RETRY_AFTER

PAGE = "unsubscribe"
"""The name of the page's template."""

log = structlog.get_logger("notify.web")


class TakesOptOuts(Protocol):
    """The use case behind the page; `notify.receipts.Unsubscriber` is one."""

    def read(self, token: str) -> OptOut | None:
        """Return the opt-out of a token, as `Unsubscriber.read` does."""
        ...

    def unsubscribe(self, token: str, opt_out: OptOut) -> None:
        """Write an opt-out, as `Unsubscriber.unsubscribe` does."""
        ...


def unsubscribe_routes(
    opt_outs: TakesOptOuts,
    *,
    templates: Templates,
    titles: Mapping[str, str],
    limits: WebLimits = DEFAULT_WEB_LIMITS,
    nonce: Callable[[], str] = lambda: secrets.token_urlsafe(16),
) -> Sequence[BaseRoute]:
    """
    Return the routes of unsubscribe links.

    Args:
        opt_outs: Reads tokens and writes opt-outs; called in threads.
        templates: Contain the page.
        titles: The categories' names for people.
        limits: How many requests are handled at once, and for how long.
        nonce: Returns an unguessable text for each page; it permits the page's style.
    """
    endpoint = _UnsubscribeEndpoint(opt_outs, _Page(templates, titles, nonce), limits)
    # One route, so that the answer to another method names both in Allow.
    return [Route(f"{PATH}{{token}}", endpoint.answer, methods=["GET", "POST"])]


class _Page:
    """Writes the page in the reader's language."""

    def __init__(
        self, templates: Templates, titles: Mapping[str, str], nonce: Callable[[], str]
    ) -> None:
        self._templates = templates
        self._titles = titles
        self._nonce = nonce

    def response(
        self, request: Request, state: str, *, category: str = "", status: int = 200
    ) -> Response:
        nonce = self._nonce()
        values = {
            "state": state,
            "title": self._titles.get(category, category),
            "nonce": nonce,
        }
        headers = {
            "Content-Security-Policy": (
                f"default-src 'none'; style-src 'nonce-{nonce}'; form-action 'self';"
                " base-uri 'none'; frame-ancestors 'none'"
            ),
            "X-Robots-Tag": "noindex, nofollow",
            "Vary": "Accept-Language",
        }
        try:
            languages = _languages(request.headers.get("accept-language", ""))
            html, language = self._templates.page(PAGE, languages=languages, values=values)
        except TemplateError as error:
            # A mistake in an operator's page does not keep an opt-out from being confirmed.
            log.error("notify.page_broken", page=PAGE, reason=str(error))
            return Response(status_code=status, headers=headers)
        return HTMLResponse(html, status, headers | {"Content-Language": language})


class _UnsubscribeEndpoint:
    """Answers requests for one link. The body of a POST is not needed: the token says it all."""

    def __init__(self, opt_outs: TakesOptOuts, page: _Page, limits: WebLimits) -> None:
        self._opt_outs = opt_outs
        self._page = page
        self._limits = limits
        self._working = anyio.CapacityLimiter(limits.working)

    async def answer(self, request: Request) -> Response:
        return await (self._post if request.method == "POST" else self._get)(request)

    async def _get(self, request: Request) -> Response:
        opt_out = self._opt_outs.read(request.path_params["token"])
        if opt_out is None:
            return self._page.response(request, "unknown", status=404)
        return self._page.response(request, "asked", category=opt_out.category)

    async def _post(self, request: Request) -> Response:
        token = request.path_params["token"]
        opt_out = self._opt_outs.read(token)
        if opt_out is None:
            return self._page.response(request, "unknown", status=404)
        if await self._written(token, opt_out):
            return self._page.response(request, "done", category=opt_out.category)
        later = self._page.response(request, "later", category=opt_out.category, status=503)
        later.headers.update(RETRY_AFTER)
        return later

    async def _written(self, token: str, opt_out: OptOut) -> bool:
        with anyio.move_on_after(self._limits.answer_seconds):
            try:
                await run_sync(
                    self._opt_outs.unsubscribe,
                    token,
                    opt_out,
                    abandon_on_cancel=True,
                    limiter=self._working,
                )
            except NotStored:
                return False
            return True
        return False


def _languages(header: str) -> Iterator[str]:
    """Yield the languages of an Accept-Language header, the preferred one first."""
    weighted: list[tuple[float, str]] = []
    for part in header[:500].split(","):
        tag, _, weight = part.strip().partition(";q=")
        try:
            weighted.append((float(weight or 1), tag.strip()))
        except ValueError:
            continue
    for preference, tag in sorted(weighted, key=lambda each: -each[0]):
        if preference > 0:
            yield tag
