"""The ASGI application of `notify web receipts`: vendors' receipts, probes, and further routes."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Receive, Scope, Send

from notify.receipt import Forged, Posted, Unreadable, Unverified
from notify.receipts.intake import NotStored, UnknownReader
from notify.service.receipt_address import RECEIPTS_PATH
from notify.telemetry.metrics import Metrics, catalog
from notify.web.body import read_raw_body
from notify.web.guard import WebGuard
from notify.web.limits import DEFAULT_WEB_LIMITS, WebLimits
from notify.web.probes import probe_routes
from notify.web.receipts.batches import AcceptsReceipts, RequestBatches

RETRY_AFTER = {"Retry-After": "10"}

_PREFIX = f"{RECEIPTS_PATH}/"

_STATUS: dict[type[Exception], int] = {
    UnknownReader: 404,
    Forged: 403,
    Unreadable: 400,
    Unverified: 503,
    NotStored: 503,
}
_EMPTY = [(b"content-length", b"0")]
_HEADERS = {
    **dict.fromkeys(_STATUS.values(), _EMPTY),
    204: [],
    503: [*_EMPTY, (b"retry-after", RETRY_AFTER["Retry-After"].encode())],
}


def receipts_app(
    intake: AcceptsReceipts,
    *,
    metrics: Metrics,
    unready: Callable[[], str | None] = lambda: None,
    routes: Sequence[BaseRoute] = (),
    limits: WebLimits = DEFAULT_WEB_LIMITS,
    monotonic: Callable[[], float] = time.monotonic,
) -> ASGIApp:
    """
    Return the application.

    Args:
        intake: Verifies and stores requests; called in threads.
        metrics: Where the duration of answers is recorded.
        unready: Returns in a word why no receipt can be stored now; None if it can.
        routes: Further routes, such as the unsubscribe page; `read_body` reads their bodies.
        limits: The limits of requests.
        monotonic: Seconds that never go back.
    """
    endpoint = _ReceiptsEndpoint(intake, metrics=metrics, limits=limits, monotonic=monotonic)
    post = Route(f"{_PREFIX}{{provider}}", endpoint, methods=["POST"])
    others = Starlette(
        routes=[post, *probe_routes(unready), *routes],
        exception_handlers={HTTPException: _refusal, Exception: _refusal},
    )
    others.router.redirect_slashes = False

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        # Starlette's layers cost a third of a receipt.
        posted = scope["method"] == "POST" and _provider(scope)
        await (endpoint if posted else others)(scope, receive, send)

    return WebGuard(app, limits)


def _provider(scope: Scope) -> str:
    """Return the provider in the path of a request; empty if it is another path."""
    path: str = scope["path"]
    name = path.removeprefix(_PREFIX)
    return "" if name == path or "/" in name else name


class _ReceiptsEndpoint:
    """Answers a vendor's request: 204 once its receipts are stored."""

    def __init__(
        self,
        intake: AcceptsReceipts,
        *,
        metrics: Metrics,
        limits: WebLimits,
        monotonic: Callable[[], float],
    ) -> None:
        self._batches = RequestBatches(intake, working=limits.working)
        self._metrics = metrics
        self._limits = limits
        self._monotonic = monotonic

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            posted = await _posted(scope, receive, self._limits)
        except HTTPException as error:
            refusal = Response(status_code=error.status_code, headers=error.headers)
            await refusal(scope, receive, send)
            return
        provider = _provider(scope)
        begun = self._monotonic()
        status = await self._status(provider, posted)
        if status != 404:
            # An unknown name would be a label of the client's choice.
            seconds = self._monotonic() - begun
            self._metrics.observe(catalog.RECEIPTS_ANSWERS, seconds, provider, str(status))
        await send({"type": "http.response.start", "status": status, "headers": _HEADERS[status]})
        await send({"type": "http.response.body", "body": b""})

    async def _status(self, provider: str, posted: Posted) -> int:
        """Pass the request to the intake; return the status of the answer."""
        try:
            async with asyncio.timeout(self._limits.answer_seconds):
                error = await self._batches.accept(provider, posted)
        except TimeoutError:
            # The thread goes on: a receipt that is stored late is posted again, and applied once.
            return 503
        if error is None:
            return 204
        for kind, status in _STATUS.items():
            if isinstance(error, kind):
                return status
        raise error


async def _posted(scope: Scope, receive: Receive, limits: WebLimits) -> Posted:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1"), raw_value.decode("latin-1")
        # Joined, so that a second signature does not replace the first.
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    query = scope["query_string"].decode("latin-1")
    return Posted(query=query, headers=headers, body=await read_raw_body(headers, receive, limits))


async def _refusal(_: Request, error: Exception) -> Response:
    """Answer with a status alone: a client learns nothing from an error's text."""
    if isinstance(error, HTTPException):
        return Response(status_code=error.status_code, headers=error.headers)
    return Response(status_code=500)
