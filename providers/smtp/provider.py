"""SMTP: email through a relay, such as a company's own mail server."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar

from notify.errors import ConfigError, PermanentError, ProviderError, TransientError
from notify.message import Channel, MailSender, Receipt, Rendered
from notify.provider import LONGEST_CALL
from providers._shared.mime import mime_message
from providers._shared.mime_parts import HeaderUnfit
from providers.smtp.connection import Refused, SmtpConnection
from providers.smtp.envelope import Envelope, Envelopes
from providers.smtp.options import default_ehlo_name, default_port, tls_context, wrong_options
from providers.smtp.pool import SmtpPool, SmtpServer
from providers.smtp.refusals import PROVIDER, refusal
from providers.smtp.return_path import BounceKey
from providers.smtp.transaction import NotBegun, transact

UPLOAD_RATE = 1_000_000
"""Bytes a second in which a message is sent at least; a large one has that many more seconds."""


class Smtp:
    """
    Sends email through an SMTP relay.

    Args:
        host: The relay; a literal address, or the name in its certificate.
        sender: The From address.
        sender_name: The name shown with it.
        port: Default: 587 with STARTTLS, 465 with implicit TLS, 25 without.
        tls: `starttls`, `implicit` or `none`. The certificate is always verified.
        ca_file: The certificate authority of the relay's certificate; default: the system's.
        username: The account, if the relay requires one.
        password: Its password.
        return_path: The address to which mail comes back, such as `bounces@bounces.example.com`;
            each call has its own, with a plus sign and a token. Default: the From address.
        bounce_key: Signs the tokens; required with `return_path`.
        success_reports: Whether the relay is asked to report deliveries too, as far as the
            receiving servers do.
        ehlo_name: The name with which the service greets the relay; default: the host's.
        timeout: Seconds for a call.
        connect_timeout: Seconds for a connection.
        pool: The most idle connections to keep.
        clock: Seconds since 1970.

    Raises:
        ConfigError: An option or the key cannot be used.
    """

    channel: ClassVar[Channel] = Channel.EMAIL

    def __init__(
        self,
        *,
        host: str,
        sender: str,
        sender_name: str | None = None,
        port: int | None = None,
        tls: str = "starttls",
        ca_file: str | None = None,
        username: str | None = None,
        password: str | None = None,
        return_path: str | None = None,
        bounce_key: str | None = None,
        success_reports: bool = False,
        ehlo_name: str | None = None,
        timeout: float = 20.0,
        connect_timeout: float = 5.0,
        pool: int = 64,
        clock: Callable[[], float] = time.time,
    ) -> None:
        given = {key: each for key, each in locals().items() if key != "self" and each is not None}
        for name, text in wrong_options(given):
            raise ConfigError(f"{PROVIDER}: {name} {text}")
        self._sender = MailSender(sender, sender_name)
        self._envelopes = Envelopes(
            return_path,
            BounceKey(bounce_key) if bounce_key else None,
            success_reports=success_reports,
        )
        relay = SmtpServer(
            host,
            port or default_port(tls),
            ehlo_name or default_ehlo_name(),
            tls_context(tls, ca_file),
            tls == "implicit",
            username,
            password,
        )
        self._pool = SmtpPool(relay, connect_timeout=min(connect_timeout, timeout), idle=pool)
        self._timeout = timeout
        self._clock = clock

    def send(self, message: Rendered, /) -> Receipt:
        """Send one email; the receipt's id is the relay's queue id, or the Message-ID."""
        sender = message.sender or self._sender
        envelope = self._envelopes.of(message, sender=sender)
        try:
            content = mime_message(
                message, sender=sender, message_id=envelope.message_id, now=self._clock()
            )
        except HeaderUnfit as error:
            raise PermanentError(f"{PROVIDER}: {error}", provider=PROVIDER, code="header") from None
        seconds = min(self._timeout + len(content) / UPLOAD_RATE, LONGEST_CALL)
        deadline = time.monotonic() + max(seconds, self._timeout)
        try:
            queue_id = self._sent(envelope, content, deadline)
        except Refused as refused:
            own = message.sender is not None
            raise refusal(refused.stage, refused.reply, own_sender=own) from None
        return Receipt(queue_id or envelope.message_id)

    def _sent(self, envelope: Envelope, content: bytes, deadline: float) -> str | None:
        if (connection := self._pool.kept()) is not None:
            try:
                return self._through(connection, envelope, content, deadline)
            except NotBegun:
                pass  # the relay has closed it; another connection can serve this message
        connection = self._opened(deadline)
        try:
            return self._through(connection, envelope, content, deadline)
        except NotBegun as error:
            raise _unreached(error) from None

    def _through(
        self, connection: SmtpConnection, envelope: Envelope, content: bytes, deadline: float
    ) -> str | None:
        connection.deadline = deadline
        try:
            return transact(connection, envelope, content)
        except (ProviderError, Refused, NotBegun):
            raise
        except BaseException:
            connection.close()  # in the midst of a transaction
            raise
        finally:
            if connection.sock is not None:
                self._pool.keep(connection)

    def _opened(self, deadline: float) -> SmtpConnection:
        try:
            return self._pool.opened(deadline=deadline)
        except OSError as error:
            raise _unreached(error) from None

    @staticmethod
    def wrong_options(options: Mapping[str, Any], /) -> Iterator[tuple[str, str]]:
        """Yield the options with which no message could be sent."""
        yield from wrong_options(options)

    def check(self) -> None:
        """Connect, encrypt and authenticate; have the relay accept the From address."""
        deadline = time.monotonic() + self._timeout
        connection = self._opened_for_check(deadline)
        try:
            address = self._envelopes.bare(self._sender)
            (reply,) = connection.commands([f"MAIL FROM:<{address}>"])
        except OSError as error:
            connection.close()
            raise _unreached(error) from None
        connection.unfinished = True
        self._pool.keep(connection)
        if not reply.ok:
            raise refusal("MAIL", reply)

    def _opened_for_check(self, deadline: float) -> SmtpConnection:
        try:
            return self._opened(deadline)
        except Refused as refused:
            raise refusal(refused.stage, refused.reply) from None

    def close(self) -> None:
        """Close the idle connections."""
        self._pool.close()


def _unreached(error: Exception) -> TransientError:
    kind = error.args[0] if isinstance(error, NotBegun) else type(error).__name__
    text = f"{PROVIDER}: the relay was not reached, nothing was sent ({kind})"
    return TransientError(text, provider=PROVIDER)
