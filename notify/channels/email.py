"""The channel `email`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import Annotated, Any

import email_validator
from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from notify.channels.attachments import AttachedFile, AttachedFiles, file_problems
from notify.channels.definition import ChannelDefinition, ContentPart, ContentProblem
from notify.channels.headers import Headers, header_problems
from notify.channels.plain_text import plain_text
from notify.channels.request import TO, Request, Strict, To
from notify.channels.words import Line, SenderName, Text, refuse
from notify.message import Attachment, Channel, Content, Extras, Unknown

# Plain addresses, which are nearly all: a subset of what the library accepts, at a twentieth of its
# cost. Everything else (other alphabets, Punycode, reserved domains) goes to the library.
_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_PLAIN = re.compile(
    r"(?=.{3,254}\Z)[A-Za-z0-9_%+-]{1,64}(?:\.[A-Za-z0-9_%+-]{1,64})*"
    rf"@(?:{_LABEL}\.)+[A-Za-z]{{2,63}}"
)
_LOCAL_PART_LIMIT = 64
_RESERVED = frozenset({"arpa", "invalid", "local", "localhost", "onion"})


def email_address(text: str) -> str:
    """
    Return an address with its domain in lower-case ASCII, as mail providers accept it.

    The domain is not looked up: only a provider learns whether mail arrives. Names reserved for
    tests and documents (`sandbox.test`, `example.com`) are allowed, since teams develop with them.
    """
    local, _, domain = text.rpartition("@")
    if _PLAIN.fullmatch(text) and len(local) <= _LOCAL_PART_LIMIT and "--" not in domain:
        domain = domain.lower()
        if domain.rpartition(".")[2] not in _RESERVED:
            return f"{local}@{domain}"
    try:
        checked = email_validator.validate_email(
            text,
            strict=True,
            allow_smtputf8=False,
            check_deliverability=False,
            test_environment=True,
        )
    except email_validator.EmailNotValidError:
        hint = "write the bare address, such as name@example.com"
        raise refuse("not an email address", hint) from None
    # ascii_email is None only for local parts in other alphabets, refused above.
    return checked.ascii_email or checked.normalized


EmailAddress = Annotated[
    str,
    Field(max_length=254, json_schema_extra={"format": "email"}, examples=["ann@example.com"]),
    AfterValidator(email_address),
]


class EmailRecipient(Strict):
    """One recipient of a batch of emails."""

    to: EmailAddress = Field(description="The bare address.")
    data: dict[str, Any] | None = Field(default=None, description="Data for this recipient.")


class EmailRequest(Request):
    """An email: `template`, or `subject` with `text`, `html` or both."""

    to: To[EmailAddress, EmailRecipient] = Field(description=TO)
    subject: Line | None = Field(default=None, description="The subject, on one line.")
    text: Text | None = Field(default=None, description="The plain text.")
    html: Text | None = Field(
        default=None, description="The HTML; without `text`, the text is made from it."
    )
    sender: SenderName | None = Field(
        default=None,
        description=(
            "The From, by a name that your operators define. Default: that of the category, or of"
            " your source, if it has one."
        ),
        examples=["support"],
    )
    reply_to: EmailAddress | None = Field(
        default=None, description="The bare address for replies. Default: the sender's."
    )
    headers: Headers | None = Field(
        default=None,
        description="Further headers of the email: X-..., and a few others.",
        examples=[{"X-Order-Id": "1017"}],
    )
    attachments: AttachedFiles | None = Field(
        default=None, description="Files, and images that the HTML shows."
    )


_NO_COPIES = (
    "each recipient is a notification of its own, with its own status and its own right to"
    " unsubscribe: list all of them in `to`"
)


class EmailChannel(ChannelDefinition):
    """Email, counted in messages. A second copy does little harm: resend."""

    channel = Channel.EMAIL
    request = EmailRequest
    parts = (
        ContentPart("subject", "subject"),
        ContentPart("text", "text"),
        ContentPart("html", "html", in_every_template=False),
    )
    complete = (("subject",), ("text", "html"))
    attaches = True
    inside = {"attachments": AttachedFile}  # noqa: RUF012 - as `examples`
    refused = {  # noqa: RUF012 - as `inside`
        "cc": _NO_COPIES,
        "bcc": _NO_COPIES,
    }
    unknown = Unknown.RESEND
    examples = (
        {
            "id": "0d9c2f0e-6f3b-4c59-9a55-0f4b7f2f6f10",
            "to": "ann@example.com",
            "template": "welcome",
            "data": {"name": "Ann"},
            "locale": "en",
        },
        {
            "id": "5b0f6a7c-0a53-4b0e-8a43-7d0f1a0f2d11",
            "to": ["ann@example.com", {"to": "bo@example.com", "data": {"name": "Bo"}}],
            "template": "welcome",
            "data": {"name": "customer"},
        },
        {
            "id": "8c7f3b1a-92a4-4d55-8c4e-2f9f0c1d7a15",
            "to": "ann@example.com",
            "subject": "Your invoice",
            "html": '<img src="cid:logo" alt="Example"><p>Your invoice is attached.</p>',
            "reply_to": "billing@example.com",
            "headers": {"X-Order-Id": "1017"},
            "attachments": [
                {"name": "1017.pdf", "type": "application/pdf", "content": "JVBERi0xLjcK"},
                {
                    "name": "logo.gif",
                    "type": "image/gif",
                    "content": "R0lGODlhAQABAAAAACw=",
                    "content_id": "logo",
                },
            ],
        },
    )

    def looks_like_address(self, text: str) -> bool:
        """Whether it has an @ or is empty."""
        return "@" in text or not text

    def problems(self, request: Any) -> Iterator[ContentProblem]:
        """Return what its files and headers have wrong together."""
        if not (request.attachments or request.headers):
            return iter(())
        html = None if request.template else request.html or ""
        files = file_problems(request.attachments or [], html)
        return chain(files, header_problems(request.headers or {}))

    def extras(self, request: Any) -> Extras | None:
        """Return the sender, the address for replies, the headers and the files, if any."""
        if not (request.sender or request.reply_to or request.headers or request.attachments):
            return None
        files = (
            Attachment(file.name, file.type, file.content, file.content_id)
            for file in request.attachments or ()
        )
        headers = tuple((request.headers or {}).items())
        return Extras(request.sender, request.reply_to, headers, tuple(files))

    def content(self, words: Mapping[str, str | None]) -> Content:
        """Return content; the text is made from the HTML if there is only HTML."""
        content = super().content(words)
        if content.html and not content.text:
            return replace(content, text=plain_text(content.html))
        return content

    def is_address(self, text: str) -> bool:
        """Whether a request may have it as its recipient."""
        try:
            email_address(text)
        except PydanticCustomError:
            return False
        return True
