"""The files of an email: their names, types and content, and which are refused."""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterator
from typing import Annotated

from pydantic import AfterValidator, Field

from notify.channels.definition import ContentProblem
from notify.channels.request import Strict
from notify.channels.words import refuse, turns_direction

MOST_FILES = 10
"""Files of one email."""

# A type, and up to three parameters, such as `method=REQUEST` of an invitation.
_TYPE = re.compile(
    r"[a-z]{1,20}/[a-z0-9][a-z0-9.+_-]{0,99}(?:; ?[a-z]{1,20}=[A-Za-z0-9._-]{1,40}){0,3}"
)
_CONTENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}(?:@[A-Za-z0-9][A-Za-z0-9.-]{0,63})?")
# The names that Gmail refuses: https://support.google.com/mail/answer/6590
_REFUSED_NAMES = re.compile(
    r"(?i:ade|adp|apk|appx|appxbundle|bat|cab|chm|cmd|com|cpl|diagcab|diagcfg|diagpkg|dll|dmg|ex|ex_"
    r"|exe|hta|img|ins|iso|isp|jar|jnlp|js|jse|lib|lnk|mde|mjs|msc|msi|msix|msixbundle|msp|mst|nsh"
    r"|pif|ps1|scr|sct|shb|sys|vb|vbe|vbs|vhd|vxd|wsc|wsf|wsh|xll)"
)
# Programs by their types; and types that contain further messages, which base64 would break
# (RFC 2046, 5.1 and 5.2).
_REFUSED_TYPES = re.compile(
    r"(?:message|multipart)/.*|application/(?:hta|java-archive|x-dosexec|x-executable"
    r"|vnd\.microsoft\.portable-executable|x-ms-installer|x-msdos-program|x-msdownload|x-msi)\b.*"
)


def _name(name: str) -> str:
    if not name.isprintable() or turns_direction(name) or set(name) & set('/\\"<>|:*?'):
        hint = 'write one plain name, without / \\ " < > | : * ? and control characters'
        raise refuse("not a file's name", hint)
    if name != name.strip(". "):
        raise refuse("begins or ends with a dot or space", "write the plain name: terms.pdf")
    if _REFUSED_NAMES.fullmatch(name.rpartition(".")[2]):
        raise refuse("mailbox providers refuse programs", "link to the file instead")
    return name


def _type(text: str) -> str:
    if not _TYPE.fullmatch(text):
        raise refuse("not a media type", "write it in lower case, such as application/pdf")
    if _REFUSED_TYPES.fullmatch(text):
        hint = "link to the file instead, or send it as application/zip"
        raise refuse("programs and messages cannot be attached", hint)
    return text


def _content(text: str) -> str:
    try:
        empty = not binascii.a2b_base64(text, strict_mode=True)
    except ValueError:
        hint = "encode it with the standard alphabet and padding, without line breaks"
        raise refuse("not base64", hint) from None
    if empty:
        raise refuse("the file is empty", "remove it")
    return text


def _content_id(text: str) -> str:
    if not _CONTENT_ID.fullmatch(text):
        raise refuse("not a content id", "write letters, digits and . _ + -, such as logo")
    return text


class AttachedFile(Strict):
    """One file of an email."""

    name: Annotated[str, Field(min_length=1, max_length=150), AfterValidator(_name)] = Field(
        description="The file's name, as recipients see it.", examples=["terms.pdf"]
    )
    type: Annotated[
        str,
        Field(max_length=200, json_schema_extra={"pattern": f"^{_TYPE.pattern}$"}),
        AfterValidator(_type),
    ] = Field(description="Its media type.", examples=["application/pdf"])
    content: Annotated[str, AfterValidator(_content)] = Field(
        description="The file in base64 (RFC 4648, section 4), without line breaks.",
        json_schema_extra={"contentEncoding": "base64"},
    )
    content_id: (
        Annotated[
            str,
            Field(json_schema_extra={"pattern": f"^{_CONTENT_ID.pattern}$"}),
            AfterValidator(_content_id),
        ]
        | None
    ) = Field(
        default=None,
        description="Shows an image in the HTML, at `cid:` and this id, instead of as a file.",
        examples=["logo"],
    )


AttachedFiles = Annotated[list[AttachedFile], Field(max_length=MOST_FILES)]


def file_problems(files: list[AttachedFile], html: str | None) -> Iterator[ContentProblem]:
    """
    Yield the mistakes of inline images.

    Args:
        html: The email's; None if a template renders it.
    """
    seen: set[str] = set()
    for index, file in enumerate(files):
        where = ("attachments", index, "content_id")
        if file.content_id is None:
            continue
        if not file.type.startswith("image/"):
            yield ContentProblem(where, "only an image can be inline", "remove the content id")
        elif file.content_id in seen:
            yield ContentProblem(where, "another file has the same content id", "use another")
        elif html is not None and f"cid:{file.content_id}" not in html:
            hint = 'write <img src="cid:..."> with this id there, or remove the id'
            yield ContentProblem(where, "the HTML does not show this image", hint)
        seen.add(file.content_id)
