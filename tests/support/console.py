"""The console's application in this process, with a record and users of each role."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Self

import httpx
from anyio.from_thread import BlockingPortal, start_blocking_portal
from argon2 import PasswordHasher

from notify.ledger import Ledger, build_ledger
from notify.people import Passwords, Role, Sessions, add_account
from notify.settings import Settings
from notify.status.overview import Overview
from notify.store import Act, ActFilter, Actor, find_acts
from notify.web.console.application import CONSOLE_LIMITS, console_app
from notify.web.console.checks import BackgroundCheck, ConsoleChecks
from notify.web.console.site import ConsoleSite
from notify.web.console.snapshot import QueueSample
from notify.web.server import WebServer
from tests.support.migrated import migrated

PASSWORD = "correct horse battery"
ORIGIN = "http://127.0.0.1:8490"
QUICK = Passwords(PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
"""Hashes that cost almost nothing."""
SAME_ORIGIN = {"Sec-Fetch-Site": "same-origin"}


class FixedOverview:
    """An overview without broker and record."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def read(self) -> Overview:
        """Return an overview of nothing."""
        return Overview(
            settings=self._settings,
            at=datetime.now(UTC),
            queues=None,
            growth={},
            record=None,
            ledger=None,
            unreadable={"broker": "not asked", "record": "not asked"},
        )

    def providers(self) -> None:
        """Return None: they were not read."""
        return

    def samples(self) -> Mapping[str, Sequence[QueueSample]]:
        """Return no samples."""
        return {}


class Browser:
    """One browser: it keeps its cookies, and follows no redirect."""

    def __init__(self, rig: ConsoleRig, **headers: str) -> None:
        self._rig = rig
        self.client = httpx.AsyncClient(
            transport=httpx.ASGITransport(rig.app), base_url=ORIGIN, headers=SAME_ORIGIN | headers
        )

    def request(self, method: str, path: str, **options: Any) -> httpx.Response:
        """Send one request."""
        return self._rig.portal.call(partial(self.client.request, method, path, **options))

    def get(self, path: str, **options: Any) -> httpx.Response:
        """Read a page."""
        return self.request("GET", path, **options)

    def post(self, path: str, **form: Any) -> httpx.Response:
        """Post a form of the console's own."""
        return self.request("POST", path, data=form)

    def sign_in(self, name: str, password: str = PASSWORD, **fields: str) -> httpx.Response:
        """Post the form of the sign-in."""
        return self.post("/sign-in", name=name, password=password, **fields)


class ConsoleRig:
    """
    The application, and browsers that have signed in or not. A context manager.

    Attributes:
        app: The application.
        store: Its record.
        settings: Its configuration.
        portal: Runs the application's event loop.
    """

    def __init__(
        self, folder: Path, settings: Settings | None = None, *, port: int = 8490, **options: Any
    ) -> None:
        self.settings = settings or Settings()
        self.store = migrated(f"sqlite:///{folder / 'notify.db'}")
        self.sessions = Sessions(self.store, passwords=QUICK)
        site = ConsoleSite(
            self.settings,
            self.store,
            FixedOverview(self.settings),
            ConsoleChecks(BackgroundCheck(list), BackgroundCheck(self._no_ledger)),
        )
        self.app = console_app(site, self.sessions, port=port, **options)
        self._opened = ExitStack()
        self._opened.callback(self.store.close)
        self.portal: BlockingPortal = self._opened.enter_context(start_blocking_portal())
        for role in Role:
            add_account(
                self.store,
                f"{role}-1",
                role=role,
                password=PASSWORD,
                actor=Actor("ann@ops-1", "test"),
                passwords=QUICK,
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def browser(self, role: Role | None = None, **headers: str) -> Browser:
        """Return a browser; with a role, it has signed in."""
        browser = Browser(self, **headers)
        if role is not None:
            assert browser.sign_in(f"{role}-1").status_code == 303
        return browser

    def _no_ledger(self) -> Ledger:
        return build_ledger(self.store, now=self.store.clock())

    @contextmanager
    def served(self, listener: socket.socket) -> Iterator[None]:
        """Serve the application on a port of this machine."""
        ready = threading.Event()
        server = WebServer(
            self.app,
            limits=CONSOLE_LIMITS,
            turn=lambda: None,
            ready=ready.set,
            stopping=lambda: None,
        )
        thread = threading.Thread(target=server.serve_on, args=(listener,))
        thread.start()
        assert ready.wait(30)
        try:
            yield
        finally:
            server.should_exit = True
            thread.join(30)

    def acts(self) -> list[Act]:
        """Return the audit, the newest act first."""
        with self.store.reading() as connection:
            return find_acts(connection, ActFilter(), limit=1000)
