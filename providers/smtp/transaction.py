"""One message over a connection: until its last line has left, it is certainly not sent."""

from __future__ import annotations

import re
import time
from collections.abc import Sequence
from typing import NoReturn

from notify.errors import InvalidRecipient, OutcomeUnknown, PermanentError, TransientError
from providers.smtp.connection import Malformed, Refused, SmtpConnection, SmtpReply
from providers.smtp.envelope import Envelope
from providers.smtp.refusals import PROVIDER

_STAGES = ("MAIL", "RCPT", "DATA")
_CLOSING = 421
_GO_ON = 354
_END = b".\r\n"
_EARLY = 0.5
"""Seconds to wait for the reply to content that could not be written to its end."""
_QUEUE_ID = re.compile(
    r"(?i)(?:queued as |\bid=|\bok:? (?=[0-9a-f]{16}))([A-Za-z0-9][\w.+-]{3,120})"
    r"|\b([0-9a-z]{8,20})\b(?= message accepted for delivery)"
)


class NotBegun(Exception):
    """The connection ended before the server replied to the first command: try another one."""


def transact(connection: SmtpConnection, envelope: Envelope, content: bytes) -> str | None:
    """
    Send one message; return its id in the server's queue, or None if the server names none.

    The connection can be used again afterwards, unless it is closed.

    Args:
        connection: An open connection, with its deadline.
        envelope: The envelope.
        content: The message, with CRLF at the end of each line.

    Raises:
        NotBegun: The server had closed the connection.
        Refused: The server refused the message.
        PermanentError: The server cannot transport it: it is too large, or has another alphabet.
        TransientError: The connection broke before the message was complete.
        OutcomeUnknown: The whole message was sent, and no reply came.
    """
    commands = _commands(connection, envelope, content)
    connection.messages += 1
    _prepare(connection, commands)
    try:
        connection.send(_stuffed(content))
    except OSError as error:
        # Without its last line the server has no message.
        raise _cut_off(connection, error) from None
    try:
        reply = connection.reply()
    except OSError as error:
        connection.close()
        text = f"the message was sent, no usable reply came ({type(error).__name__})"
        raise OutcomeUnknown(f"{PROVIDER}: {text}", provider=PROVIDER) from None
    return _accepted(connection, reply)


def _accepted(connection: SmtpConnection, reply: SmtpReply) -> str | None:
    connection.unfinished = False
    if reply.code == _CLOSING:
        connection.close()
    if reply.ok:
        found = _QUEUE_ID.search(reply.text)
        return found and (found[1] or found[2])
    if reply.code >= 400:
        raise Refused("END", reply)
    connection.close()
    text = f"the message was sent, the reply is not one of RFC 5321 ({reply.code})"
    raise OutcomeUnknown(f"{PROVIDER}: {text}", provider=PROVIDER, status=reply.code)


def _prepare(connection: SmtpConnection, commands: list[str]) -> None:
    """Send all before the content; the server then waits for the content."""
    reset = ["RSET"] if connection.unfinished else []
    connection.unfinished = True
    try:
        replies = connection.commands([*reset, *commands])
    except Malformed as error:
        connection.close()
        raise TransientError(
            f"{PROVIDER}: the relay's reply is malformed, nothing was sent ({error})",
            provider=PROVIDER,
        ) from None
    except OSError as error:
        connection.close()
        raise NotBegun(type(error).__name__) from None
    stages = ["RSET"] * len(reset) + [*_STAGES]
    for stage, reply in zip(stages, replies, strict=False):
        if not (reply.code == _GO_ON if stage == "DATA" else reply.ok):
            _refused(connection, stage, reply, last=replies[len(stages) - 1 :])


def _refused(
    connection: SmtpConnection, stage: str, reply: SmtpReply, *, last: Sequence[SmtpReply]
) -> NoReturn:
    """Raise for a refused command; the connection waits for the next one, or is closed."""
    if reply.code == _CLOSING:
        connection.close()
        if connection.messages > 1 and stage in ("RSET", "MAIL"):
            raise NotBegun("421")
    elif stage == "RSET" or reply.code < 400:
        connection.close()
        raise NotBegun(f"reply {reply.code}")
    elif last and last[0].code == _GO_ON:
        _end_early(connection)
    raise Refused(stage, reply)


def _end_early(connection: SmtpConnection) -> None:
    """End a transaction without a recipient whose DATA the server accepts (RFC 2920, 3.1)."""
    try:
        connection.send(_END)
        ended = connection.reply()
    except OSError:
        connection.close()
        return
    if ended.code == _CLOSING:
        connection.close()


def _commands(connection: SmtpConnection, envelope: Envelope, content: bytes) -> list[str]:
    sender, to, others = f"<{envelope.sender}>", f"<{envelope.to}>", ""
    if not (envelope.sender + envelope.to).isascii():
        if not connection.has_extn("smtputf8"):
            text = f"{PROVIDER}: the relay has no SMTPUTF8 for an address in another alphabet"
            raise InvalidRecipient(text, provider=PROVIDER, code="smtputf8")
        others += " SMTPUTF8 BODY=8BITMIME"
    if connection.has_extn("size"):
        _check_size(connection.esmtp_features["size"], len(content))
        others += f" SIZE={len(content)}"
    asked = ""
    if envelope.notify and connection.has_extn("dsn"):
        others += f" RET=HDRS ENVID={envelope.attempt_id}"
        asked = f" NOTIFY={envelope.notify} ORCPT=rfc822;{_xtext(envelope.to)}"
    return [f"MAIL FROM:{sender}{others}", f"RCPT TO:{to}{asked}", "DATA"]


def _check_size(most: str, size: int) -> None:
    if most.isdecimal() and 0 < int(most) < size:
        text = f"{PROVIDER}: the message is larger than the relay accepts; nothing was sent"
        raise PermanentError(text, provider=PROVIDER, code="too_large")


def _xtext(address: str) -> str:
    """Return an address as a parameter of a command (RFC 3461 section 4)."""
    return "".join(
        each if "!" <= each <= "~" and each not in "+=" else f"+{ord(each):02X}" for each in address
    )


def _stuffed(content: bytes) -> bytes:
    if b"\r\n." in content:
        content = content.replace(b"\r\n.", b"\r\n..")
    return content + (_END if content.endswith(b"\r\n") else b"\r\n" + _END)


def _cut_off(connection: SmtpConnection, error: OSError) -> Exception:
    """Return the error for content that was not written to its end."""
    try:
        connection.deadline = time.monotonic() + _EARLY
        reply = connection.reply()
    except OSError:
        reply = None
    connection.close()
    if reply is not None and reply.code >= 400:
        return Refused("END", reply)
    text = f"{PROVIDER}: the connection broke, nothing was sent ({type(error).__name__})"
    return TransientError(text, provider=PROVIDER)
