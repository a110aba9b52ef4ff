"""An SMTP relay for tests: aiosmtpd on loopback, with answers that a test scripts."""

from __future__ import annotations

import asyncio
import re
import ssl
import threading
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Self

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session

PASSWORD = "canary-password"
_DSN = re.compile(r" (RET|ENVID|NOTIFY|ORCPT)=\S+")
ACCEPTED = "250 2.0.0 Ok: queued as 4XyZ12abCD"


@dataclass(frozen=True, slots=True)
class Received:
    """One message that the relay accepted."""

    sender: str
    to: Sequence[str]
    mail_options: Sequence[str]
    rcpt_options: Sequence[str]
    content: bytes
    at: datetime


Action = str | Callable[["_Server"], Awaitable[str]]
"""A reply, or a coroutine that returns one."""


async def hang(_: _Server) -> str:
    """Reply to nothing until the test ends."""
    await asyncio.Event().wait()
    return ""


async def reset(server: _Server) -> str:
    """Reset the connection instead of a reply."""
    server.transport.abort()
    return ""


async def garbage(server: _Server) -> str:
    """Reply with a line that is not one of SMTP."""
    server.transport.write(b"\xff\xfe hello\r\n")
    await asyncio.Event().wait()
    return ""


@dataclass
class SmtpRelay:
    """
    The relay. Use it as a context manager.

    Attributes:
        replies: By command (`MAIL`, `RCPT`, `DATA`), the replies to come; then it accepts.
        features: Further lines of its reply to EHLO.
        tls: Its certificate, to offer STARTTLS; with `implicit`, to begin with TLS.
        login: Whether it requires a password.
        largest: The most bytes of a message.
        utf8: Whether it offers SMTPUTF8.
        received: The accepted messages.
        commands: The commands of all connections.
        parameters: The arguments of their commands MAIL and RCPT.
        connections: How many connections were accepted so far.
        live: How many are open.
    """

    features: Sequence[str] = ("PIPELINING", "ENHANCEDSTATUSCODES", "DSN")
    tls: ssl.SSLContext | None = None
    implicit: bool = False
    login: bool = False
    largest: int = 33_554_432
    utf8: bool = True
    replies: dict[str, deque[Action]] = field(default_factory=dict)
    received: list[Received] = field(default_factory=list)
    commands: list[str] = field(default_factory=list)
    parameters: list[str] = field(default_factory=list)
    connections: int = 0
    live: int = 0
    port: int = 0

    def on(self, command: str, *replies: Action) -> None:
        """Script the next replies to a command."""
        self.replies[command] = deque(replies)

    def __enter__(self) -> Self:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="smtp relay")
        self._thread.start()
        self._listener = self._call(self._listen())
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._call(self._end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def hang_up(self) -> None:
        """Close all idle connections, as a relay does after its timeout."""

        async def close() -> None:
            for each in list(self._open):
                each.transport.close()
            while self.live:
                await asyncio.sleep(0.01)

        self._call(close())

    def _call(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(60)

    async def _listen(self) -> asyncio.Server:
        self._open: set[_Server] = set()
        return await asyncio.get_running_loop().create_server(
            lambda: _Server(self), "127.0.0.1", 0, ssl=self.tls if self.implicit else None
        )

    async def _end(self) -> None:
        self._listener.close()
        for each in list(self._open):
            each.transport.abort()
        mine = asyncio.current_task()
        others = [each for each in asyncio.all_tasks() if each is not mine]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)


class _Server(SMTP):
    """One connection."""

    transport: Any

    def __init__(self, relay: SmtpRelay) -> None:
        self._relay = relay
        super().__init__(
            _Handler(relay),
            enable_SMTPUTF8=relay.utf8,
            data_size_limit=relay.largest,
            tls_context=None if relay.implicit else relay.tls,
            auth_required=relay.login,
            # Otherwise it warns, in a thread whose warnings pytest makes errors.
            auth_require_tls=relay.login,
            authenticator=_authenticate,
            # Else it asks the DNS for this machine's name, for seconds where there is none.
            hostname="relay.test",
            ident="aiosmtpd",
        )
        # It does not see that a connection began with TLS.
        self._auth_require_tls = relay.login and not relay.implicit

    def connection_made(self, transport: Any) -> None:
        """Count the connection, except the second time, after STARTTLS."""
        if self not in self._relay._open:
            self._relay._open.add(self)
            self._relay.connections += 1
            self._relay.live += 1
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        """Count the end of the connection."""
        if self in self._relay._open:
            self._relay._open.discard(self)
            self._relay.live -= 1
        super().connection_lost(error)

    async def smtp_MAIL(self, arg: str | None) -> None:
        """Record the parameters, and accept those of DSN (RFC 3461), which aiosmtpd lacks."""
        self._relay.parameters.append(arg or "")
        await super().smtp_MAIL(_DSN.sub("", arg or ""))

    async def smtp_RCPT(self, arg: str | None) -> None:
        """Record the parameters, as above."""
        self._relay.parameters.append(arg or "")
        await super().smtp_RCPT(_DSN.sub("", arg or ""))


class _Handler:
    def __init__(self, relay: SmtpRelay) -> None:
        self._relay = relay

    async def _scripted(self, command: str, server: _Server) -> str | None:
        self._relay.commands.append(command)
        replies = self._relay.replies.get(command)
        if not replies:
            return None
        action = replies.popleft()
        return action if isinstance(action, str) else await action(server)

    async def handle_EHLO(
        self, server: _Server, session: Session, envelope: Envelope, name: str, lines: list[str]
    ) -> list[str]:
        """Add the features."""
        self._relay.commands.append("EHLO")
        session.host_name = name
        return [lines[0], *(f"250-{each}" for each in self._relay.features), *lines[1:]]

    async def handle_MAIL(
        self, server: _Server, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        """Reply as scripted."""
        reply = await self._scripted("MAIL", server) or "250 2.1.0 Ok"
        if reply.startswith("2"):
            envelope.mail_from, envelope.mail_options = address, options
        return reply

    async def handle_RCPT(
        self, server: _Server, session: Session, envelope: Envelope, address: str, options: Any
    ) -> str:
        """Reply as scripted."""
        reply = await self._scripted("RCPT", server) or "250 2.1.5 Ok"
        if reply.startswith("2"):
            envelope.rcpt_tos.append(address)
            envelope.rcpt_options.extend(options)
        return reply

    async def handle_DATA(self, server: _Server, session: Session, envelope: Envelope) -> str:
        """Reply as scripted, and keep the message if the reply accepts it."""
        reply = await self._scripted("DATA", server) or ACCEPTED
        if reply.startswith("2"):
            content = envelope.original_content or b""
            sender, to = envelope.mail_from or "", list(envelope.rcpt_tos)
            options = list(envelope.mail_options), list(envelope.rcpt_options)
            self._relay.received.append(Received(sender, to, *options, content, datetime.now(UTC)))
        return reply

    async def handle_RSET(self, server: _Server, session: Session, envelope: Envelope) -> str:
        """Record it."""
        return await self._scripted("RSET", server) or "250 2.0.0 Ok"


def _authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: Any
) -> AuthResult:
    good = isinstance(data, LoginPassword) and data.password == PASSWORD.encode()
    return AuthResult(success=good, handled=False)
