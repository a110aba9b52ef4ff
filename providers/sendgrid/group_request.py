"""
The body of a request to send many emails: one personalization for each.

If all have the same content, it is in the request once. Otherwise the content of the request is one
tag for the text and one for the HTML, and each personalization substitutes its own finished words
for them. The tags are new for each request, so that no recipient's data can contain one.

Source: https://www.twilio.com/docs/sendgrid/for-developers/sending-email/substitution-tags
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Sequence
from json import JSONEncoder
from typing import NamedTuple

from notify.message import Attachment, Rendered
from providers.sendgrid.request import RequestWriter, Shape, recipient_values, shape_of

MOST = 1000
"""Personalizations in a request: https://www.twilio.com/docs/sendgrid/api-reference/mail-send/limitations."""
LARGEST_REQUEST = 29_000_000
"""Bytes; SendGrid refuses 30 MB and more."""
MOST_OWN_BYTES = 10_000
"""The most bytes of a personalization's substitutions. SendGrid's guide allows more."""
_TAG_BYTES = 40

# Not in ASCII: an escape of JSON has up to three times as many bytes as the letter.
_encoded = JSONEncoder(ensure_ascii=False).encode
_LONG = 256
# The control characters other than a line end: JSON escapes each in its own way.
_RARE = bytes(code for code in range(0x20) if chr(code) != "\n")


class SharedParts(NamedTuple):
    """All that the emails of one request have in common."""

    shape: Shape
    has_subject: bool
    content: tuple[str, str] | None
    """Text and HTML; None if these are short enough to be substituted."""
    reply_to: str | None
    attachments: tuple[Attachment, ...]


def shared_parts(message: Rendered) -> SharedParts:
    """Return what the other emails of a request must have in common with this one."""
    texts = (message.text, message.html)
    content = None if _fit(*texts) else texts
    return SharedParts(
        shape_of(message),
        bool(message.subject),
        content,
        message.reply_to,
        tuple(message.attachments),
    )


def _fit(*texts: str) -> bool:
    """Whether texts can be substituted, by their bytes in UTF-8."""
    most = MOST_OWN_BYTES - len(texts) * _TAG_BYTES
    characters = sum(map(len, texts))
    if characters > most or 4 * characters <= most:
        return characters <= most
    return sum(len(text.encode(errors="replace")) for text in texts) <= most


def same_content(messages: Sequence[Rendered]) -> bool:
    """Return whether all messages have the same text and HTML."""
    first = messages[0]
    return all(each.text == first.text and each.html == first.html for each in messages)


def group_body(writer: RequestWriter, messages: Sequence[Rendered], *, same: bool) -> bytes:
    """
    Return the JSON of a request for messages that are equal in `shared_parts`.

    Args:
        same: Whether they have the same content.
    """
    first = messages[0]
    skeleton = writer.skeleton(shape_of(first))
    text, html = (first.text, first.html) if same else (_tag("text"), _tag("html"))
    own = [] if same else [tag for tag, has in ((text, first.text), (html, first.html)) if has]
    one_subject = all(each.subject == first.subject for each in messages)
    recipient = skeleton.recipient[:-1]
    personalizations = ",".join(
        f"{recipient % recipient_values(each)}{''.join(_own(each, own, one_subject))}}}"
        for each in messages
    )
    start = skeleton.start % {"subject": quoted(first.subject)}
    end = skeleton.end % writer.shared_values(first, text, html)
    # The escape of Python for half of a surrogate pair is also JSON's.
    return f"{start}{personalizations}{end}".encode(errors="backslashreplace")


def _own(message: Rendered, tags: Sequence[str], one_subject: bool) -> Iterator[str]:
    """Yield the members of a personalization that a single request does not have."""
    if not one_subject:
        yield f',"subject":{quoted(message.subject)}'
    if tags:
        words = [text for text in (message.text, message.html) if text]
        pairs = (f'"{tag}":{quoted(text)}' for tag, text in zip(tags, words, strict=True))
        yield f',"substitutions":{{{",".join(pairs)}}}'


def quoted(text: str) -> str:
    """Return a text as `json` writes it, a long one in two thirds of the time."""
    if len(text) < _LONG:
        return _encoded(text)
    try:
        data = text.encode()
    except UnicodeEncodeError:
        return _encoded(text)
    if len(data.translate(None, _RARE)) < len(data):
        return _encoded(text)
    data = data.replace(b"\\", b"\\\\").replace(b'"', b'\\"').replace(b"\n", b"\\n")
    return f'"{data.decode()}"'


def _tag(name: str) -> str:
    return f"-{secrets.token_hex(16)}-{name}-"
