"""Events of a source: a page of them, or a stream of server-sent events."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractContextManager
from datetime import datetime

import anyio
from anyio.to_thread import run_sync
from starlette.requests import Request
from starlette.responses import Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from notify.apikeys import ApiKey
from notify.errors import StoreError
from notify.status.events import EventHistory
from notify.store.relays import EventPage
from notify.web.api.feed import EventFeed
from notify.web.api.models import EventsQuery, EventsView
from notify.web.api.operation import ApiAnswer, ApiCall
from notify.web.api.problems import ApiProblem

STREAM = "text/event-stream"
"""The content type of server-sent events."""
LAST = "last-event-id"
"""The header with which a client continues a stream."""
PAUSE = 0.25
"""Seconds between two looks of an open stream at the feed, in memory."""
BEAT = 15.0
"""Seconds without an event after which a comment shows that the stream is open."""
_AT_ONCE = 100


class _CountedStream(StreamingResponse):
    """A stream that is counted until its answer ends, even if the answer never began."""

    def __init__(self, text: AsyncIterator[str], opened: AbstractContextManager[bool]) -> None:
        super().__init__(text, media_type=STREAM)
        self._opened = opened

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._opened.__exit__(None, None, None)


class EventHandlers:
    """Answers the operations on events of the key's source."""

    def __init__(
        self,
        history: EventHistory,
        feed: EventFeed,
        *,
        live: Callable[[int], bool],
        stopping: Callable[[], bool],
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """
        Use a record's events.

        Args:
            live: Returns whether a key is still valid, by its number: if not, its streams end.
            stopping: Returns whether the process stops, which ends open streams.
            monotonic: Seconds that never go back.
        """
        self._history = history
        self._feed = feed
        self._live = live
        self._stopping = stopping
        self._monotonic = monotonic
        self._reading = anyio.CapacityLimiter(4)

    def page(self, call: ApiCall) -> ApiAnswer:
        """Return a page of events, the oldest first."""
        query: EventsQuery = call.query
        page = self._history.page(call.source, after=self._place(query), limit=query.limit)
        return ApiAnswer(
            EventsView(events=list(page.events), next=str(page.after), complete=page.complete)
        )

    async def stream(self, call: ApiCall, request: Request) -> Response:
        """
        Return an endless stream of events, which begins after `Last-Event-ID` or `since`.

        Raises:
            ApiProblem: Too many streams are open, or the record is away.
        """
        last = request.headers.get(LAST, "")
        if last.isdecimal() and len(last) < 19:
            place = int(last)
        else:
            try:
                place = await run_sync(self._place, call.query, limiter=self._reading)
            except StoreError:
                raise ApiProblem("unavailable", "the record is away") from None
        opened = self._feed.stream(call.key.id)
        if not opened.__enter__():
            opened.__exit__(None, None, None)
            raise ApiProblem(
                "limited", "too many open streams: close some", headers={"Retry-After": "15"}
            )

        return _CountedStream(self._text(call.key, place), opened)

    async def _text(self, key: ApiKey, place: int) -> AsyncIterator[str]:
        """Yield the lines of a stream until its key ends, or the process stops."""
        source = key.source
        yield "retry: 2000\n\n"
        said = self._monotonic()
        caught_up = False
        while self._live(key.id) and not self._stopping():
            settled = self._feed.settled
            if settled is not None and not (caught_up and self._feed.newest(source) <= place):
                page = await self._next(source, place, settled)
                for event in page.events:
                    yield f"id: {event.sequence}\nevent: {event.status}\n"
                    yield f"data: {event.model_dump_json()}\n\n"
                    said = self._monotonic()
                place = max(place, page.after)
                caught_up = page.complete
                if not caught_up:
                    continue
            if self._monotonic() - said >= BEAT:
                yield ": open\n\n"
                said = self._monotonic()
            await anyio.sleep(PAUSE)

    async def _next(self, source: str, place: int, settled: int) -> EventPage:
        def read() -> EventPage:
            return self._history.page(source, after=place, limit=_AT_ONCE, until=settled)

        try:
            return await run_sync(read, limiter=self._reading)
        except StoreError:
            # The client keeps its stream: it continues when the record is back.
            await anyio.sleep(1)
            return EventPage([], place, complete=False)

    def _place(self, query: EventsQuery) -> int:
        since = query.since
        if isinstance(since, datetime):
            return self._history.place_of(since)
        return int(since)
