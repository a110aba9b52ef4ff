"""
An email in its form for the wire (RFC 5322, MIME), for vendors that accept raw messages.

`email.message` with its policy for SMTP needs 1.7 ms for a message with two parts. Here only values
that need encoding pass through that package; plain ones are written as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from email.errors import MessageError
from email.header import Header
from email.headerregistry import Address
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache

from notify.message import MailSender, Rendered
from providers._shared.mime_parts import CONTROL, HeaderUnfit, file_part, joined, text_part

_WIDTH = 78
"""Characters of a line at which a header is folded (RFC 5322 section 2.1.1)."""
_LONGEST_LINE = 998
_CACHED = 256
_PLAIN = re.compile(r"[ -~]*")
_ENCODED_WORD = "=?"
_CRLF = "\r\n"


def mime_message(message: Rendered, *, sender: MailSender, message_id: str, now: float) -> bytes:
    """
    Return the message with CRLF at the end of each line.

    Args:
        message: The email.
        sender: Its From.
        message_id: The value of Message-ID, without angle brackets.
        now: Seconds since 1970, for Date.

    Raises:
        HeaderUnfit: A header has a line break, or a word that is too long for a line.
    """
    part = _content(message)
    head = [
        _from(sender),
        header("To", message.to),
        *([address_header("Reply-To", MailSender(message.reply_to))] if message.reply_to else ()),
        _subject(message.subject),
        _date(int(now)),
        header("Message-ID", f"<{message_id}>"),
        *[header(name, value) for name, value in message.headers],
        "MIME-Version: 1.0\r\n",
    ]
    return "".join(head).encode("utf-8", "replace") + part


def header(name: str, value: str) -> str:
    """
    Return one header that is folded at its spaces, and otherwise unchanged.

    Raises:
        HeaderUnfit: It has a line break, or a word that is too long for a line.
    """
    line = f"{name}: {value}"
    if CONTROL.search(line):
        raise HeaderUnfit(f"{name} has a control character")
    if len(line) <= _WIDTH:
        return f"{line}\r\n"
    folded = "\r\n ".join(_folded(line, first=len(name) + 2))
    if any(len(each) > _LONGEST_LINE for each in folded.split("\r\n")):
        raise HeaderUnfit(f"{name} has a word that is too long for a line")
    return f"{folded}\r\n"


def _folded(line: str, *, first: int) -> Iterable[str]:
    """Yield the lines of a header, broken at single spaces after its *first* characters."""
    while len(line) > _WIDTH:
        at = line.rfind(" ", first, _WIDTH)
        at = at if at >= 0 else line.find(" ", max(first, _WIDTH))
        if at < 0 or not line[at + 1 :].strip():
            break
        yield line[:at]
        line, first = line[at + 1 :], 1
    yield line


def _subject(text: str) -> str:
    if _PLAIN.fullmatch(text) and _ENCODED_WORD not in text:
        try:
            return header("Subject", text)
        except HeaderUnfit:
            pass  # a word of a thousand characters: encoded words can break it
    if CONTROL.search(text):
        raise HeaderUnfit("Subject has a control character")
    words = Header(text.encode("utf-8", "replace").decode(), "utf-8", header_name="Subject")
    return f"Subject: {words.encode(linesep=_CRLF)}\r\n"


@lru_cache(4)
def _date(second: int) -> str:
    return header("Date", format_datetime(datetime.fromtimestamp(second, UTC)))


@lru_cache(_CACHED)
def _from(sender: MailSender) -> str:
    return address_header("From", sender)


def address_header(name: str, *senders: MailSender) -> str:
    """
    Return a header with addresses and their names.

    Raises:
        HeaderUnfit: An address is malformed, or a name has a control character.
    """
    addresses = []
    for each in senders:
        shown = each.name or ""
        local, at, domain = each.address.rpartition("@")
        if CONTROL.search(shown + each.address) or not at:
            raise HeaderUnfit(f"{name} has a control character, or no address")
        try:
            addresses.append(Address(shown, local, domain))
        except (ValueError, IndexError, MessageError):
            raise HeaderUnfit(f"{name} has a malformed address") from None
    made = SMTP.header_factory(name, addresses)
    folded: str = made.fold(policy=SMTP)
    return folded


def _content(message: Rendered) -> bytes:
    """Return the body with its headers: texts, images that the HTML shows, and files."""
    mark = message.attempt_id.hex
    html = text_part("html", message.html) if message.html else b""
    if html and message.attachments:
        inline = [file_part(each) for each in message.attachments if each.content_id is not None]
        html = joined("related", [html, *inline], boundary=f"=_r{mark}") if inline else html
    texts = [html] if html else []
    if message.text or not html:
        texts.insert(0, text_part("plain", message.text))
    content = texts[0] if len(texts) == 1 else joined("alternative", texts, boundary=f"=_a{mark}")
    files = [file_part(each) for each in message.attachments if each.content_id is None or not html]
    return joined("mixed", [content, *files], boundary=f"=_m{mark}") if files else content
