"""The ASGI application of `notify web api`: operations, their description, and probes."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Mapping, Sequence

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from notify.web.api.dispatch import ApiDispatcher
from notify.web.api.events import STREAM, EventHandlers
from notify.web.api.openapi import openapi
from notify.web.api.operation import Operation
from notify.web.api.page import POLICY, STYLE, docs_page
from notify.web.api.problems import ApiProblem, of_status
from notify.web.guard import WebGuard
from notify.web.limits import WebLimits
from notify.web.probes import probe_routes

Endpoint = Callable[[Request], Awaitable[Response]]


def api_app(
    operations: Sequence[Operation],
    dispatcher: ApiDispatcher,
    events: EventHandlers,
    *,
    lanes: Sequence[str],
    unready: Callable[[], str | None] = lambda: None,
    limits: WebLimits,
) -> ASGIApp:
    """
    Return the application.

    Args:
        operations: All operations.
        dispatcher: Authorises and answers requests.
        events: Answers requests for a stream.
        lanes: The configured lanes, for the description.
        unready: Returns in a word why no notification can be accepted now; None if it can.
        limits: The limits of requests.
    """
    app = Starlette(
        routes=[
            *_routes(operations, dispatcher, events),
            *_description(operations, lanes),
            *probe_routes(unready),
        ],
        exception_handlers={HTTPException: _problem, Exception: _problem},
    )
    app.router.redirect_slashes = False
    return WebGuard(_Shortcut(app, _fixed(operations, dispatcher, events)), limits)


class _Shortcut:
    """
    Passes requests for an operation without parameters in its path to its endpoint at once.

    Starlette's layers cost a tenth of a request with one notification.
    """

    def __init__(self, app: ASGIApp, fixed: Mapping[tuple[str, str], Endpoint]) -> None:
        self._app = app
        self._fixed = fixed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        endpoint = self._fixed.get((scope["method"], scope["path"]))
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await endpoint(request)
        except Exception as error:
            # As Starlette does it: the guard logs the fault.
            await (await _problem(request, error))(scope, receive, send)
            raise
        await response(scope, receive, send)


def _fixed(
    operations: Sequence[Operation], dispatcher: ApiDispatcher, events: EventHandlers
) -> Mapping[tuple[str, str], Endpoint]:
    """Return the endpoints of operations by method and path, where the path has no parameters."""
    return {
        (each.method, each.path): _endpoint({each.method: each}, dispatcher, events)
        for each in operations
        if "{" not in each.path
    }


def _routes(
    operations: Sequence[Operation], dispatcher: ApiDispatcher, events: EventHandlers
) -> list[Route]:
    """Return one route for each path, so that the answer to another method names all in Allow."""
    by_path: dict[str, dict[str, Operation]] = {}
    for operation in operations:
        by_path.setdefault(operation.path, {})[operation.method] = operation
    return [
        # Starlette's own conversion of a number with more than 4,300 digits is a fault.
        Route(
            path.replace(":int}", "}"),
            _endpoint(methods, dispatcher, events),
            methods=list(methods),
        )
        for path, methods in by_path.items()
    ]


def _endpoint(
    methods: dict[str, Operation], dispatcher: ApiDispatcher, events: EventHandlers
) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        operation = methods["GET" if request.method == "HEAD" else request.method]
        wanted = request.method == "GET" and STREAM in request.headers.get("accept", "")
        if operation.streams and wanted:
            return await _streamed(operation, request, dispatcher, events)
        return await dispatcher.answer(operation, request)

    return endpoint


async def _streamed(
    operation: Operation, request: Request, dispatcher: ApiDispatcher, events: EventHandlers
) -> Response:
    try:
        call = await dispatcher.call(operation, request)
        return await events.stream(call, request)
    except ApiProblem as problem:
        return problem.response()


def _description(operations: Sequence[Operation], lanes: Sequence[str]) -> list[Route]:
    described = openapi(operations, lanes)
    text = json.dumps(described, ensure_ascii=False, indent=1)
    page = docs_page(described)

    async def document(_: Request) -> Response:
        return Response(text, media_type="application/json")

    async def docs(_: Request) -> Response:
        return HTMLResponse(page, headers={"Content-Security-Policy": POLICY})

    async def style(_: Request) -> Response:
        return Response(STYLE, media_type="text/css")

    return [
        Route("/v1/openapi.json", document, methods=["GET"]),
        Route("/v1/docs", docs, methods=["GET"]),
        Route("/v1/docs.css", style, methods=["GET"]),
    ]


async def _problem(_: Request, error: Exception) -> Response:
    """Answer with a problem: a client learns nothing from the text of a fault."""
    if isinstance(error, HTTPException):
        return of_status(error.status_code, error.headers).response()
    return of_status(500).response()
