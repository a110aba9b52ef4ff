"""The application: answers by the intake's result, and the limits of a request."""

from __future__ import annotations

import asyncio
import gzip
import threading
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from structlog.testing import capture_logs

from notify.receipt import Forged, Posted, Unreadable, Unverified
from notify.receipts.intake import NotStored, UnknownReader
from notify.telemetry.metrics import Metrics
from notify.web import WebLimits
from notify.web.receipts import receipts_app
from tests.support.patience import PATIENCE
from tests.support.tables import each_of

LIMITS = WebLimits(body=1000, body_seconds=PATIENCE, headers=20, answer_seconds=PATIENCE, working=2)


class _Intake:
    """Records what it is called with, and raises what a test wants."""

    def __init__(
        self, error: Exception | None = None, *, hangs_until: threading.Event | None = None
    ) -> None:
        self.taken: list[tuple[str, Posted]] = []
        self._error = error
        self._hangs_until = hangs_until

    def accept_all(
        self, provider: str, requests: Sequence[Posted], /
    ) -> Sequence[Exception | None]:
        """Record the requests."""
        if self._hangs_until is not None:
            self._hangs_until.wait(PATIENCE)
        self.taken += [(provider, each) for each in requests]
        return [self._error] * len(requests)


def _call(
    intake: _Intake,
    method: str = "POST",
    path: str = "/receipts/x",
    *,
    limits: WebLimits = LIMITS,
    **request: Any,
) -> httpx.Response:
    async def answered() -> httpx.Response:
        app = receipts_app(
            intake, metrics=Metrics(), unready=lambda: "both_away", limits=limits, routes=[_PAGE]
        )
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.request(method, path, **request)

    return asyncio.run(answered())


async def _page(_: Request) -> PlainTextResponse:
    return PlainTextResponse("page", headers={"Cache-Control": "max-age=1"})


_PAGE = Route("/page", _page)


def test_a_request_reaches_the_intake_unchanged() -> None:
    """Its body as raw bytes, its query as sent, and its headers in lower case."""
    intake = _Intake()
    body = b'[{"a": 1}]\r\n\xff'
    answer = _call(intake, path="/receipts/sendgrid?a=%41&b", content=body, headers={"X-Sig": "s"})
    assert (answer.status_code, answer.content) == (204, b"")
    ((provider, posted),) = intake.taken
    assert (provider, posted.query, posted.body) == ("sendgrid", "a=%41&b", body)
    assert posted.headers["x-sig"] == "s"


def test_a_repeated_header_replaces_nothing() -> None:
    """Else a proxy and this service could see different signatures."""
    intake = _Intake()
    _call(intake, content=b"", headers=[("X-Sig", "one"), ("X-Sig", "two")])
    assert intake.taken[0][1].headers["x-sig"] == "one, two"


@each_of(
    ("error", "status"),
    [
        (UnknownReader("x"), 404),
        (Forged("x"), 403),
        (Unreadable("x"), 400),
        (NotStored("x"), 503),
        (Unverified("x"), 503),
        (RuntimeError("ada@example.com"), 500),
    ],
)
def test_a_failure_is_answered_with_its_status_and_no_text(error: Exception, status: int) -> None:
    """A client that guesses learns nothing more."""
    with capture_logs() as logs:
        answer = _call(_Intake(error), content=b"{}")
    assert (answer.status_code, answer.content) == (status, b"")
    assert ("retry-after" in answer.headers) == (status == 503)
    assert [line["event"] for line in logs] == (["notify.web_crashed"] if status == 500 else [])


def test_only_post_is_accepted() -> None:
    """A vendor's GET has its data in the address, and proxies log addresses."""
    intake = _Intake()
    assert _call(intake, "GET").status_code == 405
    assert _call(intake, "PUT", content=b"x").status_code == 405
    assert _call(intake, path="/receipts/x/", content=b"x").status_code == 404
    assert intake.taken == []


def test_an_intake_that_hangs_is_answered_in_time() -> None:
    """The vendor posts again."""
    answered = threading.Event()
    short = replace(LIMITS, answer_seconds=0.1)
    assert _call(_Intake(hangs_until=answered), limits=short, content=b"x").status_code == 503
    answered.set()


def test_probes_and_further_routes() -> None:
    """They share the port; an own caching header stays."""
    assert _call(_Intake(), "GET", "/livez").text == "ok\n"
    unready = _call(_Intake(), "GET", "/readyz")
    assert (unready.status_code, unready.text) == (503, "both_away\n")
    page = _call(_Intake(), "GET", "/page")
    assert (page.text, page.headers["cache-control"]) == ("page", "max-age=1")
    assert page.headers["x-content-type-options"] == "nosniff"


def _gzip(body: bytes) -> dict[str, Any]:
    return {"content": body, "headers": {"Content-Encoding": "gzip"}}


async def _chunks(count: int, *, pause: float = 0) -> AsyncIterator[bytes]:
    for _ in range(count):
        await asyncio.sleep(pause)
        yield b"x" * 100


@each_of(
    ("request_", "status"),
    [
        ({"content": b"x" * 1000}, 204),
        ({"content": b"x" * 1001}, 413),
        ({"content": b"x", "headers": {"Content-Length": "9" * 30}}, 413),
        ({"content": b"x", "headers": {"Content-Length": "-1"}}, 413),
        (_gzip(gzip.compress(b"x" * 1000)), 204),
        (_gzip(gzip.compress(b"x" * 1001)), 413),
        (_gzip(gzip.compress(b"x" * 900_000)), 413),
        (_gzip(gzip.compress(b"x" * 500)[:-4]), 400),
        (_gzip(gzip.compress(b"x" * 5) + b"more"), 400),
        (_gzip(b"not gzip"), 400),
        ({"content": b"x", "headers": {"Content-Encoding": "br"}}, 415),
        ({"content": b"x", "headers": {"Content-Encoding": "gzip, gzip"}}, 415),
        ({"content": b"x", "headers": {f"X-{n}": "y" for n in range(30)}}, 431),
    ],
)
def test_a_request_beyond_a_limit_is_refused(request_: dict[str, Any], status: int) -> None:
    """Before the intake sees it."""
    intake = _Intake()
    answer = _call(intake, **request_)
    assert answer.status_code == status
    assert len(intake.taken) == (status == 204)
    assert (answer.headers.get("connection") == "close") == (status != 204)


def test_a_chunked_body_is_bounded_too() -> None:
    """It has no length in advance."""
    intake = _Intake()
    assert _call(intake, content=_chunks(5)).status_code == 204
    assert intake.taken[0][1].body == b"x" * 500
    assert _call(intake, content=_chunks(11)).status_code == 413
