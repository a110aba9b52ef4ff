"""Writing answers: pages, redirects and frames, with their headers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from notify.people import SignedIn
from notify.web.console.headers import frame_headers, page_headers
from notify.web.console.origins import SAFE_METHODS
from notify.web.console.params import FormMistake, Params
from notify.web.console.rendering import REFRESHES, Here, Rendering
from notify.web.console.routing import Answer, Frame, Redirect, View


class PageWriter:
    """Turns the answers of handlers into responses. Thread-safe."""

    def __init__(self, rendering: Rendering, *, secure: bool) -> None:
        self._rendering = rendering
        self._page = page_headers(secure=secure)
        self._frame = frame_headers(secure=secure)

    def answer(self, request: Request, answer: Answer, *, user: SignedIn) -> Response:
        """Return the response of a handler's answer."""
        if isinstance(answer, Redirect):
            return self.with_headers(RedirectResponse(answer.to, status_code=303))
        if isinstance(answer, Frame):
            return HTMLResponse(answer.html, headers=self._frame)
        return self.page(request, answer, user=user)

    def page(self, request: Request, view: View, *, user: SignedIn | None) -> Response:
        """Return a page."""
        html = self._rendering.render(view, _here(request, view, user))
        return HTMLResponse(html, view.status, self._page)

    def mistake(
        self, request: Request, status: int, text: str, *, user: SignedIn | None = None
    ) -> Response:
        """Return a page with one sentence about why there is no other."""
        view = View("mistake.html.j2", title=_TITLES[status], values={"text": text}, status=status)
        return self.page(request, view, user=user)

    def with_headers(self, response: Response) -> Response:
        """Add the headers of a page to a response."""
        response.headers.update(self._page)
        return response


def own_path(text: str) -> str:
    """Return a path of the console, to be sent to; `/` for anything else."""
    # One slash: two, or a backslash, begin the address of another host.
    plain = re.fullmatch(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,2000}", text)
    return text if plain and not text.startswith(("/sign-in", "/sign-out")) else "/"


def _here(request: Request, view: View, user: SignedIn | None) -> Here:
    try:
        query = Params.parse(request.scope["query_string"])
    except FormMistake:
        query = Params()
    refresh = query.get("refresh")
    return Here(
        path=request.url.path,
        title=view.title,
        query=[(name, value) for name, value in query.pairs if name != "refresh"],
        refresh=refresh if refresh in REFRESHES and request.method in SAFE_METHODS else "",
        back=_back(request.headers.get("referer", "")),
        user=user,
    )


def _back(referer: str) -> str:
    """Return the path of the page before; `/` if the header names none of the console's."""
    try:
        before = urlsplit(referer)
    except ValueError:
        return "/"
    return own_path(f"{before.path}?{before.query}" if before.query else before.path)


_TITLES: Mapping[int, str] = {
    400: "Not understood",
    403: "Not permitted",
    404: "Not found",
    405: "Not possible",
    408: "Too slow",
    409: "Refused",
    413: "Too large",
    415: "Not understood",
    421: "Another address",
    500: "Failed",
    503: "Not available",
}
