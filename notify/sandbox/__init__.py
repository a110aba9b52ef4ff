"""
The provider sandbox: a real HTTP server that answers as SendGrid, Twilio and FCM do.

Not here: anything that a worker needs. Only tests, `notify sandbox` and `stack` start it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self

from notify.errors import ConfigError
from notify.sandbox.api import Api
from notify.sandbox.behaviour import Behaviour, Effect, FeedbackEvent, Vendor
from notify.sandbox.fcm import Fcm
from notify.sandbox.hosts import Hosts
from notify.sandbox.inbox import Inbox, Message
from notify.sandbox.ledger import LedgerEntry, SandboxLedger
from notify.sandbox.page import Page, environment
from notify.sandbox.request_handler import RequestHandler
from notify.sandbox.sendgrid import SendGrid
from notify.sandbox.server import SandboxServer
from notify.sandbox.site import Site, own_routes, vendor_routes
from notify.sandbox.switch import Switch
from notify.sandbox.twilio import Twilio

__all__ = [
    "Behaviour",
    "Effect",
    "FeedbackEvent",
    "LedgerEntry",
    "Message",
    "Sandbox",
    "Switch",
    "Vendor",
]


class Sandbox:
    """
    A running sandbox, made by `Sandbox.start`; as a context manager it stops on exit.

    Attributes:
        inbox: The accepted messages.
        ledger: The effect of each request, and its answer.
        switch: Sets outages, latencies and limits while it runs.
    """

    def __init__(
        self, server: SandboxServer, *, inbox: Inbox, ledger: SandboxLedger, switch: Switch
    ) -> None:
        self.inbox = inbox
        self.ledger = ledger
        self.switch = switch
        self._server = server
        self._thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    @classmethod
    def start(
        cls,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        names: Collection[str] = (),
        latency: float = 0.0,
        slow: float = 3.0,
        retry_after: int = 2,
        ledger: Path | None = None,
        keep: int = 10_000,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        new_id: Callable[[], str] = lambda: secrets.token_hex(16),
    ) -> Self:
        """
        Listen, and serve in a thread.

        Args:
            host: The address to listen on.
            port: 0 for a free one; see `url`.
            names: Allowed values of `Host`, besides `host`, the machine's name and the loopback.
            latency: Seconds before each answer.
            slow: Seconds before the answer to a SLOW recipient.
            retry_after: Seconds that a 429 asks to wait.
            ledger: A JSON Lines file to append to; None keeps the ledger in memory only.
            keep: The messages and entries to keep in memory; counts and file include all.
            clock: The time, in UTC.
            new_id: Returns a new id of 32 hexadecimal digits.

        Raises:
            ConfigError: The address is in use, or the ledger cannot be written.
        """
        inbox, entries, switch = (
            Inbox(keep=keep),
            SandboxLedger(ledger, keep=keep),
            Switch(latency=latency),
        )
        handler = RequestHandler(inbox, entries, switch, clock, slow)
        vendors = vendor_routes(
            handler,
            SendGrid(clock, new_id, retry_after),
            Twilio(clock, new_id, retry_after),
            Fcm(clock, new_id, retry_after),
        )
        own = own_routes(Api(inbox, entries, switch), Page(inbox, entries, environment()))
        try:
            server = SandboxServer((host, port), Site([*vendors, *own]), Hosts([host, *names]))
        except OSError as error:
            entries.close()
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another address"
            ) from None
        return cls(server, inbox=inbox, ledger=entries, switch=switch)

    @property
    def url(self) -> str:
        """The address, as `http://host:port`."""
        host, port = self._server.server_name, self._server.server_port
        return f"http://{host}:{port}"

    def messages(self, *, channel: str = "", to: str = "", notify_id: str = "") -> list[Message]:
        """Return the accepted messages, newest first; an empty argument matches all."""
        return self.inbox.find(channel=channel, to=to, notify_id=notify_id)

    def stop(self) -> None:
        """Close every connection, also hanging ones, and the port."""
        self._server.stop()
        self._thread.join(timeout=5)
        self.ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()
