"""
The body of a request to send one email.

SendGrid's own builder writes each shape of email once: its sender, its parts, its options and the
names of its headers. A message's own values are then put into that text, in a fifth of the time.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from json import JSONEncoder
from typing import NamedTuple
from uuid import uuid4

from sendgrid.helpers.mail import ValidateApiKey

from notify.message import Attachment, MailSender, Rendered
from providers.sendgrid import mail

MOST_SHAPES = 256
"""Shapes to keep; a category has one or two."""

_OF_FILES = ("name", "type", "content", "content_id")

_quoted = JSONEncoder().encode


class Shape(NamedTuple):
    """All of a request that it shares with other messages."""

    sender: MailSender | None
    has_text: bool
    has_html: bool
    headers: tuple[str, ...]
    """Their names."""
    has_reply_to: bool
    has_attachments: bool


def shape_of(message: Rendered) -> Shape:
    """Return the shape of a message."""
    headers = tuple(name for name, _ in message.headers) if message.headers else ()
    return Shape(
        message.sender,
        bool(message.text),
        bool(message.html),
        headers,
        message.reply_to is not None,
        bool(message.attachments),
    )


@dataclass(frozen=True, slots=True)
class Skeleton:
    """A request of one shape, as formats of `%` with the names of the values to put in."""

    start: str
    """All before the recipients; has `subject`."""
    recipient: str
    """One recipient; has `to`, `notify_id`, `attempt_id`, and `header.N`."""
    end: str
    """All after the recipients; has `text`, `html`, `reply_to` and `attachments`."""


class RequestWriter:
    """
    Writes requests, for many threads.

    Args:
        sender: The From of a message that has none of its own.
        subscription_tracking: Whether SendGrid adds its own unsubscribe links; never to a message
            that has a List-Unsubscribe header.
    """

    def __init__(self, sender: MailSender, *, subscription_tracking: bool) -> None:
        self._sender = sender
        self._subscription_tracking = subscription_tracking
        self._validator = ValidateApiKey()
        self.skeleton = lru_cache(MOST_SHAPES)(self._build)
        self._file_format = cache(_file_format)

    def body(self, message: Rendered) -> bytes:
        """
        Return the JSON of a request.

        Raises:
            PermanentError: The content begins with an API key.
        """
        self.check(message)
        skeleton = self.skeleton(shape_of(message))
        start = skeleton.start % {"subject": _quoted(message.subject)}
        end = skeleton.end % self.shared_values(message, message.text, message.html)
        return (start + skeleton.recipient % recipient_values(message) + end).encode("ascii")

    def check(self, message: Rendered) -> None:
        """
        Check content as SendGrid's builder does.

        Raises:
            PermanentError: The content begins with an API key.
        """
        mail.refuse_keys(self._validator, message.text, message.html)

    def shared_values(self, message: Rendered, text: str, html: str) -> dict[str, str]:
        """Return the values of `Skeleton.end`, with a text and HTML in place of the message's."""
        values = {"text": _quoted(text), "html": _quoted(html)}
        if message.reply_to is not None:
            values["reply_to"] = _quoted(message.reply_to)
        if message.attachments:
            values["attachments"] = ",".join(map(self._file, message.attachments))
        return values

    def _file(self, file: Attachment) -> str:
        values = {name: _quoted(getattr(file, name) or "") for name in _OF_FILES}
        return self._file_format(file.content_id is not None) % values

    def _build(self, shape: Shape) -> Skeleton:
        # No value of the shape can contain a random name.
        names = ("subject", "to", "text", "html", "reply_to")
        marks = {name: str(uuid4()) for name in names}
        ids = {name: uuid4() for name in ("notify_id", "attempt_id")}
        headers = [(name, str(uuid4())) for name in shape.headers]
        file = Attachment("", "", str(uuid4()))
        sample = Rendered(
            ids["notify_id"],
            ids["attempt_id"],
            marks["to"],
            subject=marks["subject"],
            text=marks["text"] if shape.has_text else "",
            html=marks["html"] if shape.has_html else "",
            sender=shape.sender,
            headers=headers,
            reply_to=marks["reply_to"] if shape.has_reply_to else None,
            attachments=[file] if shape.has_attachments else (),
        )
        marks |= {name: str(mark) for name, mark in ids.items()}
        marks |= {f"header.{n}": mark for n, (_, mark) in enumerate(headers)}
        whole = mail.built(
            sample, sender=self._sender, subscription_tracking=self._subscription_tracking
        )
        recipient = mail.as_json(mail.personalization(sample))
        start, _, end = whole.partition(recipient)
        before, mark, after = end.partition(mail.as_json(mail.attachment(file)))
        end = _format(before, marks) + ("%(attachments)s" if mark else "") + _format(after, marks)
        return Skeleton(_format(start, marks), _format(recipient, marks), end)


def recipient_values(message: Rendered) -> dict[str, str]:
    """Return the values of `Skeleton.recipient`."""
    values = {
        "to": _quoted(message.to),
        "notify_id": f'"{message.notification_id}"',
        "attempt_id": f'"{message.attempt_id}"',
    }
    for n, (_, value) in enumerate(message.headers):
        values[f"header.{n}"] = _quoted(value)
    return values


def _file_format(inline: bool) -> str:
    """Return the format of one file, with the names of `_OF_FILES`."""
    marks = {name: str(uuid4()) for name in _OF_FILES}
    sample = Attachment(
        marks["name"], marks["type"], marks["content"], marks["content_id"] if inline else None
    )
    return _format(mail.as_json(mail.attachment(sample)), marks)


def _format(part: str, marks: Mapping[str, str]) -> str:
    """Return a format from a part of a request with a mark in place of each value."""
    part = part.replace("%", "%%")
    for name, mark in marks.items():
        part = part.replace(f'"{mark}"', f"%({name})s")
    return part
