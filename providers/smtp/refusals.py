"""
A relay's refusals as errors, by its reply, the command that it refused, and the enhanced code.

Sources: RFC 5321 section 4.2, RFC 3463, RFC 4954 section 6, and
https://www.iana.org/assignments/smtp-enhanced-status-codes
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from notify.errors import (
    InvalidRecipient,
    PermanentError,
    ProviderError,
    RecipientGone,
    Throttled,
    TransientError,
    Unauthorized,
)
from providers._shared.smtp_status import enhanced_code, is_bad_address
from providers.smtp.connection import SmtpReply

PROVIDER = "smtp"
PAUSE = 30.0
"""Seconds to wait if the relay throttles; SMTP has no header that says how long."""

# Our rights at the relay: a password, an encryption or an account is missing.
_OURS = frozenset({"5.7.0", "5.7.3", "5.7.8", "5.7.9", "5.7.11", "5.7.13", "5.7.14"})
_RELAYING = re.compile(
    r"(?i)relay(ing)? (access )?(is )?(denied|not permitted|not allowed)"
    r"|unable to relay|not (permitted|allowed) to relay"
)
_THROTTLED = re.compile(r"(?i)throttl|rate limit|sending rate|too (many|much) (mail|message|conn)")
_UNKNOWN_MAILBOX = frozenset({550, 551, 553})
_DISABLED_OR_FULL = re.compile(r"5\.2\.[12]")
_HELLO = frozenset({"CONNECT", "EHLO", "STARTTLS", "AUTH"})

_TEXTS: Mapping[type[ProviderError], str] = {
    TransientError: "the relay did not accept the message now",
    Throttled: "the relay asks to slow down",
    Unauthorized: "the relay refused our host, password or sender; check them",
    PermanentError: "the relay will never accept this message",
    InvalidRecipient: "the relay refused the recipient permanently",
    RecipientGone: "the relay refused the recipient, whose address does not exist",
}


def refusal(stage: str, reply: SmtpReply, *, own_sender: bool = False) -> ProviderError:
    """
    Return the error for a reply that refuses a command; the message is certainly not sent.

    Args:
        stage: The command: `CONNECT`, `EHLO`, `STARTTLS`, `AUTH`, `MAIL`, `RCPT`, `DATA`, or
            `END` for the reply to the content.
        reply: The reply.
        own_sender: Whether the message has a From of its own.
    """
    code = enhanced_code(reply.text)
    if code and code[0] != str(reply.code)[0]:
        code = None
    kind = _kind(stage, reply, code, own_sender=own_sender)
    shown = code or str(reply.code)
    return kind(
        f"{PROVIDER}: {_TEXTS[kind]} ({stage}: {reply.code}{f', {code}' if code else ''})",
        provider=PROVIDER,
        status=reply.code,
        code=shown,
        retry_after=PAUSE if kind is Throttled else None,
    )


def _kind(
    stage: str, reply: SmtpReply, code: str | None, *, own_sender: bool
) -> type[ProviderError]:
    if reply.code < 500:
        # 454 to AUTH or STARTTLS is a fault of the moment, whatever its text.
        throttled = stage not in ("AUTH", "STARTTLS") and _THROTTLED.search(reply.text)
        return Throttled if throttled else TransientError
    if stage in _HELLO:
        # An absent STARTTLS may be an attack on this connection only.
        return TransientError if stage == "STARTTLS" else Unauthorized
    if reply.code == 530 or code in _OURS or _RELAYING.search(reply.text):
        return Unauthorized
    if stage == "MAIL":
        return _of_sender(code, own_sender=own_sender)
    return _of_message(stage, reply.code, code)


def _of_sender(code: str | None, *, own_sender: bool) -> type[ProviderError]:
    if code is not None and code.startswith(("5.3.", "5.2.3", "5.6.")):
        return PermanentError  # too large, by the size in the command
    # The From address is the same for every message, unless its category has another.
    return PermanentError if own_sender else Unauthorized


def _of_message(stage: str, number: int, code: str | None) -> type[ProviderError]:
    if is_bad_address(code):
        return RecipientGone
    if code is not None and _DISABLED_OR_FULL.fullmatch(code):
        return InvalidRecipient
    if code is None and stage == "RCPT" and number in _UNKNOWN_MAILBOX:
        # Without a code: no such mailbox, or a policy. It ends this message and suppresses nothing.
        return InvalidRecipient
    return PermanentError
