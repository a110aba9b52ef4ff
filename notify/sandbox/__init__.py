"""
The provider sandbox: a real HTTP server that answers as SendGrid, Twilio, Vonage and FCM do.

Not here: anything that a worker needs. Only tests, `notify sandbox` and `stack` start it.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from notify.errors import ConfigError
from notify.sandbox.actions import Actions
from notify.sandbox.api import Api
from notify.sandbox.behaviour import Behaviour, Effect, FeedbackEvent, ReceiptFault, Vendor
from notify.sandbox.fcm import Fcm
from notify.sandbox.hosts import Hosts
from notify.sandbox.inbox import Inbox, Message
from notify.sandbox.ledger import LedgerEntry, SandboxLedger
from notify.sandbox.page import Page, environment
from notify.sandbox.posting import Composer, Courier, EventKey, PostEntry, Poster, PostLedger
from notify.sandbox.request_handler import RequestHandler
from notify.sandbox.sendgrid import SendGrid
from notify.sandbox.sendgrid_lists import SendGridMemory
from notify.sandbox.server import SandboxServer
from notify.sandbox.site import Site, list_routes, own_routes, vendor_routes
from notify.sandbox.switch import Switch
from notify.sandbox.twilio import Twilio
from notify.sandbox.vonage import Vonage

__all__ = [
    "Behaviour",
    "Effect",
    "FeedbackEvent",
    "LedgerEntry",
    "Message",
    "PostEntry",
    "ReceiptFault",
    "ReceiptOptions",
    "Sandbox",
    "Switch",
    "Vendor",
]


@dataclass(frozen=True, slots=True)
class ReceiptOptions:
    """
    The service to which later events are posted.

    Attributes:
        url: The address of its receipts, such as `http://127.0.0.1:8480/receipts`.
        key_file: The private key that signs SendGrid's events, created if it is missing; None for
            a new key.
        ledger: A JSON Lines file to append each event that was posted to.
    """

    url: str
    key_file: Path | None = None
    ledger: Path | None = None


class Sandbox:
    """
    A running sandbox, made by `Sandbox.start`; as a context manager it stops on exit.

    Attributes:
        inbox: The accepted messages.
        ledger: The effect of each request, and its answer.
        switch: Sets outages, latencies and limits while it runs.
        poster: Posts the later events; None if no service is configured.
    """

    def __init__(
        self,
        server: SandboxServer,
        *,
        inbox: Inbox,
        ledger: SandboxLedger,
        switch: Switch,
        poster: Poster | None,
    ) -> None:
        self.inbox = inbox
        self.ledger = ledger
        self.switch = switch
        self.poster = poster
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
        receipts: ReceiptOptions | None = None,
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
            receipts: The service to which later events are posted; None posts none.
            keep: The messages and entries to keep in memory; counts and file include all.
            clock: The time, in UTC.
            new_id: Returns a new id of 32 hexadecimal digits.

        Raises:
            ConfigError: The address is in use, or the ledger, the key or the address of the
                receipts cannot be used.
        """
        inbox, entries, switch = (
            Inbox(keep=keep),
            SandboxLedger(ledger, keep=keep),
            Switch(latency=latency),
        )
        poster = _poster(receipts, keep, clock, new_id) if receipts else None
        handler = RequestHandler(inbox, entries, switch, clock, slow, poster)
        sendgrid = SendGrid(clock, new_id, retry_after)
        memory = SendGridMemory(poster.ledger.entries if poster else list)
        vendors = [
            *vendor_routes(
                handler,
                sendgrid,
                Twilio(clock, new_id, retry_after),
                Vonage(clock, new_id),
                Fcm(clock, new_id, retry_after),
            ),
            *list_routes(handler, sendgrid, memory),
        ]
        page = Page(inbox, entries, environment(), poster)
        own = own_routes(Api(inbox, entries, switch, poster), page, Actions(inbox, poster))
        try:
            server = SandboxServer((host, port), Site([*vendors, *own]), Hosts([host, *names]))
        except OSError as error:
            entries.close()
            if poster is not None:
                poster.stop()
            raise ConfigError(
                f"cannot listen on {host}:{port}: {error.strerror}; choose another address"
            ) from None
        return cls(server, inbox=inbox, ledger=entries, switch=switch, poster=poster)

    @property
    def url(self) -> str:
        """The address, as `http://host:port`."""
        host, port = self._server.server_name, self._server.server_port
        return f"http://{host}:{port}"

    @property
    def public_key(self) -> str:
        """The key that verifies SendGrid's events, base64 of DER; empty if none are posted."""
        return self.poster.composer.key.public if self.poster else ""

    def messages(self, *, channel: str = "", to: str = "", notify_id: str = "") -> list[Message]:
        """Return the accepted messages, newest first; an empty argument matches all."""
        return self.inbox.find(channel=channel, to=to, notify_id=notify_id)

    def stop(self) -> None:
        """Close every connection, also hanging ones, and the port."""
        self._server.stop()
        self._thread.join(timeout=5)
        if self.poster is not None:
            self.poster.stop()
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


def _poster(
    options: ReceiptOptions,
    keep: int,
    clock: Callable[[], datetime],
    new_id: Callable[[], str],
) -> Poster:
    if urlsplit(options.url).scheme not in ("http", "https") or not urlsplit(options.url).hostname:
        raise ConfigError(
            f"{options.url!r} is not the address of receipts; "
            "use one such as http://127.0.0.1:8480/receipts"
        )
    key = EventKey.stored(options.key_file) if options.key_file else EventKey.new()
    composer = Composer(options.url.rstrip("/"), key, clock, new_id)
    return Poster(composer, Courier(), PostLedger(options.ledger, keep=keep), clock)
