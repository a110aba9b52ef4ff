"""The probes of every web process: /livez and /readyz."""

from __future__ import annotations

from collections.abc import Callable

from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


def probe_routes(unready: Callable[[], str | None]) -> list[Route]:
    """
    Return the routes of the probes.

    Args:
        unready: Returns the reason why the process cannot do its work now, as one word; None if
            it can.
    """
    return [
        Route("/livez", lambda _: _word(None), methods=["GET"]),
        Route("/readyz", lambda _: _word(unready()), methods=["GET"]),
    ]


def _word(trouble: str | None) -> Response:
    return PlainTextResponse(f"{trouble or 'ok'}\n", status_code=503 if trouble else 200)
