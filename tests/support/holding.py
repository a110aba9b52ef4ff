"""Answers of the sandbox that wait until the test sends them, however long it needs before that."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager

from notify.sandbox import Sandbox
from notify.sandbox.exchange import HttpRequest, Reply
from notify.sandbox.site import Site
from tests.support.patience import PATIENCE


class _Held:
    """A site whose answers wait for an event; their effects are recorded at once."""

    def __init__(self, site: Site, sent: threading.Event) -> None:
        self._site = site
        self._sent = sent

    def answer(self, request: HttpRequest) -> Reply:
        """Answer once the event is set."""
        reply = self._site.answer(request)
        self._sent.wait(PATIENCE)
        return reply


@contextmanager
def held(sandbox: Sandbox) -> Iterator[threading.Event]:
    """Hold the answers of a sandbox back until the event is set, or the context ends."""
    server, sent = sandbox._server, threading.Event()
    site = server.site
    server.site = _Held(site, sent)  # type: ignore[assignment] # the server only asks for answers
    try:
        yield sent
    finally:
        sent.set()
        server.site = site
