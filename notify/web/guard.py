"""The outermost layer of every application: limits on a request's head, and headers of answers."""

from __future__ import annotations

import structlog
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from notify.web.limits import WebLimits

_ANSWERS = (
    (b"cache-control", b"no-store"),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


log = structlog.get_logger("notify.web")


class WebGuard:
    """Refuses requests with a head that is too large, and adds the headers of every answer."""

    def __init__(self, app: ASGIApp, limits: WebLimits) -> None:
        self._app = app
        self._limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or answer it with 431."""
        if scope["type"] != "http":
            return
        if len(scope["headers"]) > self._limits.headers or _size(scope) > self._limits.head:
            refusal = Response(status_code=431, headers={"Connection": "close"})
            await refusal(scope, receive, send)
            return

        begun = False

        async def answer(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                own = message.get("headers", ())
                names = {name for name, _ in own}
                added = [each for each in _ANSWERS if each[0] not in names]
                message["headers"] = [*own, *added]
            await send(message)

        try:
            await self._app(scope, receive, answer)
        except Exception as error:
            # Logged here, once: the server's own log of it would have the client's address.
            log.error("notify.web_crashed", path=_first(scope["path"]), exc_info=error)
            if not begun:
                await Response(status_code=500)(scope, receive, answer)


def _size(scope: Scope) -> int:
    """Return the bytes of a head. The server limits those only that arrive in several reads."""
    line = len(scope["raw_path"]) + len(scope["query_string"])
    return line + sum(len(name) + len(value) + 4 for name, value in scope["headers"])


def _first(path: str) -> str:
    """Return the first part of a path: what follows may be a person's unsubscribe token."""
    return "/" + path.lstrip("/").partition("/")[0][:32]
